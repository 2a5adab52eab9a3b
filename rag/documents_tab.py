"""The page where one fills an index with documents, sees what it holds, and tries a search."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import gradio as gr

from .chunking import SIZE
from .cuts_tab import Cutting, chunking_of, cutting_parts
from .cuts_view import STYLE as CUTS_STYLE
from .documents_view import STYLE, adding_html, documents_html, found_html, state_text
from .errors import InputError
from .floor_tab import floor_part
from .inspect_tab import Inspector, inspect_parts
from .library import Library
from .mediatypes import EXTENSIONS

if TYPE_CHECKING:
    from .embedder import Embedder
    from .snapshot import StoredDocument

FILE_TYPES = [extension for extension in EXTENSIONS if extension]
MODES = {"By meaning": "dense", "By words": "bm25", "Both": "hybrid"}
MOST = 20  # passages of one search


@dataclass(frozen=True)
class DocumentsPage:
    """The handlers. Anyone can call them with anything, so each checks its input and speaks through gr.Error."""

    library: Library
    editable: bool

    def view(self, name: Any, seen: Any = None) -> list[Any]:
        """Everything that shows the index's state, or no change where `seen` is still true."""
        names = self.library.names()
        name = name if name in names else next(iter(names), None)
        now = self._key(name, names)
        if now == seen:
            return [gr.skip() for _ in range(6)]
        held: list[StoredDocument] = []
        state = "No index yet: give it a name above." if self.editable else "No index yet."
        if name:
            try:
                index = self.library.open(name)
                held = index.documents()
                state = state_text(index, held)
            except InputError as error:
                state = str(error)
        choices = [
            (self._shown(each), f"{document.sha256} {place}")  # not by name: that tells where the host's files lie
            for document in held
            for place, each in enumerate(document.names)
        ]
        return [
            now,
            gr.update(choices=names, value=name),
            state,
            adding_html(self.library.adding),
            documents_html(held, self._shown),
            gr.update(choices=choices, value=None),
        ]

    def create(self, name: Any, size: Any = SIZE, overlap: Any = 0) -> Any:
        """Make an empty index whose documents will be cut so, and choose it."""
        wanted = str(name or "").strip()
        try:
            self.library.open(wanted, make=True, chunking=chunking_of(size, overlap))
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return gr.update(choices=self.library.names(), value=wanted)

    def add(self, name: Any, files: Any) -> None:
        """Start to add the uploaded files; the clock of the page shows how far it is."""
        paths = [Path(str(file)) for file in files or []]
        try:
            self.library.add(str(name or "").strip() or "default", [(path.name, path) for path in paths])
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def recut(self, name: Any, size: Any, overlap: Any) -> None:
        """Start to cut and embed anew what the index holds; the clock of the page shows how far it is."""
        try:
            self.library.reembed(str(name or ""), chunking_of(size, overlap))
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def ask(self, name: Any, choice: Any) -> list[Any]:
        """Ask before deleting."""
        if not choice:
            raise gr.Error("No document is chosen; choose the one to delete.", print_exception=False)
        sha256, _, place = str(choice).partition(" ")
        try:
            held = self.library.open(str(name or "")).documents()
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error
        names = next((document.names for document in held if document.sha256 == sha256), ())
        if not place.isdecimal() or int(place) >= len(names):
            raise gr.Error("The index holds this document no longer; choose another.", print_exception=False)
        document = names[int(place)]
        question = f"Delete {document!r}? Its passages are gone from every answer at once."
        return [document, question, gr.update(visible=True)]

    def delete(self, name: Any, document: Any) -> Any:
        """Delete after the question."""
        try:
            self.library.open(str(name or "")).remove(str(document or ""))
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return gr.update(visible=False)

    def search(self, name: Any, question: Any, mode: Any, k: Any, diverse: Any = False) -> list[Any]:
        """The passages that a question finds, and the choice of one to be shown in its document."""
        try:
            number = min(max(int(k), 1), MOST)
            index = self.library.open(str(name or ""))  # imports what the next line would
            from .refining import Refining

            words, how = str(question or "")[:2000], MODES.get(str(mode), "hybrid")
            found = index.find(words, number, how, refining=Refining(diverse=bool(diverse)))
            with index.store.snapshot() as snapshot:
                hashes = [snapshot.content_of(hit.document) or "" for hit in found.hits]
        except (InputError, TypeError, ValueError) as error:
            raise gr.Error(str(error), print_exception=False) from error
        places = [
            (f"[{rank}] {PurePath(hit.document).name}", f"{sha256} {hit.chunk}")
            for rank, (hit, sha256) in enumerate(zip(found.hits, hashes, strict=True), 1)
        ]
        return [found_html(found, words, self._shown), gr.update(choices=places, value=None, visible=bool(places))]

    def _key(self, name: str | None, names: list[str]) -> list[Any]:
        """What the page shows follows from this: an equal key needs no redraw."""
        adding = self.library.adding
        progress = [adding.index, len(adding.outcomes), adding.finished, id(adding)] if adding else []
        try:
            state: object = self.library.open(name).changes if name else ""
        except InputError as error:
            state = str(error)
        return [name, names, state, progress]

    def _shown(self, document: str) -> str:
        """Visitors of a public app are not told where the files of its host lie."""
        return document if self.editable else PurePath(document).name


def documents_tab(indexes: Path, embedder: "Callable[[], Embedder]", editable: bool = True) -> None:
    """Build the page inside a gradio page context.

    `indexes` is the folder of all indexes. `embedder` raises InputError while it loads or if it failed. Without
    `editable` nothing can be added or deleted, not even by calling the handlers.
    """
    page = DocumentsPage(Library(indexes, embedder), editable)
    gr.HTML(STYLE + CUTS_STYLE, padding=False)
    gr.Markdown("# Documents\nWhat the answers with documents are drawn from.")
    seen = gr.State(None)
    with gr.Row():
        index = gr.Dropdown(label="Index", choices=page.library.names(), interactive=True, scale=2)
        if editable:
            fresh = gr.Textbox(label="New index", placeholder="my-index", max_length=64, scale=2)
            make = gr.Button("Create", scale=1, min_width=100)
    state = gr.Markdown()
    if editable:
        upload = gr.File(
            label="PDF, Word, PowerPoint, Excel, CSV, e-mail, EPUB, HTML, Markdown or text files, or zips of them",
            file_count="multiple",
            file_types=[*FILE_TYPES],
        )
        with gr.Accordion("How documents are cut", open=False):
            size, overlap, recut = cutting_parts(Cutting(embedder), upload)
        start = gr.Button("Add to the index", variant="primary")
    else:
        gr.Markdown("*This is a public demo: to add or delete documents, run Fourfold on a machine of your own.*")
    progress = gr.HTML(padding=False)
    places = _search_parts(page, index)
    gr.Markdown("## What the index holds")
    listing = gr.HTML(padding=False)
    with gr.Row(equal_height=True):
        document = gr.Dropdown(label="Look into a document", choices=[], interactive=True, scale=4)
        if editable:
            delete = gr.Button("Delete it", scale=1, min_width=100)
    asking = _question() if editable else None
    inspect_parts(Inspector(page.library), index, document, places)
    shown = [seen, index, state, progress, listing, document]
    floor_part(page.library, index, editable)

    clock = gr.Timer(1)
    clock.tick(page.view, [index, seen], shown, queue=False, show_progress="hidden", api_visibility="private")
    index.input(page.view, [index], shown, queue=False, show_progress="hidden", api_visibility="private")
    if asking:
        made = gr.on([make.click, fresh.submit], page.create, [fresh, size, overlap], index, api_visibility="private")
        made.success(page.view, [index], shown, show_progress="hidden", api_visibility="private")
        made.success(lambda: "", None, fresh, show_progress="hidden", api_visibility="private")
        begun = start.click(page.add, [index, upload], None, api_visibility="private")
        begun.success(lambda: None, None, upload, show_progress="hidden", api_visibility="private")
        recut.click(page.recut, [index, size, overlap], None, api_visibility="private")
        asking.wire(page, index, document, delete, shown)


def _search_parts(page: DocumentsPage, index: gr.Dropdown) -> gr.Radio:
    """Build the search; the choice among the passages that were found."""
    gr.Markdown("## Try a search")
    question = gr.Textbox(label="Question", placeholder="What would you ask these documents?", max_length=2000)
    with gr.Row():
        mode = gr.Radio(list(MODES), value="Both", label="Search", scale=2)
        k = gr.Slider(1, MOST, 5, step=1, label="Passages", scale=2)
        diverse = gr.Checkbox(False, label="Variety", info="prefer what was not said yet", min_width=140)
        search = gr.Button("Search", variant="primary", scale=1, min_width=100)
    passages = gr.HTML(padding=False)
    places = gr.Radio([], label="Show in its document, below", visible=False)
    asked, found = [index, question, mode, k, diverse], [passages, places]
    gr.on([search.click, question.submit], page.search, asked, found, api_visibility="private")
    return places


@dataclass(frozen=True)
class _Question:
    """What is asked before a document is deleted, and the buttons that answer."""

    doomed: gr.State
    group: gr.Group
    text: gr.Textbox
    yes: gr.Button
    no: gr.Button

    def wire(
        self, page: DocumentsPage, index: gr.Dropdown, document: gr.Dropdown, delete: gr.Button, shown: list[Any]
    ) -> None:
        """Ask at a click, and do as the answer says."""
        asked = [self.doomed, self.text, self.group]
        delete.click(page.ask, [index, document], asked, api_visibility="private")
        self.no.click(lambda: gr.update(visible=False), None, self.group, api_visibility="private")
        deleted = self.yes.click(page.delete, [index, self.doomed], self.group, api_visibility="private")
        deleted.success(page.view, [index], shown, show_progress="hidden", api_visibility="private")


def _question() -> _Question:
    doomed = gr.State(None)
    with gr.Group(visible=False) as group:
        text = gr.Textbox(show_label=False, interactive=False, container=False)
        with gr.Row():
            yes = gr.Button("Yes, delete it", variant="stop", min_width=100)
            no = gr.Button("Keep it", min_width=100)
    return _Question(doomed, group, text, yes, no)
