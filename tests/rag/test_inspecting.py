"""Looking into documents and at cuts: the handlers as anyone could call them, and what they show."""

import re
from html import unescape
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from rag.cuts_tab import Cutting
from rag.cuts_view import Row, _rows_html
from rag.documents_tab import DocumentsPage
from rag.embedder import Embedder
from rag.inspect_tab import Inspector
from rag.leaves import LONGEST, leaf_of, leaves
from rag.library import Library
from rag.marking import marks
from rag.search_tab import Searching

from .test_library import finish

EVIL = "<script>alert(1)</script>"
BOOK = f"# Tools {EVIL}\n\n" + "\n\n".join(
    f"Tool number {n} has a handle of wood. " + "It is kept in a dry place. " * 12 for n in range(40)
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Library:
    library = Library(tmp_path_factory.mktemp("indexes"), lambda: embedder)
    finish(library.add("shop", [("/home/me/book.md", BOOK.encode()), ("note.txt", b"A note about parking.")]))
    return library


def test_a_passage_is_shown_in_its_document(library: Library) -> None:
    page = DocumentsPage(library, editable=False)
    found = Searching(library, editable=False).search("shop", "tool number 31", "By words", 1)
    (place,) = re.findall('data-place="([^"]*)"', found)
    assert "[1] book.md</button>" in found
    choice, part, shown = Inspector(library).pick("shop", gr.EventData(None, {"place": place}))
    assert ("book.md", choice) in page.view("shop")[5]["choices"]
    assert part["visible"]
    assert 1 < part["value"] <= part["maximum"]
    found = shown[shown.index('<section class="found">') :].split("</section>")[0]
    assert "Tool number 31 " in found
    assert "/home/me" not in str([choice, part, shown])


def test_the_parts_of_a_document_show_all_of_it_escaped(library: Library) -> None:
    choice = dict(DocumentsPage(library, True).view("shop")[5]["choices"])["/home/me/book.md"]
    inspector = Inspector(library)
    _, part, first = inspector.open("shop", choice)
    assert EVIL not in first
    whole = "".join(inspector.open("shop", choice, number)[2] for number in range(1, part["maximum"] + 1))
    assert all(f"Tool number {number} " in whole for number in range(40))
    assert part["value"] == 1
    assert len(first) < 3 * LONGEST
    assert "part 1 of" in first
    assert unescape(first).count("Tools <script>alert(1)</script>") >= 2, "the heading stands above and in the text"


@pytest.mark.parametrize(("name", "choice", "part"), [("shop", "x" * 64, 1), ("../shop", "a 0", 1), ("none", "a", 1)])
def test_what_is_not_there_is_refused(library: Library, name: str, choice: str, part: Any) -> None:
    with pytest.raises(gr.Error):
        Inspector(library).open(name, choice, part)
    with pytest.raises(gr.Error):
        Inspector(library).find(name, choice)


def test_nothing_chosen_shows_nothing_and_odd_parts_the_nearest(library: Library) -> None:
    assert Inspector(library).open("shop", None)[2] == ""
    assert Inspector(library).find("shop", None) == [gr.skip()] * 3
    choice = dict(DocumentsPage(library, True).view("shop")[5]["choices"])["note.txt"]
    for part in (None, -3, 10**9, "many"):
        assert "A note about parking." in Inspector(library).open("shop", choice, part)[2]


def test_leaves_hold_every_chunk_once_in_order(library: Library) -> None:
    with library.open("shop").store.snapshot() as snapshot:
        chunks = snapshot.chunks_of("/home/me/book.md")
        assert snapshot.chunks_of("never.md") == []
    found = leaves(chunks)
    assert len(found) > 1
    assert [chunk for leaf in found for chunk in leaf.chunks] == chunks
    assert [chunks[leaf.first - 1] for leaf in found] == [leaf.chunks[0] for leaf in found]
    assert leaf_of(found, chunks[-1].id) == found[-1]
    assert leaf_of(found, -1) is None


def test_what_two_chunks_share_is_shown_once_and_marked() -> None:
    shown = _rows_html("one two three four", [Row(0, 7, "1"), Row(4, 13, "2"), Row(14, 18, "3")])
    assert shown.count("two") == 1
    assert ">two</span></section>" in shown
    assert "</small> three" in shown or "</small>three" in shown


def test_preview_shows_cuts_of_the_chosen_file(library: Library, embedder: Embedder, tmp_path: Path) -> None:
    (tmp_path / "book.md").write_text(BOOK)
    cutting = Cutting(lambda: embedder)
    shown = cutting.preview([str(tmp_path / "book.md")], 60, 20)
    assert 'class="both"' in shown
    assert "the embedder reads 256" in shown
    assert EVIL not in shown
    for files, size, overlap, reason in (
        (None, 60, 0, "No file is chosen"),
        ([str(tmp_path / "book.md")], 9999, 0, "give 16 to 256"),
        ([str(tmp_path / "book.md")], "many", 0, "are no sizes"),
        ([str(tmp_path / "book.md")], float("inf"), 0, "are no sizes"),
        ([str(tmp_path / "none.md")], 60, 0, "cannot be read"),
    ):
        with pytest.raises(gr.Error, match=reason):
            cutting.preview(files, size, overlap)


def test_words_of_the_question_are_found_by_their_stems() -> None:
    text = "The warranties: a Warranty lasts <b>two</b> years; it is long."
    assert [text[start:end] for start, end in marks(text, "How long is the warranty?")] == [
        "warranties",
        "Warranty",
        "long",
    ]
    assert list(marks(text, "is it the?")) == []


def test_an_index_is_made_and_cut_anew_as_the_page_says(library: Library) -> None:
    page = DocumentsPage(library, editable=True)
    page.create("sized", 60, 20)
    finish(library.add("sized", [("book.md", BOOK.encode())]))
    assert "chunks of 60 tokens, 20 of them repeated" in page.view("sized")[2]
    before = library.open("sized").documents()[0].chunks
    page.recut("sized", 120, 0)
    assert library.adding
    finish(library.adding)
    assert library.open("sized").documents()[0].chunks < before
    assert "chunks of 120 tokens" in page.view("sized")[2]
    for size in (8, 9999, "many"):
        with pytest.raises(gr.Error):
            page.recut("sized", size, 0)
        with pytest.raises(gr.Error):
            page.create("other", size, 0)
