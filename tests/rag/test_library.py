import threading
import time
from pathlib import Path
from typing import Any

import pytest

from rag.embedder import Embedder
from rag.errors import InputError
from rag.library import Adding, Library

from .conftest import HOURS, WARRANTY


@pytest.fixture
def library(tmp_path: Path, embedder: Embedder) -> Library:
    return Library(tmp_path / "indexes", lambda: embedder)


def finish(adding: Adding, seconds: float = 60) -> Adding:
    until = time.monotonic() + seconds
    while not adding.finished:
        assert time.monotonic() < until, "the run did not end"
        time.sleep(0.02)
    return adding


def test_names_are_those_on_disk(library: Library) -> None:
    assert library.names() == []
    library.open("b-2", make=True)
    library.open("a_1", make=True)
    (library.folder / "stray").mkdir()
    assert library.names() == ["a_1", "b-2"]
    assert library.open("a_1") is library.open("a_1")


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "ä", "x" * 65, "a\n"])
def test_bad_names(library: Library, name: str) -> None:
    with pytest.raises(InputError, match="no name for an index"):
        library.open(name, make=True)
    assert not library.folder.exists()


def test_opening_does_not_make(library: Library) -> None:
    with pytest.raises(InputError, match="There is no index 'shop'"):
        library.open("shop")


def test_files_are_added_in_the_background(library: Library) -> None:
    adding = finish(library.add("shop", [("a.txt", WARRANTY.encode()), ("b.txt", b"\x00"), ("c.txt", HOURS.encode())]))
    assert library.adding is adding
    assert sorted(adding.outcomes)[0] == ("a.txt", "added", "")
    assert [(name, outcome) for name, outcome, _ in sorted(adding.outcomes)] == [
        ("a.txt", "added"),
        ("b.txt", "failed"),
        ("c.txt", "added"),
    ]
    assert adding.report is not None
    assert adding.report.chunks == 2
    assert library.open("shop").search("warranty", 1)[0].document == "a.txt"


def test_one_run_at_a_time(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    index, gate = library.open("shop", make=True), threading.Event()
    add = index.add

    def slow(*arguments: Any) -> object:
        assert gate.wait(30)
        return add(*arguments)

    monkeypatch.setattr(index, "add", slow)
    first = library.add("shop", [("a.txt", WARRANTY.encode())])
    with pytest.raises(InputError, match=r"being added to 'shop' \(0 of 1 done\)"):
        library.add("other", [("b.txt", b"text")])
    gate.set()
    finish(first)
    finish(library.add("other", [("b.txt", b"text")]))


def test_two_files_of_one_name_are_refused_before_one_replaces_the_other(library: Library) -> None:
    with pytest.raises(InputError, match=r"Two of the files are called 'a\.txt'"):
        library.add("shop", [("a.txt", b"one"), ("a.txt", b"two")])
    with pytest.raises(InputError, match="No files were chosen"):
        library.add("shop", [])


def test_what_stops_a_run_is_kept_for_the_page(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    index = library.open("shop", make=True)

    def full(*_: object) -> None:
        raise InputError("store.sqlite cannot be written (database or disk is full); free some space.")

    monkeypatch.setattr(index.store, "put", full)
    adding = finish(library.add("shop", [("a.txt", WARRANTY.encode())]))
    assert "free some space" in adding.error
    assert adding.report is None
