"""Adapters on disk: whole or not there, found by name, and exported as what they are."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tuning.adapters import (
    CARD,
    WEIGHTS,
    check_name,
    delete_adapter,
    find_adapter,
    list_adapters,
    rename_adapter,
    save_adapter,
)
from tuning.errors import InputError
from tuning.places import restore

CARDS = {"base": "tiny", "base_digest": "0" * 64}


def write(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}")
    save_file({"weight": torch.ones(4, 4)}, folder / WEIGHTS)


def test_saved_is_found_with_its_card_and_its_digest(tmp_path: Path) -> None:
    first = save_adapter(tmp_path, "one", write, CARDS | {"created": "2026-01-01T00:00:00+00:00"})
    second = save_adapter(tmp_path, "two", write, CARDS)
    assert list_adapters(tmp_path) == [second, first]
    assert find_adapter("one", tmp_path).card["name"] == "one"
    assert first.digest == second.digest != ""
    assert first.base == "tiny"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_name_is_given_once_whatever_its_case(tmp_path: Path) -> None:
    save_adapter(tmp_path, "Mine", write, CARDS)
    with pytest.raises(InputError, match="'mine' exists already"):
        save_adapter(tmp_path, "mine", write, CARDS)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a\\b", ".hidden", "a.", "-a", "a b", "x" * 65, "é", "a\n"]
)
def test_a_name_that_is_no_folder_everywhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be a name; use"):
        save_adapter(tmp_path, name, write, CARDS)
    assert check_name("a.b-c_9") == "a.b-c_9"


def test_an_unknown_name_is_answered_with_the_names_there_are(tmp_path: Path) -> None:
    save_adapter(tmp_path / "a", "one", write, CARDS)
    save_adapter(tmp_path / "b", "two", write, CARDS)
    with pytest.raises(InputError, match=r"no adapter 'three'; there are: (one, two|two, one)"):
        find_adapter("three", tmp_path / "a", tmp_path / "b", tmp_path / "absent")


def test_half_and_broken_folders_are_told_and_not_offered(tmp_path: Path) -> None:
    for name in ("whole", "torn", "cardless", "nonsense", "weightless", "list"):
        save_adapter(tmp_path, name, write, CARDS)
    weights = tmp_path / "torn" / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-8])
    (tmp_path / "cardless" / CARD).unlink()
    (tmp_path / "nonsense" / CARD).write_text("{")
    (tmp_path / "weightless" / WEIGHTS).unlink()
    (tmp_path / "list" / CARD).write_text("[]")
    (tmp_path / "stray.txt").write_text("x")
    notes: list[str] = []
    assert [adapter.name for adapter in list_adapters(tmp_path, note=notes.append)] == ["whole"]
    assert len(notes) == 5
    assert all("is not offered" in note for note in notes)


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def full_disk(folder: Path) -> None:
        write(folder)
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match=r"No space left on device\); free some disk space"):
        save_adapter(tmp_path, "one", full_disk, CARDS)
    assert list(tmp_path.iterdir()) == []


def test_a_card_with_a_number_that_json_lacks_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        save_adapter(tmp_path, "one", write, CARDS | {"test_loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


KILLED = """
import sys
from pathlib import Path
from tests.tuning.test_adapters import CARDS, write
from tuning.adapters import save_adapter
for number in range(100000):
    save_adapter(Path(sys.argv[1]), f"a{number}", write, CARDS)
    print(number, flush=True)
"""


def test_kill_9_at_any_moment_leaves_only_whole_adapters(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    acknowledged = [process.stdout.readline() for _ in range(5)]
    process.kill()
    acknowledged += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    notes: list[str] = []
    names = {adapter.name for adapter in list_adapters(tmp_path, note=notes.append)}
    assert notes == []
    assert {f"a{line.strip()}" for line in acknowledged if line.endswith("\n")} <= names
    for leftover in tmp_path.glob(".*.tmp"):
        os.utime(leftover, (time.time() - 7200,) * 2)
    save_adapter(tmp_path, "after", write, CARDS)
    assert list(tmp_path.glob(".*.tmp")) == []


REPLACED = """
import os, sys, itertools
from pathlib import Path
from tests.tuning.test_adapters import CARDS, write
from tuning.adapters import save_adapter
left, calls = int(sys.argv[2]), itertools.count()
plain = Path.rename
def rename(self, target):
    if next(calls) == left:
        os.kill(os.getpid(), 9)
    return plain(self, target)
Path.rename = rename
save_adapter(Path(sys.argv[1]), "one", write, CARDS | {"take": 2}, replace=True)
"""


@pytest.mark.parametrize("renames", range(5))
def test_kill_9_while_an_adapter_is_replaced_leaves_the_old_or_the_new(tmp_path: Path, renames: int) -> None:
    """Between the two renames nothing had the name, and whoever looked then found the adapter gone."""
    save_adapter(tmp_path, "one", write, CARDS | {"take": 1})
    killed = subprocess.run([sys.executable, "-c", REPLACED, str(tmp_path), str(renames)], check=False).returncode
    assert killed == (-9 if renames < 4 else 0)
    notes: list[str] = []
    (one,) = list_adapters(tmp_path, note=notes.append)
    assert (one.name, one.card["take"], notes) == ("one", 1 if renames < 3 else 2, [])
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".tmp")] == ["one"]
    delete_adapter(one)
    assert list_adapters(tmp_path) == []


def test_who_looks_while_an_adapter_is_replaced_always_finds_it_and_stops_nobody(tmp_path: Path) -> None:
    save_adapter(tmp_path, "one", write, CARDS)
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            restore(tmp_path)

    with ThreadPoolExecutor(2) as pool:
        lookers = [pool.submit(look) for _ in range(2)]
        try:
            takes = [save_adapter(tmp_path, "one", write, CARDS | {"take": take}, replace=True) for take in range(60)]
        finally:
            over.set()
    assert all(looker.exception() is None for looker in lookers)
    (one,) = list_adapters(tmp_path)
    assert (one.card["take"], one.digest) == (59, takes[-1].digest)
    assert list(tmp_path.glob(".*.old")) == []


def test_deleted_is_gone(tmp_path: Path) -> None:
    delete_adapter(save_adapter(tmp_path, "one", write, CARDS))
    assert list(tmp_path.iterdir()) == []


def test_renamed_is_the_same_adapter(tmp_path: Path) -> None:
    one, two = save_adapter(tmp_path, "one", write, CARDS), save_adapter(tmp_path, "two", write, CARDS)
    renamed = rename_adapter(one, "better")
    assert (renamed.name, renamed.digest, renamed.path) == ("better", one.digest, tmp_path / "better")
    assert [adapter.name for adapter in list_adapters(tmp_path)] == ["better", "two"]
    assert rename_adapter(renamed, "Better").name == "Better"
    for name in ("Better", "BETTER", "better"):
        with pytest.raises(InputError, match="exists already; choose another name"):
            rename_adapter(two, name)
    with pytest.raises(InputError, match="cannot be a name"):
        rename_adapter(two, "../two")
    assert two.path.is_dir()


RENAMED = """
import sys
from pathlib import Path
from tuning.adapters import find_adapter, rename_adapter
folder = Path(sys.argv[1])
print("ready", flush=True)
while True:
    rename_adapter(find_adapter("a", folder), "b")
    rename_adapter(find_adapter("b", folder), "a")
"""


def test_kill_9_while_renaming_leaves_the_adapter_under_one_of_its_names(tmp_path: Path) -> None:
    digest = save_adapter(tmp_path, "a", write, CARDS).digest
    process = subprocess.Popen([sys.executable, "-c", RENAMED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    process.stdout.readline()
    time.sleep(0.05)
    process.kill()
    process.wait()
    process.stdout.close()
    (adapter,) = list_adapters(tmp_path)
    assert adapter.name in ("a", "b")
    assert adapter.digest == digest
    assert [path.name for path in tmp_path.iterdir()] == [adapter.name]


def test_a_leftover_that_vanishes_while_it_is_looked_at_stops_no_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two savers swept the same leftover; the slower one asked for the age of what was gone, and lost its adapter."""
    (tmp_path / ".old.tmp").mkdir()
    real = Path.is_dir

    def is_dir(path: Path) -> bool:
        there = real(path)
        if path.name == ".old.tmp" and there:
            path.rmdir()
        return there

    monkeypatch.setattr(Path, "is_dir", is_dir)
    adapter = save_adapter(tmp_path, "one", write, CARDS)
    assert list_adapters(tmp_path) == [adapter]
