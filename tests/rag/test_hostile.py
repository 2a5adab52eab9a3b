"""Files made to do harm: each refused with a reason or read for what it holds, within the limits, and nothing else."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from rag.errors import InputError
from rag.index import Index
from rag.mediatypes import ZIP, media_type
from rag.reading import READER, Unpacker

from .hostile_files import GROUPS, Hostile, names, pdfs
from .test_archive import below

SMALL = 6_000  # bytes


def outcome(file: Hostile) -> str:
    """What becomes of a file: "text: " and its text, or the reason why not."""
    try:
        if media_type(file.name, file.data) != ZIP:
            return "text: " + READER.read(file.name, file.data).text
        members = list(Unpacker(file.name, file.data))
        return members[0].error or "text: " + members[0].data.decode()
    except InputError as error:
        return str(error)


def as_expected(file: Hostile, found: str) -> bool:
    if file.expected.startswith("text: "):
        return found.startswith("text: ") and file.expected.removeprefix("text: ") in found.removeprefix("text: ")
    return file.expected in found and not found.startswith("text: ")


def wrong(files: list[Hostile]) -> dict[str, str]:
    """What became of those of which something else was to become."""
    found = {file.name: outcome(file) for file in files}
    assert len(found) == len(files), "two files of one name"
    return {file.name: found[file.name][:200] for file in files if not as_expected(file, found[file.name])}


@pytest.mark.parametrize("group", GROUPS)
def test_each_is_refused_or_read(group: str) -> None:
    assert wrong(list(GROUPS[group]())) == {}


def test_each_pdf_is_refused_or_read(make_pdf: Callable[..., bytes]) -> None:
    assert wrong(list(pdfs(make_pdf))) == {}


def test_reasons_are_one_sentence_with_the_name_and_a_remedy() -> None:
    for file in names():
        found = outcome(file)
        if not found.startswith("text: "):
            assert found.startswith(file.name)
            assert found.endswith(".")
            assert "; " in found


@pytest.mark.slow
def test_none_of_them_stops_a_run_or_leaves_anything_outside_the_index(
    index: Index, make_pdf: Callable[..., bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workplace = tmp_path / "workplace"
    workplace.mkdir()
    monkeypatch.chdir(workplace)
    unit = np.eye(1, index.embedder.dimension, dtype=np.float32)
    monkeypatch.setattr(index.embedder, "encode", lambda texts, **options: unit.repeat(len(texts), 0))
    files = [file for group in (*GROUPS.values(), lambda: pdfs(make_pdf)) for file in group()]
    small = [file for file in files if len(file.data) < SMALL]
    assert len(files) > 90
    assert len(small) > 50
    before, children_before = below(tmp_path), set(psutil.Process().children(recursive=True))
    sources = [(file.name, file.data) for file in small]
    report = index.add([*sources, ("\udcff.txt", b"Half a name."), ("good.txt", b"The good one comes last.")])
    reasons = {entry["path"]: entry["reason"] for entry in report.failed}
    assert "a name that is no text" in reasons["?.txt"]
    assert all(reason.startswith(path.partition(".zip")[0]) for path, reason in reasons.items())
    added = {entry["path"] for entry in report.added}
    assert "good.txt" in added
    for file in small:
        if file.expected.startswith("text: "):
            assert any(name.startswith(file.name) for name in added), file.name
        else:
            assert any(name.startswith(file.name) for name in reasons), file.name
    assert index.search("Which one comes last?", 1, "bm25")[0].document == "good.txt"
    assert {path for path in below(tmp_path) - before if not path.startswith(str(index.folder))} == set()
    children = {" ".join(child.cmdline()) for child in set(psutil.Process().children(recursive=True)) - children_before}
    assert all("rag.reader_process" in command for command in children if command), children
    json.dumps(reasons).encode()  # as commands and pages show them
