"""The page where one fills an index with documents, sees what it holds, and tries a search."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import gradio as gr

from .cachefiles import files
from .choices import LENIENT, choices
from .chunking import SIZE
from .cuts_tab import Cutting, chunking_of, cutting_parts
from .cuts_view import STYLE as CUTS_STYLE
from .deleting_tab import Deleting, asking
from .documents_view import STYLE, adding_html, documents_html, state_text
from .errors import InputError
from .floor_tab import floor_part
from .inspect_tab import Inspector, inspect_parts
from .library import Library
from .mediatypes import EXTENSIONS
from .search_tab import Searching, search_parts
from .sync_tab import sync_parts
from .tags_tab import tags_parts, typed

if TYPE_CHECKING:
    from .embedder import Embedder
    from .snapshot import StoredDocument

FILE_TYPES = [extension for extension in EXTENSIONS if extension]


@dataclass(frozen=True)
class DocumentsPage:
    """The handlers. Anyone can call them with anything, so each checks its input and speaks through gr.Error."""

    library: Library
    editable: bool

    def view(self, name: Any, seen: Any = None, choice: Any = None) -> list[Any]:
        """Everything that shows the index's state, or no change where `seen` is still true."""
        names = self.library.names()
        asked, name = name, name if name in names else next(iter(names), None)
        now = self._key(name, names)
        if now == seen:
            return [gr.skip() for _ in range(6)]
        held: list[StoredDocument] = []
        state = "No index yet: give it a name above." if self.editable else "No index yet."
        if name:
            try:
                index = self.library.open(name)
                held = index.documents()
                state = state_text(index, held, folders=self.editable)
            except InputError as error:
                state = str(error)
        documents = choices(held, self._shown)
        return [
            now,
            # An answer that comes late must not undo the choice that was made meanwhile.
            gr.update(choices=names) if name == asked else gr.update(choices=names, value=name),
            state,
            adding_html(self.library.adding),
            documents_html(held, self._shown),
            gr.update(choices=documents, value=choice if choice in [value for _, value in documents] else None),
        ]

    def create(self, name: Any, size: Any = SIZE, overlap: Any = 0) -> Any:
        """Make an empty index whose documents will be cut so, and choose it."""
        wanted = str(name or "").strip()
        try:
            self.library.open(wanted, make=True, chunking=chunking_of(size, overlap))
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return gr.update(choices=self.library.names(), value=wanted)

    def add(self, name: Any, files: Any, tags: Any = "") -> None:
        """Start to add the uploaded files; the clock of the page shows how far it is."""
        paths = [Path(str(file)) for file in files or []]
        try:
            self.library.add(str(name or "").strip() or "default", [(path.name, path) for path in paths], typed(tags))
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def recut(self, name: Any, size: Any, overlap: Any) -> None:
        """Start to cut and embed anew what the index holds; the clock of the page shows how far it is."""
        try:
            self.library.reembed(str(name or ""), chunking_of(size, overlap))
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def _key(self, name: str | None, names: list[str]) -> list[Any]:
        """What the page shows follows from this: an equal key needs no redraw."""
        adding = self.library.adding
        progress = [adding.index, len(adding.outcomes), adding.finished, id(adding)] if adding else []
        try:
            index = self.library.open(name) if name else None
            state: object = (index.changes, files(index.folder)) if index else ""
        except InputError as error:
            state = str(error)
        return [name, names, state, progress]

    def _shown(self, document: str) -> str:
        """Visitors of a public app are not told where the files of its host lie."""
        return document if self.editable else PurePath(document).name


@dataclass(frozen=True)
class Refreshing:
    """The page and the filters of its search in one: both follow from what the index holds."""

    page: DocumentsPage
    searching: Searching

    def refresh(self, name: Any, seen: Any = None, choice: Any = None, *filters: Any) -> list[Any]:
        """Everything that shows the index's state, or no change where `seen` is still true."""
        shown = self.page.view(name, seen, choice)
        if shown[2] == gr.skip():
            return [*shown, gr.skip(), gr.skip(), gr.skip()]
        return [*shown, *self.searching.offer(shown[0][0], *filters)]


def documents_tab(
    indexes: Path, embedder: "Callable[[], Embedder]", editable: bool = True, folders: bool = True
) -> None:
    """Build the page inside a gradio page context.

    `indexes` is the folder of all indexes. `embedder` raises InputError while it loads or if it failed. Without
    `editable` nothing can be added or deleted, not even by calling the handlers. Without `folders` no visitor can
    have files of this machine read by naming them: visitors from elsewhere are not its owner.
    """
    page = DocumentsPage(Library(indexes, embedder), editable)
    searching = Searching(page.library, editable, reranking=editable and folders)
    gr.HTML(STYLE + CUTS_STYLE, padding=False)
    gr.Markdown("# Documents\nWhat the answers with documents are drawn from.")
    seen = gr.State(None)
    with gr.Row(equal_height=True):
        index = gr.Dropdown(label="Index", choices=page.library.names(), interactive=True, scale=2, **LENIENT)
        drop = gr.Button("Delete the index", scale=1, min_width=140, visible=editable)
    asked_index = gr.Column(visible=editable)
    state = gr.Markdown(elem_id="index-state")
    if editable:
        _filling_parts(page, index, folders)
    else:
        gr.Markdown("*This is a public demo: to add or delete documents, run Fourfold on a machine of your own.*")
    progress = gr.HTML(padding=False)
    passages, filters = search_parts(searching, index)
    gr.Markdown("## What the index holds")
    listing = gr.HTML(padding=False)
    with gr.Row(equal_height=True):
        document = gr.Dropdown(label="Look into a document", choices=[], interactive=True, scale=4, **LENIENT)
        delete = gr.Button("Delete it", scale=1, min_width=100, visible=editable)
    shown = [seen, index, state, progress, listing, document, *filters]
    refresh = Refreshing(page, searching).refresh
    if editable:
        deleting = Deleting(page.library)
        asking(delete, deleting.ask, [index, document], deleting.delete, refresh, index, shown)
        with asked_index:
            asking(drop, deleting.ask_index, [index], deleting.drop, refresh, index, shown)
        tags_parts(page.library, index, document)
    inspect_parts(Inspector(page.library), index, document, passages)
    floor_part(page.library, index, editable)

    clock = gr.Timer(1)
    quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    clock.tick(refresh, [index, seen, document, *filters], shown, **quiet)
    index.input(refresh, [index], shown, **quiet)


def _filling_parts(page: DocumentsPage, index: gr.Dropdown, folders: bool) -> None:
    """Build what makes and fills an index; the clock of the page shows what came of it."""
    with gr.Row(equal_height=True):
        fresh = gr.Textbox(label="New index", placeholder="my-index", max_length=64, scale=2)
        make = gr.Button("Create", scale=1, min_width=140)
    upload = gr.File(
        label="PDF, Word, PowerPoint, Excel, CSV, e-mail, EPUB, HTML, Markdown or text files, or zips of them",
        file_count="multiple",
        file_types=[*FILE_TYPES],
    )
    with gr.Row(equal_height=True):
        tags = gr.Textbox(label="Tags for them (optional)", placeholder="2026, draft", max_length=1000, scale=2)
        start = gr.Button("Add to the index", variant="primary", scale=1, min_width=140)
    if folders:
        sync_parts(page.library, index)
    with gr.Accordion("How documents are cut", open=False):
        size, overlap, recut = cutting_parts(Cutting(page.library.embedder), upload)
    made = gr.on([make.click, fresh.submit], page.create, [fresh, size, overlap], index, api_visibility="private")
    made.success(lambda: "", None, fresh, show_progress="hidden", api_visibility="private")
    begun = start.click(page.add, [index, upload, tags], None, api_visibility="private")
    begun.success(lambda: (None, ""), None, [upload, tags], show_progress="hidden", api_visibility="private")
    recut.click(page.recut, [index, size, overlap], None, api_visibility="private")
