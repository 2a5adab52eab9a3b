"""The part of the Documents page where one tries a search: which method, in which documents, with which reranker."""

import os
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import gradio as gr

from .choices import LENIENT, choices, chosen, folders
from .documents_view import found_html
from .errors import InputError
from .labels import Filter
from .library import Library

if TYPE_CHECKING:
    from .index import Index
    from .refining import Refining
    from .rerank import Reranker

MODES = {"By meaning": "dense", "By words": "bm25", "Both": "hybrid"}
MOST = 20  # passages of one search
PICK = """element.addEventListener('click', (event) => {
  const hit = event.target.closest('[data-place]');
  if (hit && getSelection().isCollapsed) trigger('select', {place: hit.dataset.place});
})"""
"""A click on a hit tells which one it was, unless its words were marked to be copied."""


@dataclass(frozen=True)
class Typed:
    """A search as the page's components hold it, in their order. Nothing is checked yet: it may be anything."""

    name: Any
    question: Any
    mode: Any
    k: Any
    diverse: Any = False
    documents: Any = None
    folder: Any = None
    tags: Any = None
    since: Any = ""
    until: Any = ""
    model: Any = ""
    seconds: Any = 1


@dataclass(frozen=True)
class Searching:
    """The handlers. Anyone can call them with anything, so each checks its input and speaks through gr.Error.

    Without `editable` names are shown without their folders. Rerankers are models that the visitor names, a folder of
    the host perhaps: they are read only with `reranking`.
    """

    library: Library
    editable: bool
    reranking: bool = False
    _loaded: "dict[str, Reranker]" = field(default_factory=dict)

    def search(self, *typed: Any) -> str:
        """The passages that a question finds, as HTML, for the values of a `Typed`."""
        try:
            given = Typed(*typed)
            number = min(max(int(given.k), 1), MOST)
            index = self.library.open(str(given.name or ""))  # imports what refining needs
            words, how = str(given.question or "")[:2000], MODES.get(str(given.mode), "hybrid")
            found = index.find(words, number, how, refining=self._refining(given), where=self._where(index, given))
            with index.store.snapshot() as snapshot:
                places = [f"{snapshot.content_of(hit.document) or ''} {hit.chunk}" for hit in found.hits]
        except (InputError, TypeError, ValueError) as error:
            raise gr.Error(str(error), print_exception=False) from error
        return found_html(found, words, self.shown, places)

    def offer(self, name: Any, documents: Any = None, folder: Any = None, tags: Any = None) -> list[Any]:
        """What the filters can be set to, keeping what they are set to where it is still there."""
        try:
            with self.library.store(str(name or "")).snapshot() as snapshot:
                held, followed, counts = snapshot.documents(), snapshot.folders(), snapshot.tags()
        except InputError:  # the page says so above
            held, followed, counts = [], [], {}
        names = choices(held, self.shown)
        known = {value for _, value in names}
        below = folders(held, followed) if self.editable else []
        return [
            gr.update(choices=names, value=[one for one in documents or [] if one in known]),
            gr.update(choices=below, value=folder if folder in below else None, visible=bool(below)),
            gr.update(
                choices=[(f"{tag} ({count})", tag) for tag, count in counts.items()],
                value=[tag for tag in tags or [] if tag in counts],
            ),
        ]

    def shown(self, document: str) -> str:
        """Visitors of a public app are not told where the files of its host lie."""
        return document if self.editable else PurePath(document).name

    def _where(self, index: "Index", given: "Typed") -> Filter:
        held = index.documents() if given.documents else []
        return Filter(
            tuple(chosen(held, choice).name for choice in given.documents or ()),
            str(given.folder or "") if self.editable else "",  # whether a folder is known tells where files lie
            tuple(map(str, given.tags or ())),
            str(given.since or "").strip(),
            str(given.until or "").strip(),
        )

    def _refining(self, given: "Typed") -> "Refining":
        from .refining import Refining

        wanted = str(given.model or "").strip() if self.reranking else ""
        seconds = float(given.seconds or 0)
        return Refining(diverse=bool(given.diverse), reranker=self._reranker(wanted), seconds=seconds)

    def _reranker(self, name: str) -> "Reranker | None":
        """The reranker of that name; the last one stays loaded, and its loading counts for no latency."""
        from .rerank import Reranker

        if name and name not in self._loaded:
            found = Reranker(name)
            self._loaded.clear()
            self._loaded[name] = found
        return self._loaded[name] if name else None


def search_parts(searching: Searching, index: gr.Dropdown) -> tuple[gr.HTML, list[Any]]:
    """Build the part and wire it.

    Returned are the passages, whose `select` event tells which one was clicked, and the filters that `offer` is for.
    """
    gr.Markdown("## Try a search")
    question = gr.Textbox(label="Question", placeholder="What would you ask these documents?", max_length=2000)
    with gr.Row():
        mode = gr.Radio(list(MODES), value="Both", label="Search", scale=2)
        k = gr.Slider(1, MOST, 5, step=1, label="Passages", scale=2)
        diverse = gr.Checkbox(False, label="Variety", info="prefer what was not said yet", min_width=140)
        search = gr.Button("Search", variant="primary", scale=1, min_width=100)
    filters = _filter_parts()
    reranking = _rerank_parts() if searching.reranking else []
    passages = gr.HTML(padding=False, js_on_load=PICK, apply_default_css=False)
    asked = [index, question, mode, k, diverse, *filters, *reranking]
    gr.on([search.click, question.submit], searching.search, asked, passages, api_visibility="private")
    return passages, filters[:3]


def _filter_parts() -> list[Any]:
    with gr.Accordion("Search only in some documents", open=False):
        with gr.Row():
            documents = gr.Dropdown([], multiselect=True, label="Documents", min_width=220, **LENIENT)
            folder = gr.Dropdown([], label="In the folder", visible=False, min_width=220, **LENIENT)
            tags = gr.Dropdown([], multiselect=True, label="With all of these tags", min_width=220, **LENIENT)
        with gr.Row():
            days = [
                gr.Textbox(label=label, placeholder="2026-01-31", max_length=10, min_width=140)
                for label in ("From the day", "To the day")
            ]
    return [documents, folder, tags, *days]


def _rerank_parts() -> list[Any]:
    with gr.Accordion("Read the best passages once more", open=False):
        gr.Markdown(
            "A reranker reads the question and each of the best passages together, which is slower and often better. "
            "What it cannot read in its time keeps its order."
        )
        with gr.Row():
            model = gr.Textbox(
                os.environ.get("FOURFOLD_RERANKER", ""),
                label="Reranker (optional)",
                placeholder="folder or Hub id of a cross-encoder",
                scale=3,
                min_width=220,
            )
            seconds = gr.Number(1, label="Seconds for it", minimum=0.1, maximum=60, min_width=120)
    return [model, seconds]
