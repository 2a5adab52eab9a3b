"""The page's handlers, called as anyone could call them; the page itself is looked at in tests/browser."""

import subprocess
import sys
from dataclasses import astuple
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from rag.chunking import Chunking
from rag.deleting_tab import Deleting
from rag.documents_tab import DocumentsPage, Refreshing
from rag.documents_view import LISTED, adding_html, found_html
from rag.embedder import Embedder
from rag.errors import InputError
from rag.hits import Found, Hit
from rag.index import Index
from rag.labels import Filter
from rag.library import Adding, Library
from rag.search_tab import Searching, Typed
from rag.sync_tab import Syncing
from rag.tags_tab import Tagging

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
    Deleting(page.library).delete(["shop", "hours.md"])
    assert "**1 document**" in page.view("shop", key)[2]


def test_view_without_an_index_or_embedder_says_so(tmp_path: Path, page: DocumentsPage) -> None:
    def loading() -> Embedder:
        raise InputError("The models are still loading; try again in a moment.")

    assert "No index yet" in DocumentsPage(Library(tmp_path / "none", loading), True).view(None)[2]
    assert "still loading" in DocumentsPage(Library(page.library.folder, loading), True).view("shop")[2]


def asked(question: str, mode: str = "Both", **more: Any) -> tuple[Any, ...]:
    """What the components of a search in the index `shop` hold."""
    return astuple(Typed("shop", question, mode, 5, **more))


@pytest.mark.parametrize("name", ["../shop", "", None, 5.5, ["shop"]])
@pytest.mark.parametrize("handler", ["search", "delete", "drop", "ask_index", "create", "save", "unfollow"])
def test_handlers_refuse_what_is_no_index(page: DocumentsPage, handler: str, name: Any) -> None:
    call = {
        "search": lambda: Searching(page.library, True).search(name, "q", "Both", 5),
        "delete": lambda: Deleting(page.library).delete([name, "hours.md"]),
        "drop": lambda: Deleting(page.library).drop(name),
        "ask_index": lambda: Deleting(page.library).ask_index(name),
        "create": lambda: page.create(name),
        "save": lambda: Tagging(page.library).save(name, "a 0", "tag"),
        "unfollow": lambda: Syncing(page.library).unfollow(name, "/nowhere"),
    }[handler]
    with pytest.raises(gr.Error):
        call()


@pytest.mark.parametrize(("question", "k"), [("", 5), (None, 5), ("q", None), ("q", "many")])
def test_search_refuses_what_is_no_question(page: DocumentsPage, question: Any, k: Any) -> None:
    with pytest.raises(gr.Error):
        Searching(page.library, True).search("shop", question, "Both", k)


def test_words_of_documents_are_never_markup(page: DocumentsPage) -> None:
    found = Searching(page.library, True).search("shop", "stripes", "By words", 10**9)
    assert found.count("data-place=") == 1
    assert EVIL not in found
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in found
    assert "<mark>Stripes</mark>" in found
    assert "BM25" in found
    assert "1 passage in" in found
    hit = Hit(EVIL, 1, EVIL, 0.5, 0.5, 3, 0, 5, EVIL, same=(EVIL,))
    assert "<script" not in found_html(Found([hit], 0.1), f"alert {EVIL}", str, [EVIL])
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
    deleting = Deleting(page.library)
    doomed, question, _ = deleting.ask("shop", dict(choices)["hours.md"])
    assert doomed == ["shop", "hours.md"]
    assert "hours.md" in question
    with pytest.raises(gr.Error, match="No document is chosen"):
        deleting.ask("shop", None)
    with pytest.raises(gr.Error, match="no longer"):
        deleting.ask("shop", f"{'0' * 64} 0")
    with pytest.raises(gr.Error, match="holds no document"):
        deleting.delete(["shop", "never.md"])
    with pytest.raises(gr.Error, match="is no name"):
        deleting.delete(None)


def test_an_index_is_deleted_after_a_question_that_says_what_goes(page: DocumentsPage, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("A note.")
    finish(page.library.sync("shop", tmp_path / "notes"))
    deleting = Deleting(page.library)
    doomed, question, _ = deleting.ask_index("shop")
    assert "'shop' (3 documents," in question
    assert f"It follows {tmp_path / 'notes'} no longer" in question
    deleting.drop(doomed)
    assert page.library.names() == []
    assert (tmp_path / "notes" / "a.txt").exists()
    assert "No index yet" in page.view("shop")[2]


def test_the_state_says_how_the_index_was_made_and_whether_its_caches_follow(page: DocumentsPage) -> None:
    key, _, state, *_ = page.view("shop")
    assert "Embedder `" in state
    assert "chunks of 200 tokens" in state
    assert "Generation 2" in state
    assert "caches to be built for 2 chunks by the next search" in state
    page.library.open("shop").search("hours")
    assert "caches up to date" in page.view("shop", key)[2]
    (damaged,) = page.library.open("shop").folder.glob("words-*.safetensors")
    damaged.write_bytes(b"cut short")
    assert "built for 2 chunks" in page.view("shop")[2]


def test_an_index_cut_as_earlier_is_said_to_be_until_it_is_cut_anew(page: DocumentsPage, embedder: Embedder) -> None:
    Index(page.library.folder / "old", embedder, Chunking(even=False)).add([("hours.md", HOURS.encode())])
    assert "chunks of 200 tokens, cut as earlier versions did" in page.view("old")[2]
    page.recut("old", 200, 0)
    assert page.library.adding
    finish(page.library.adding)
    state = page.view("old")[2]
    assert "chunks of 200 tokens" in state
    assert "earlier versions" not in state


def test_tags_are_put_on_and_taken_off_and_filter_a_search(page: DocumentsPage) -> None:
    tagging, searching = Tagging(page.library), Searching(page.library, True)
    hours = dict(page.view("shop")[5]["choices"])["hours.md"]
    assert tagging.tags("shop", hours) == ""
    assert tagging.save("shop", hours, "Opening,  2026 ,") == "2026, opening"
    assert tagging.save("shop", hours, "opening, new") == "new, opening"
    assert tagging.tags("shop", hours) == "new, opening"
    assert "#new · #opening" in page.view("shop")[4]
    assert page.view("shop", None, hours)[5]["value"] == hours, "saving its tags must not close the document"
    documents, folder, tags = searching.offer("shop", [hours, "gone 0"], "/gone", ["new", "gone"])
    assert documents["value"] == [hours]
    assert folder["value"] is None
    assert tags["choices"] == [("new (1)", "new"), ("opening (1)", "opening")]
    assert tags["value"] == ["new"]
    found = searching.search(*asked("stripes", "By meaning", tags=["new"]))
    assert "hours.md" in found
    assert "evil.md" not in found
    assert "hours.md" not in searching.search(*asked("shop", "By meaning", until="2001-01-01"))
    assert "evil.md" not in searching.search(*asked("stripes", "By meaning", documents=[hours]))
    for since in ("soon", "2026-02-30"):
        with pytest.raises(gr.Error, match="is no day; write it as"):
            searching.search(*asked("shop", since=since))
    with pytest.raises(gr.Error, match="is no tag"):
        tagging.save("shop", hours, "x" * 65)
    with pytest.raises(gr.Error, match="No document is chosen"):
        tagging.save("shop", None, "new")


def test_the_filters_follow_the_index(page: DocumentsPage) -> None:
    refreshing = Refreshing(page, Searching(page.library, True))
    key, *_, documents, folder, tags = refreshing.refresh("gone")
    assert [name for name, _ in documents["choices"]] == ["evil.md", "hours.md"]
    assert (folder["choices"], tags["choices"]) == ([], [])
    assert refreshing.refresh("shop", key, None, [], None, []) == [gr.skip()] * 9
    page.library.open("shop").tag("hours.md", ["new"])
    assert refreshing.refresh("shop", key)[-1]["choices"] == [("new (1)", "new")]


def test_files_are_added_with_their_tags(page: DocumentsPage, tmp_path: Path) -> None:
    (tmp_path / "new.txt").write_text("What is new.")
    page.add("shop", [tmp_path / "new.txt"], "2026, News")
    assert page.library.adding
    finish(page.library.adding)
    assert [document.name for document in page.library.open("shop").documents(Filter(tags=("news",)))] == ["new.txt"]
    with pytest.raises(gr.Error, match="is no tag"):
        page.add("shop", [tmp_path / "new.txt"], "x" * 65)


def test_a_folder_is_followed_with_a_report_by_file(page: DocumentsPage, tmp_path: Path) -> None:
    syncing, notes = Syncing(page.library), tmp_path / "notes"
    notes.mkdir()
    for name in ("a.txt", "b.txt", "bad.txt"):
        (notes / name).write_text(f"What {name} says." if name != "bad.txt" else "")
    syncing.sync("shop", str(notes))
    assert page.library.adding
    finish(page.library.adding)
    (notes / "a.txt").write_text("Changed.")
    (notes / "b.txt").unlink()
    (notes / "c.txt").write_text("New.")
    syncing.sync("shop", f" {notes}/ ")
    finish(page.library.adding)
    _, _, state, report, listing, _ = page.view("shop")
    assert f"4 of 4 files of {notes} into shop: 1 added, 1 updated, 1 removed, 1 failed" in report
    assert "<b>bad.txt</b>" in report, "named below the folder, which stands above"
    assert "is empty" in report
    assert f"Follows `{notes}`" in state
    assert str(notes / "c.txt") in listing
    assert Searching(page.library, True).offer("shop", None, None, None)[1]["choices"] == [str(notes)]
    found = Searching(page.library, True).search(*asked("shop", "By meaning", folder=str(notes)))
    assert "hours.md" not in found
    assert "c.txt" in found
    for path in notes.iterdir():
        path.unlink()
    syncing.sync("shop", str(notes))
    finish(page.library.adding)
    assert "tick “Even if none of its files is left”" in page.view("shop")[3]
    syncing.sync("shop", str(notes), True)
    finish(page.library.adding)
    assert "removed" in page.view("shop")[3]
    assert "followed no longer" in syncing.unfollow("shop", str(notes))
    with pytest.raises(gr.Error, match="does not follow"):
        syncing.unfollow("shop", str(notes))


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("", "no whole path"),
        (None, "no whole path"),
        ("notes", "no whole path"),
        ("../notes", "no whole path"),
        ("/tmp/\0", "no whole path"),
        ("/", "the whole machine"),
        ("/tmp/..", "the whole machine"),
        ("~nobody-of-that-name/x", "unknown user"),
        ("/no/such/folder", "is no folder"),
    ],
)
def test_what_is_no_folder_is_refused_and_makes_no_index(page: DocumentsPage, folder: Any, reason: str) -> None:
    with pytest.raises(gr.Error, match=reason):
        Syncing(page.library).sync("other", folder)
    assert page.library.names() == ["shop"]


WIRED = """
import sys
from pathlib import Path
import gradio as gr
from rag.documents_tab import documents_tab
with gr.Blocks(analytics_enabled=False) as demo:
    documents_tab(Path(sys.argv[1]), lambda: None, editable=sys.argv[2] == "True", folders=sys.argv[3] == "True")
assert "torch" not in sys.modules, "the page must not wait for torch"
print(*{function.name for function in demo.fns.values()})
"""


def test_a_public_page_has_no_handler_that_changes_anything(tmp_path: Path) -> None:
    """Hiding a button is not enough: every wired handler can be called by its number.

    In a process of its own, since gradio leaves event loops and sockets open, which the tests count as failures.
    """
    wired = {
        (editable, home): set(
            subprocess.check_output(
                [sys.executable, "-c", WIRED, tmp_path, str(editable), str(home)], text=True
            ).split()
        )
        for editable, home in ((True, True), (True, False), (False, True))
    }
    read = {"search", "refresh", "open", "pick"}
    change = {"create", "add", "preview", "recut", "ask", "delete", "ask_index", "drop", "save", "tags"}
    of_the_host = {"sync", "unfollow"}
    assert read | change | of_the_host <= wired[True, True]
    assert read | change <= wired[True, False]
    assert not of_the_host & wired[True, False], "visitors from elsewhere name no folder of this machine"
    assert read <= wired[False, True]
    assert not (change | of_the_host) & wired[False, True]


def test_rerankers_and_folders_of_the_host_are_out_of_reach_for_visitors(page: DocumentsPage, tmp_path: Path) -> None:
    public = Searching(page.library, editable=False)
    assert "hours.md" in public.search(*asked("opens", folder="/home", model="/etc"))
    assert public.offer("shop", None, None, None)[1]["choices"] == []
    with pytest.raises(gr.Error, match="No reranker '/no/such'"):
        Searching(page.library, True, reranking=True).search(*asked("hours", model="/no/such"))


def test_a_reranker_reads_the_passages_and_its_time_is_shown(
    page: DocumentsPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    import rag.rerank

    class Backwards:
        num_labels, loads = 1, 0

        def predict(self, inputs: list[tuple[str, str]]) -> Any:
            return [float("nine" not in passage) for _, passage in inputs]

    def load(name: str) -> Backwards:
        Backwards.loads += 1
        return Backwards()

    monkeypatch.setattr(rag.rerank, "_load", load)
    searching = Searching(page.library, True, reranking=True)
    for _ in range(2):
        found = searching.search(*asked("When does the shop open at nine?", model="my/model"))
    assert "of them to rerank 2" in found
    assert found.index("evil.md") < found.index("hours.md")
    assert Backwards.loads == 1, "the last reranker stays loaded"


def test_a_public_page_does_not_tell_where_files_lie(page: DocumentsPage) -> None:
    page.library.open("shop").add(
        [
            ("/home/me/private/plan.txt", b"A plan about parking."),
            ("/home/me/private/twin.txt", b"A plan about parking."),
        ]
    )
    public = DocumentsPage(page.library, editable=False)
    assert "/home/me" not in str(Searching(page.library, False).search("shop", "parking", "By words", 3))
    *_, listing, choices = public.view("shop")
    assert "/home/me" not in str(choices)
    assert "plan.txt" in listing
    assert "the same as twin.txt" in listing
    assert "/home/me" not in listing
