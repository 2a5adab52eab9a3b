"""What `kill -9` leaves of an index, at random moments of everything that changes it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rag.store import Store
from tests.conftest import REPO

from .killing import KINDS

ROUNDS = 50
FILES = 120
"""With several times the characters that are embedded between two commits, so that a run can be seen under way."""


def run(tmp_path: Path, kind: str, number: int) -> dict[str, Any]:
    seed = int(time.time())
    command = [sys.executable, "-m", "tests.rag.killing", kind, str(tmp_path), str(number), str(seed)]
    once = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, cwd=REPO, env=os.environ | once, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {"seed": seed, **json.loads(done.stdout)}


@pytest.mark.slow
def test_after_fifty_kills_every_document_is_whole_and_every_search_is_true(tmp_path: Path) -> None:
    result = run(tmp_path, "kills", ROUNDS)
    assert result["wrong"] == [], f"seed {result['seed']}"
    assert sum(result["cut"].values()) == ROUNDS
    assert set(KINDS) <= set(result["cut"]), "each kind of work was cut short"


@pytest.mark.slow
def test_several_processes_read_whole_documents_while_one_writes(tmp_path: Path) -> None:
    result = run(tmp_path, "readers", 3)
    assert result["writer"] == ""
    assert all(seen.isdecimal() for seen in result["seen"]), result["seen"]
    assert all(int(seen) > 3 for seen in result["seen"]), "the writer wrote meanwhile"


def until(condition: object, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


@pytest.mark.slow
def test_killed_commands_leave_whole_documents_and_go_on(tmp_path: Path, home: Path) -> None:
    """The real commands with the real embedder: adding, then embedding anew, each killed in the middle."""
    folder, path = tmp_path / "files", home / "indexes" / "default" / "store.sqlite"
    folder.mkdir()
    for number in range(FILES):
        sentences = (f"Sentence {n} of note {number} speaks of {'rain' * (n % 3 + 1)}." for n in range(60))
        (folder / f"{number:03}.txt").write_text(" ".join(sentences))

    def rag(*arguments: str, kill: object = None) -> str:
        process = subprocess.Popen(
            [sys.executable, "-m", "rag", *arguments], cwd=REPO, stdout=subprocess.PIPE, text=True
        )
        if kill:
            until(lambda: process.poll() is not None or kill())  # type: ignore[operator]
            process.kill()
        out = process.communicate()[0]
        assert process.returncode == (-signal.SIGKILL if kill else 0)
        return out

    def documents() -> int:
        if not path.exists():
            return 0
        with Store(path).snapshot() as snapshot:
            return snapshot.documents_until(None)

    def filled() -> bool:
        with Store(path).snapshot() as snapshot:
            return snapshot.filling is not None and snapshot.filling[1] > 0

    def hits() -> object:
        return json.loads(rag("search", "What does note 7 speak of?", "--json"))["hits"]

    rag("sync", str(folder), kill=documents)
    assert 0 < documents() < FILES
    with Store(path).snapshot() as snapshot:
        for document in snapshot.documents():
            assert document.chunks
            assert snapshot.document(document.name).text == (folder / Path(document.name).name).read_text()
    report = json.loads(rag("sync", str(folder), "--json"))
    assert len(report["added"]) + len(report["unchanged"]) == documents() == FILES
    before = hits()
    rag("reembed", "--chunk-size", "40", kill=filled)
    assert hits() == before, "the old one serves"
    report = json.loads(rag("reembed", "--chunk-size", "40", "--json"))
    assert report["changed"]
    assert report["resumed"] > 0
    assert report["documents"] + report["resumed"] == FILES
    assert hits() != before
