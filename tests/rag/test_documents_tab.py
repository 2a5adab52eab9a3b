"""The page's handlers, called as anyone could call them; the page itself is looked at in tests/browser."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from rag.documents_tab import DocumentsPage
from rag.documents_view import LISTED, adding_html, found_html
from rag.embedder import Embedder
from rag.errors import InputError
from rag.hits import Found, Hit
from rag.library import Adding, Library

from .conftest import HOURS
from .test_library import finish

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def page(tmp_path: Path, embedder: Embedder) -> DocumentsPage:
    page = DocumentsPage(Library(tmp_path / "indexes", lambda: embedder), editable=True)
    finish(page.library.add("shop", [("hours.md", HOURS.encode()), ("evil.md", f"Stripes {EVIL}".encode())]))
    return page


def test_view_shows_the_index_and_skips_what_is_unchanged(page: DocumentsPage) -> None:
    key, index, state, progress, listing, document = page.view("shop")
    assert index["choices"] == [("shop", "shop")] or index["choices"] == ["shop"]
    assert "**2 documents**" in state
    assert "2 of 2 files into shop: 2 added" in progress
    assert listing.index("evil.md") < listing.index("hours.md")
    assert len(document["choices"]) == 2
    assert page.view("shop", key)[2] == gr.skip()
    page.delete("shop", "hours.md")
    assert "**1 document**" in page.view("shop", key)[2]


def test_view_without_an_index_or_embedder_says_so(tmp_path: Path, page: DocumentsPage) -> None:
    def loading() -> Embedder:
        raise InputError("The models are still loading; try again in a moment.")

    assert "No index yet" in DocumentsPage(Library(tmp_path / "none", loading), True).view(None)[2]
    assert "still loading" in DocumentsPage(Library(page.library.folder, loading), True).view("shop")[2]


@pytest.mark.parametrize("name", ["../shop", "", None, 5.5, ["shop"]])
@pytest.mark.parametrize("handler", ["search", "delete", "create"])
def test_handlers_refuse_what_is_no_index(page: DocumentsPage, handler: str, name: Any) -> None:
    arguments = {"search": (name, "q", "Both", 5), "delete": (name, "hours.md"), "create": (name,)}[handler]
    with pytest.raises(gr.Error):
        getattr(page, handler)(*arguments)


@pytest.mark.parametrize(("question", "k"), [("", 5), (None, 5), ("q", None), ("q", "many")])
def test_search_refuses_what_is_no_question(page: DocumentsPage, question: Any, k: Any) -> None:
    with pytest.raises(gr.Error):
        page.search("shop", question, "Both", k)


def test_words_of_documents_are_never_markup(page: DocumentsPage) -> None:
    found, places = page.search("shop", "stripes", "By words", 10**9)
    assert len(places["choices"]) == 1
    assert EVIL not in found
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in found
    assert "<mark>Stripes</mark>" in found
    assert "BM25" in found
    assert "1 passage in" in found
    hit = Hit(EVIL, 1, EVIL, 0.5, 0.5, 3, 0, 5, EVIL, same=(EVIL,))
    assert "<script" not in found_html(Found([hit], 0.1), f"alert {EVIL}", str)
    adding = Adding("shop", 1, [(EVIL, "failed", f"{EVIL} is bad")], error=EVIL)
    assert "<script" not in adding_html(adding)


def test_a_long_run_lists_failures_first_and_counts_the_rest() -> None:
    outcomes = [(f"{n}.txt", "added", "") for n in range(LISTED)] + [("bad.txt", "failed", "bad.txt is empty.")]
    shown = adding_html(Adding("shop", 500, outcomes))
    assert "201 of 500 files" in shown
    assert "<progress" in shown
    assert shown.index("bad.txt") < shown.index("0.txt")
    assert "and 1 more" in shown


def test_asking_comes_before_deleting(page: DocumentsPage) -> None:
    choices = page.view("shop")[5]["choices"]
    doomed, question, _ = page.ask("shop", dict(choices)["hours.md"])
    assert doomed == "hours.md"
    assert "hours.md" in question
    with pytest.raises(gr.Error, match="No document is chosen"):
        page.ask("shop", None)
    with pytest.raises(gr.Error, match="no longer"):
        page.ask("shop", f"{'0' * 64} 0")
    with pytest.raises(gr.Error, match="holds no document"):
        page.delete("shop", "never.md")


WIRED = """
import sys
from pathlib import Path
import gradio as gr
from rag.documents_tab import documents_tab
with gr.Blocks(analytics_enabled=False) as demo:
    documents_tab(Path(sys.argv[1]), lambda: None, editable=sys.argv[2] == "True")
assert "torch" not in sys.modules, "the page must not wait for torch"
print(*{function.name for function in demo.fns.values()})
"""


def test_a_public_page_has_no_handler_that_changes_anything(tmp_path: Path) -> None:
    """Hiding a button is not enough: every wired handler can be called by its number.

    In a process of its own, since gradio leaves event loops and sockets open, which the tests count as failures.
    """
    wired = {
        editable: set(
            subprocess.check_output([sys.executable, "-c", WIRED, tmp_path, str(editable)], text=True).split()
        )
        for editable in (True, False)
    }
    assert {"create", "add", "delete", "search", "view", "open", "find", "preview", "recut"} <= wired[True]
    assert {"search", "view", "open", "find"} <= wired[False]
    assert not {"create", "add", "delete", "ask", "preview", "recut"} & wired[False]


def test_a_public_page_does_not_tell_where_files_lie(page: DocumentsPage) -> None:
    page.library.open("shop").add(
        [
            ("/home/me/private/plan.txt", b"A plan about parking."),
            ("/home/me/private/twin.txt", b"A plan about parking."),
        ]
    )
    public = DocumentsPage(page.library, editable=False)
    assert "/home/me" not in str(public.search("shop", "parking", "By words", 3))
    *_, listing, choices = public.view("shop")
    assert "/home/me" not in str(choices)
    assert "plan.txt" in listing
    assert "the same as twin.txt" in listing
    assert "/home/me" not in listing
