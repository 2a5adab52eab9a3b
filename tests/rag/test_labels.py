import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import docx
import openpyxl
import pptx
import pytest

from rag.documents import Document, content_hash
from rag.errors import InputError
from rag.index import MODES, Index
from rag.labels import Filter, Label, day_of, tags_of
from rag.reading import READER
from rag.refining import PLAIN

from .letters import Letters
from .test_store import made, make

NAMES = ("hr/leave.txt", "hr/pay/2025.txt", "hrx/other.txt", "it/backup.txt")


@pytest.fixture
def labelled(tmp_path: Path) -> Index:
    """Four documents, each of ten chunks about nothing else than the letter of its place."""
    index = Index(tmp_path / "i", Letters())  # type: ignore[arg-type]
    for place, name in enumerate(NAMES):
        text = "\n\n".join(f"{'zebra' if n % 2 else 'apple'} {chr(97 + place) * 30} number {n}." for n in range(10))
        index.add([(name, text.encode())], tags=["even"] if place % 2 == 0 else ["odd", "Last Year"])
        index.store.label(name, Label(f"2025-0{place + 1}-15"))
    return index


@pytest.mark.parametrize(
    ("where", "names"),
    [
        (Filter(), NAMES),
        (Filter(documents=("it/backup.txt", "hr/leave.txt")), ("hr/leave.txt", "it/backup.txt")),
        (Filter(folder="hr"), NAMES[:2]),
        (Filter(folder="hr/"), NAMES[:2]),
        (Filter(folder="hr/pay"), NAMES[1:2]),
        (Filter(tags=("odd",)), NAMES[1::2]),
        (Filter(tags=("ODD", "last  year")), NAMES[1::2]),
        (Filter(tags=("odd", "even")), ()),
        (Filter(since="2025-02-15"), NAMES[1:]),
        (Filter(since="2025-02-16", until="2025-03-15"), NAMES[2:3]),
        (Filter(folder="hr", tags=("even",)), NAMES[:1]),
        (Filter(folder="%"), ()),
    ],
)
def test_a_filter_lets_through_what_it_says(labelled: Index, where: Filter, names: tuple[str, ...]) -> None:
    assert tuple(document.name for document in labelled.documents(where)) == names
    with labelled.store.snapshot() as snapshot:
        assert tuple(snapshot.names(where)) == names
    for mode in MODES:
        hits = labelled.search("zebra number", 100, mode, refining=PLAIN, where=where)
        assert {hit.document for hit in hits} == set(names)
        assert len(hits) == sum(document.chunks for document in labelled.documents(where))


@pytest.mark.parametrize("mode", MODES)
def test_a_filtered_search_is_the_search_of_an_index_with_nothing_else(
    labelled: Index, tmp_path: Path, mode: str
) -> None:
    """Filtering after the search would have found nothing: the three best are all of another document."""
    question = "zebra aaaaaaaaaa number"
    assert {hit.document for hit in labelled.search(question, 3, "dense")} == {"hr/leave.txt"}
    alone = Index(tmp_path / "alone", labelled.embedder)
    alone.add([("it/backup.txt", labelled.document("it/backup.txt").text.encode())])
    found = labelled.search(question, 3, mode, refining=PLAIN, where=Filter(documents=("it/backup.txt",)))
    assert len(found) == 3
    if mode == "dense":  # words weigh by all documents of the index, filtered or not
        assert [hit.text for hit in found] == [hit.text for hit in alone.search(question, 3, mode, refining=PLAIN)]


def test_tags_outlive_an_update_and_end_with_the_name(labelled: Index) -> None:
    labelled.add([("hr/leave.txt", b"Entirely new.")], tags=["fresh"])
    (document,) = labelled.documents(Filter(documents=("hr/leave.txt",)))
    assert document.entries[0].tags == ("even", "fresh")
    assert document.entries[0].date > "2025-01-15", "the day of the new content, whose own day is not known"
    labelled.remove("hr/leave.txt")
    labelled.add([("hr/leave.txt", b"Entirely new.")])
    assert labelled.documents(Filter(folder="hr"))[0].entries[0].tags == ()


def test_tagging(labelled: Index) -> None:
    generation, changes = labelled.generation, labelled.changes
    assert labelled.tag("it/backup.txt", ["New"], ["odd", "never"])
    assert labelled.documents(Filter(tags=("new",)))[0].entries[0].tags == ("last year", "new")
    assert (labelled.generation, labelled.changes) == (generation, changes + 1), "no cache need follow"
    assert not labelled.tag("it/backup.txt", ["new"], ["odd"])
    with pytest.raises(InputError, match="holds no document 'nothing'"):
        labelled.tag("nothing", ["new"])
    with labelled.store.snapshot() as snapshot:
        assert snapshot.tags() == {"even": 2, "last year": 2, "new": 1, "odd": 1}


def test_each_name_of_one_content_has_its_own_tags_and_the_hit_the_name_that_was_let_through(tmp_path: Path) -> None:
    index = Index(tmp_path / "i", Letters())  # type: ignore[arg-type]
    index.add([("a/x.txt", b"The same words.")], tags=["one"])
    index.add([("b/x.txt", b"The same words.")], tags=["two"])
    (document,) = index.documents()
    assert [(entry.name, entry.tags) for entry in document.entries] == [("a/x.txt", ("one",)), ("b/x.txt", ("two",))]
    assert [hit.document for hit in index.search("same", where=Filter(folder="b"))] == ["b/x.txt"]
    assert [hit.document for hit in index.search("same", where=Filter(tags=("two",)))] == ["b/x.txt"]
    assert [hit.document for hit in index.search("same")] == ["a/x.txt"]
    assert index.search("same", where=Filter(folder="a", tags=("two",))) == []


def test_the_day_is_that_of_the_text_else_of_the_file_else_of_the_adding(tmp_path: Path) -> None:
    store = made(tmp_path / "i" / "store.sqlite")
    _, chunks, vectors = make("a", "one")
    for name, dated, modified in (("a", "2020-01-02", "2021-01-02"), ("b", "", "2021-01-02"), ("c", "", "")):
        document = Document(name, "one", content_hash(name.encode()), "text/plain", dated=dated)
        store.put(document, chunks, vectors, label=Label(modified))
    with store.snapshot() as snapshot:
        entries = [document.entries[0] for document in snapshot.documents()]
        assert [entry.date for entry in entries[:2]] == ["2020-01-02", "2021-01-02"]
        assert entries[2].date >= "2025"
    assert store.label("b", Label("2022-03-04"))
    assert not store.label("b", Label(""))
    with store.snapshot() as snapshot:
        assert snapshot.documents()[1].entries[0].date == "2022-03-04"


def test_letters_and_office_files_say_their_own_day(tmp_path: Path) -> None:
    """The file's own time is that of the last copy."""
    letter = "From: a@example.org\nDate: {}\nSubject: x\n\nWords."
    for written, day in (
        ("Mon, 01 Jan 2024 00:30:00 +0200", "2023-12-31"),
        ("Tue, 05 Mar 2024 10:00:00", "2024-03-05"),
        ("some time ago", ""),
    ):
        assert READER.read("x.eml", letter.format(written).encode()).dated == day
    word, slides = docx.Document(), pptx.Presentation()
    word.add_paragraph("Words.")
    slides.slides.add_slide(slides.slide_layouts[0]).shapes.title.text = "Words"  # type: ignore[union-attr]
    for file, name in ((word, "x.docx"), (slides, "x.pptx")):
        file.core_properties.modified = datetime(2024, 5, 6, 7, 8)
        file.save(str(tmp_path / name))
        assert READER.read(name, (tmp_path / name).read_bytes()).dated == "2024-05-06"
    sheets = openpyxl.Workbook()
    sheets.active["A1"] = "Words"  # type: ignore[index]
    sheets.save(tmp_path / "x.xlsx")  # openpyxl notes the moment of saving, in UTC
    noted = openpyxl.load_workbook(tmp_path / "x.xlsx").properties.modified
    assert READER.read("x.xlsx", (tmp_path / "x.xlsx").read_bytes()).dated == noted.date().isoformat()
    assert READER.read("x.txt", b"Words.").dated == ""


@pytest.mark.parametrize(
    ("noted", "day"), [(b"D:20240506070809", "2024-05-06"), (b"D:20240231070809", ""), (b"D:soon2024050607", "")]
)
def test_a_pdf_says_its_day(make_pdf: Callable[..., bytes], noted: bytes, day: str) -> None:
    dated = re.sub(rb"D:\d{14}", noted, make_pdf("Words."))
    assert dated.count(noted) == 2, "when it was made, and when changed"
    assert READER.read("x.pdf", dated).dated == day


def test_what_is_no_filter() -> None:
    for day in ("yesterday", "2025-1-1", "2025-02-30", "20250101"):
        with pytest.raises(InputError, match="is no day; write it as 2026-01-31"):
            Filter(since=day)
    with pytest.raises(InputError, match="exchange the two"):
        Filter(since="2025-01-02", until="2025-01-01")
    for tag in ("", "  ", "a,b", "x" * 65, "a\x00b"):
        with pytest.raises(InputError, match="is no tag"):
            tags_of([tag])
    assert tags_of(["b", "A  c", "B"]) == ("a c", "b")
    assert day_of(1e30) == ""
    assert day_of(0) == "1970-01-01"
