"""Zip archives: every member a document or a reason, and nothing written anywhere."""

import json
import os
import struct
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from rag import archive
from rag.__main__ import main
from rag.confined import Limits
from rag.embedder import Embedder
from rag.errors import InputError
from rag.index import Index
from rag.library import Library
from rag.reading import Unpacker

from .conftest import HOURS, RETURNS, WARRANTY
from .test_library import finish


def packed(*files: tuple[str, bytes], store: bool = False) -> bytes:
    """A zip archive of the files."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED if store else zipfile.ZIP_DEFLATED) as file:
        for name, data in files:
            file.writestr(name, data)
    return out.getvalue()


def below(folder: Path) -> set[str]:
    """Everything in a folder, however deep."""
    return {str(path) for path in folder.rglob("*")}


def test_members_are_documents_and_bad_ones_fail_alone(index: Index, tmp_path: Path) -> None:
    before, more, seen = below(tmp_path), list[int](), list[str]()
    data = packed(
        ("a/hours.md", HOURS.encode()),
        ("../../up.txt", b"up"),
        ("/etc/root.txt", b"root"),
        ("a\\..\\..\\back.txt", b"back"),
        ("C:/drive.txt", b"drive"),
        ("bad.pdf", b"no pdf"),
        ("inner.zip", packed(("x.txt", b"x"))),
        ("disguised.txt", packed(("x.txt", b"x"))),
        ("empty.txt", b""),
        ("photo.png", b"x"),
        (".hidden/b.txt", b"x"),
        ("__MACOSX/c.txt", b"x"),
        ("es\x1bc.txt", RETURNS.encode()),
        ("last.txt", WARRANTY.encode()),
    )
    report = index.add([("z.zip", data)], lambda name, outcome, reason: seen.append(name), more.append)
    assert [entry["path"] for entry in report.added] == ["z.zip/a/hours.md", "z.zip/es\ufffdc.txt", "z.zip/last.txt"]
    reasons = {entry["path"]: entry["reason"] for entry in report.failed}
    for name in ("../../up.txt", "/etc/root.txt", "a\\..\\..\\back.txt", "C:/drive.txt"):
        assert "leads out of the archive" in reasons[f"z.zip/{name}"]
    for name in ("inner.zip", "disguised.txt"):
        assert "archive within an archive" in reasons[f"z.zip/{name}"]
    assert "download it again" in reasons["z.zip/bad.pdf"]
    assert "is empty" in reasons["z.zip/empty.txt"]
    assert report.left_out == {".png": 1}
    assert len(seen) == sum(more) + 1 == 11
    assert index.search("How long is the warranty?", 1)[0].document == "z.zip/last.txt"
    assert {path for path in below(tmp_path) - before if "indexes" not in path} == set()


def test_an_archive_again_is_unchanged_and_a_new_one_updates(index: Index) -> None:
    index.add([("z.zip", packed(("a.txt", b"one"), ("b.txt", b"two")))])
    report = index.add([("z.zip", packed(("a.txt", b"one"), ("b.txt", b"three")))])
    assert [entry["path"] for entry in report.unchanged] == ["z.zip/a.txt"]
    assert [entry["path"] for entry in report.updated] == ["z.zip/b.txt"]


def test_damaged_and_locked_members(index: Index) -> None:
    data = bytearray(packed(("a.txt", b"alpha" * 50), ("b.txt", b"beta" * 50), ("c.txt", b"gamma"), store=True))
    data[data.index(b"alpha") + 7] ^= 1
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    data[second + 8] |= 1  # the flag of encryption, in the directory's entry of b.txt
    report = index.add([("z.zip", bytes(data))])
    assert [entry["path"] for entry in report.added] == ["z.zip/c.txt"]
    assert "damaged in the archive" in report.failed[0]["reason"]
    assert "protected by a password" in report.failed[1]["reason"]


def test_bombs_are_refused_before_anything_is_unpacked(index: Index) -> None:
    big = bytearray(packed(("a.txt", bytes(1 << 20))))
    struct.pack_into("<I", big, big.index(b"PK\x01\x02") + 24, 900 << 20)
    report = index.add(
        [
            ("ratio.zip", bytes(big)),
            ("count.zip", packed(*[(f"{n}.txt", b"") for n in range(10_001)])),
            ("cut.zip", packed(("a.txt", b"x"))[:20]),
            ("none.zip", packed(("a.png", b"x"))),
            ("good.txt", b"The good one."),
        ]
    )
    assert [entry["path"] for entry in report.added] == ["good.txt"]
    ratio, count, cut, none = (entry["reason"] for entry in report.failed)
    assert "times its size" in ratio
    assert "10,001 files" in count
    assert "damaged or cut off" in cut
    assert "holds no file that is read" in none


def test_a_lie_about_the_size_yields_no_more_than_it_says(index: Index) -> None:
    data = bytearray(packed(("a.txt", b"x" * 5_000_000)))
    for mark, place in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        struct.pack_into("<I", data, data.index(mark) + place, 10)
    (failed,) = index.add([("z.zip", bytes(data))]).failed
    assert "damaged in the archive" in failed["reason"]
    assert [member.data for member in archive.Archive("z.zip", packed(("a.txt", b"fair"))).members()] == [b"fair"]


def test_unpacking_has_limits_too() -> None:
    with pytest.raises(InputError, match=r"z\.zip needs more than 200 MB of memory to read"):
        list(Unpacker("z.zip", packed(("a.txt", b"x" * (90 << 20)), store=True), Limits(20, 200)))


def test_progress_on_the_page_counts_members(tmp_path: Path, embedder: Embedder) -> None:
    library = Library(tmp_path / "indexes", lambda: embedder)
    adding = finish(library.add("shop", [("z.zip", packed(*[(f"{n}.txt", b"%d words" % n) for n in range(5)]))]))
    assert (adding.total, len(adding.outcomes), adding.error) == (5, 5, "")


def test_the_command_says_what_it_left_out(
    tmp_path: Path, embedder: Embedder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("rag.embedder.Embedder", lambda name=None: embedder)
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.zip").write_bytes(packed(("a.txt", b"words"), ("b.jpg", b"x")))
    (folder / "c.jpg").write_bytes(b"x")
    (folder / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"coffee")
    assert main(["add", str(folder), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["left_out"] == {".jpg": 2}
    assert [entry["path"] for entry in report["added"]] == [f"{folder}/a.zip/a.txt"]
    assert "rename it" in report["failed"][0]["reason"]
