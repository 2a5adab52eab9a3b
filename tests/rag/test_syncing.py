import os
import shutil
import zipfile
from pathlib import Path

import pytest

from rag.errors import InputError
from rag.index import Index
from rag.labels import Filter
from rag.syncing import SyncReport

from .letters import Letters


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path / "i", Letters())  # type: ignore[arg-type]


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.txt", "b.md", "deep/c.txt"):
        (folder / name).write_text(f"What {name} says.")
    return folder


def outcomes(report: SyncReport, folder: Path) -> dict[str, list[str]]:
    """The names below the folder by outcome, in order."""
    return {
        outcome: sorted(entry["path"].removeprefix(f"{folder}/") for entry in entries)
        for outcome in ("added", "updated", "unchanged", "removed", "failed")
        if (entries := getattr(report, outcome))
    }


def held(index: Index, folder: Path) -> list[str]:
    with index.store.snapshot() as snapshot:
        return [name.removeprefix(f"{folder}/") for name in snapshot.names()]


def pack(path: Path, **members: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(f"{name}.txt", text)


def test_added_changed_deleted_and_moved_files_follow(index: Index, notes: Path) -> None:
    told: list[tuple[str, str]] = []
    total = [0]
    report = index.sync(notes, lambda name, outcome, _: told.append((name, outcome)), lambda n: total.append(n))
    assert outcomes(report, notes) == {"added": ["a.txt", "b.md", "deep/c.txt"]}
    assert index.folders() == [str(notes)]
    (notes / "a.txt").write_text("What a says now.")
    (notes / "b.md").unlink()
    (notes / "deep" / "c.txt").rename(notes / "moved.txt")
    (notes / "new.txt").write_text("New.")
    index.embedder.read.clear()  # type: ignore[attr-defined]
    report = index.sync(notes, lambda name, outcome, _: told.append((name, outcome)), lambda n: total.append(n))
    assert outcomes(report, notes) == {
        "added": ["new.txt"],
        "updated": ["a.txt"],
        "unchanged": ["moved.txt"],
        "removed": ["b.md", "deep/c.txt"],
    }
    assert index.embedder.read == ["What a says now.", "New."], "what was moved is not embedded again"  # type: ignore
    assert held(index, notes) == ["a.txt", "moved.txt", "new.txt"]
    assert not [hit for hit in index.search("What b.md says", 10) if hit.document.endswith("b.md")]
    assert len(told) == sum(total)
    assert outcomes(index.sync(notes), notes) == {"unchanged": ["a.txt", "moved.txt", "new.txt"]}


def test_only_what_is_below_the_folder_is_removed(index: Index, notes: Path, tmp_path: Path) -> None:
    beside = tmp_path / "notes-of-others"
    beside.mkdir()
    (beside / "x.txt").write_text("x")
    index.sync(beside)
    index.sync(notes)
    index.add([("uploaded.txt", b"u"), (str(notes / "gone.txt"), b"g")])
    assert outcomes(index.sync(notes), notes)["removed"] == ["gone.txt"]
    assert {"uploaded.txt", str(beside / "x.txt")} <= set(held(index, notes))


def test_a_folder_that_seems_empty_deletes_nothing_until_told(index: Index, notes: Path) -> None:
    """A disk that is not mounted is an empty folder."""
    index.sync(notes)
    shutil.rmtree(notes)
    with pytest.raises(InputError, match="is no folder; give one that is there, or connect the disk"):
        index.sync(notes)
    notes.mkdir()
    (notes / "not-mounted").write_text("A file that stands where the disk should be.")
    with pytest.raises(InputError, match=r"nothing of the 3 documents that the index has .* --allow-empty"):
        index.sync(notes)
    assert len(held(index, notes)) == 3, "and nothing was added"
    assert outcomes(index.sync(notes, allow_empty=True), notes)["removed"] == ["a.txt", "b.md", "deep/c.txt"]
    assert held(index, notes) == ["not-mounted"]


def test_a_folder_that_cannot_be_looked_into_keeps_its_documents(
    index: Index, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.sync(notes)
    (notes / "b.md").unlink()
    scan = os.scandir

    def refuse(path: str) -> object:
        if Path(path).name == refused:
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)  # the tests may run as root, to whom nothing is denied
    refused = "deep"
    report = index.sync(notes)
    assert outcomes(report, notes) == {"unchanged": ["a.txt"], "removed": ["b.md"], "failed": ["deep"]}
    assert "cannot be read (Permission denied); check its permissions" in report.failed[0]["reason"]
    assert held(index, notes) == ["a.txt", "deep/c.txt"]
    refused = "notes"
    with pytest.raises(InputError, match="cannot be read"):
        index.sync(notes, allow_empty=True)


def test_a_file_that_went_bad_keeps_what_was_read_of_it(index: Index, notes: Path) -> None:
    index.sync(notes)
    (notes / "a.txt").write_bytes(b"\x00\x01\x02")
    assert outcomes(index.sync(notes), notes)["failed"] == ["a.txt"]
    assert index.document(str(notes / "a.txt")).text == "What a.txt says."


def test_members_of_archives_follow(index: Index, notes: Path) -> None:
    pack(notes / "pack.zip", one="First.", two="Second.")
    index.sync(notes)
    pack(notes / "pack.zip", two="Second.", three="Third.")
    assert outcomes(index.sync(notes), notes) == {
        "added": ["pack.zip/three.txt"],
        "unchanged": ["a.txt", "b.md", "deep/c.txt", "pack.zip/two.txt"],
        "removed": ["pack.zip/one.txt"],
    }
    (notes / "pack.zip").write_bytes((notes / "pack.zip").read_bytes()[:40])
    assert "removed" not in outcomes(index.sync(notes), notes), "a damaged archive may still hold them"
    (notes / "pack.zip").unlink()
    assert outcomes(index.sync(notes), notes)["removed"] == ["pack.zip/three.txt", "pack.zip/two.txt"]


def test_what_was_added_by_itself_stays_while_it_is_there(index: Index, notes: Path) -> None:
    """A hidden file is not followed, but one that was given by name is no less wanted."""
    hidden = notes / ".draft.txt"
    hidden.write_text("Hidden.")
    index.add([(str(hidden), hidden)])
    assert "removed" not in outcomes(index.sync(notes), notes)
    hidden.unlink()
    assert outcomes(index.sync(notes), notes)["removed"] == [".draft.txt"]


def test_a_link_goes_by_its_own_name(index: Index, notes: Path, tmp_path: Path) -> None:
    """Named by what it points at, it stood outside the folder and was never removed."""
    (tmp_path / "outside.txt").write_text("Outside.")
    (notes / "link.txt").symlink_to(tmp_path / "outside.txt")
    assert "link.txt" in outcomes(index.sync(notes), notes)["added"]
    (notes / "link.txt").unlink()
    assert outcomes(index.sync(notes), notes)["removed"] == ["link.txt"]


def test_a_folder_that_is_linked_to_is_left_out_and_said_to_be(index: Index, notes: Path) -> None:
    """It may lie above, and would be walked for ever; it was passed over without a word."""
    (notes / "deep" / "up").symlink_to(notes)
    report = index.sync(notes)
    assert outcomes(report, notes) == {"added": ["a.txt", "b.md", "deep/c.txt"]}
    assert report.left_out == {"linked folders": 1}


def test_days_follow_the_files(index: Index, notes: Path) -> None:
    os.utime(notes / "a.txt", (1_700_000_000, 1_700_000_000))
    index.sync(notes)
    (document,) = index.documents(Filter(documents=(str(notes / "a.txt"),)))
    assert document.entries[0].date == "2023-11-14"
    os.utime(notes / "a.txt", (1_600_000_000, 1_600_000_000))
    index.sync(notes)
    assert [document.name for document in index.documents(Filter(until="2020-12-31"))] == [str(notes / "a.txt")]
