"""Adapters on disk: whole or not there, found by name, and exported as what they are."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from tuning import lora
from tuning.adapters import (
    CARD,
    WEIGHTS,
    check_name,
    delete_adapter,
    export_adapter,
    find_adapter,
    list_adapters,
    save_adapter,
)
from tuning.base import Base
from tuning.config import TrainConfig
from tuning.errors import InputError

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


def test_deleted_is_gone_and_only_from_its_own_folder(tmp_path: Path) -> None:
    save_adapter(tmp_path / "mine", "one", write, CARDS)
    save_adapter(tmp_path / "samples", "samples", write, CARDS)
    delete_adapter("one", tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir()) == []
    with pytest.raises(InputError, match="no adapter 'samples'"):
        delete_adapter("samples", tmp_path / "mine")


@pytest.fixture
def base(tiny_base_path: Path) -> Base:
    model = AutoModelForCausalLM.from_pretrained(tiny_base_path).eval()
    return Base("tiny", "a test", model, AutoTokenizer.from_pretrained(tiny_base_path), "0" * 64)


def tuned(base: Base) -> Any:
    model = lora.attach(base, TrainConfig(rank=2), "float32")
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(generator=torch.Generator().manual_seed(1)).mul_(0.1)
    return model.eval()


def test_merged_says_what_base_and_adapter_say_together(base: Base, tmp_path: Path) -> None:
    model = tuned(base)
    adapter = save_adapter(tmp_path, "one", lambda folder: lora.write(model, base.name, folder), CARDS)
    ids = torch.arange(3, 20).unsqueeze(0)
    before = base.model(input_ids=ids).logits
    merged = AutoModelForCausalLM.from_pretrained(export_adapter(adapter, tmp_path / "merged", base))
    torch.testing.assert_close(merged(input_ids=ids).logits, model(input_ids=ids).logits, rtol=1e-2, atol=1e-2)
    assert not torch.allclose(merged(input_ids=ids).logits, before, atol=0.1)
    assert torch.equal(base.model(input_ids=ids).logits, before)
    assert AutoTokenizer.from_pretrained(tmp_path / "merged").chat_template


def test_exported_loads_in_peft(base: Base, tmp_path: Path) -> None:
    model = tuned(base)
    adapter = save_adapter(tmp_path, "one", lambda folder: lora.write(model, base.name, folder), CARDS)
    folder = export_adapter(adapter, tmp_path / "out")
    assert (adapter.path / WEIGHTS).stat().st_mode == (adapter.path / CARD).stat().st_mode
    ids = torch.arange(3, 20).unsqueeze(0)
    loaded = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base.model.name_or_path), str(folder))
    torch.testing.assert_close(loaded(input_ids=ids).logits, model(input_ids=ids).logits, rtol=1e-2, atol=1e-2)
    assert json.loads((folder / CARD).read_text())["weights_sha256"] == adapter.digest
    with pytest.raises(InputError, match="exists; name a folder that does not"):
        export_adapter(adapter, tmp_path / "out")


def test_an_adapter_is_not_merged_into_another_base(base: Base, tmp_path: Path) -> None:
    adapter = save_adapter(tmp_path, "one", write, CARDS | {"base_digest": "1" * 64})
    with pytest.raises(InputError, match="one was trained on tiny, not on tiny; choose that with --base"):
        export_adapter(adapter, tmp_path / "merged", base)
    assert not (tmp_path / "merged").exists()
