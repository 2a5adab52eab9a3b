"""The part of the Documents page where one looks into a document and sees how it is cut."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from .cuts_view import leaf_html
from .errors import InputError
from .leaves import Leaf, leaf_of, leaves
from .library import Library

SCROLL = "() => setTimeout(() => document.querySelector('.cuts .found')?.scrollIntoView({block: 'center'}), 300)"


@dataclass(frozen=True)
class Inspector:
    """The handlers. Anyone can call them with anything, so each checks its input and speaks through gr.Error.

    A document is chosen by the hash of its content and the place of one of its names, a passage by that hash and the
    chunk's id: a name may tell where the files of the host lie.
    """

    library: Library

    def open(self, name: Any, choice: Any, part: Any = 1) -> list[Any]:
        """A part of a document, the number of its parts, and the HTML."""
        try:
            number = int(part)
        except (TypeError, ValueError):
            number = 1
        sha256 = str(choice or "").partition(" ")[0]
        return self._show(name, sha256, lambda found: found[min(max(number, 1), len(found)) - 1], None)

    def find(self, name: Any, place: Any) -> list[Any]:
        """A passage in its document."""
        if not place:
            return [gr.skip(), gr.skip(), gr.skip()]
        sha256, _, number = str(place).partition(" ")
        chunk = int(number) if number.isdecimal() else -1
        shown = self._show(name, sha256, lambda found: leaf_of(found, chunk), chunk)
        return [f"{sha256} 0", *shown[1:]]

    def pick(self, name: Any, event: gr.EventData) -> list[Any]:
        """The passage that was clicked among those found."""
        return self.find(name, (event._data or {}).get("place"))

    def _show(
        self, name: Any, sha256: str, choose: Callable[[list[Leaf]], Leaf | None], chunk: int | None
    ) -> list[Any]:
        if not sha256:
            return [gr.skip(), gr.update(visible=False), ""]
        try:
            with self.library.open(str(name or "")).store.snapshot() as snapshot:
                held = next((each.name for each in snapshot.documents() if each.sha256 == sha256), None)
                if held is None:
                    raise InputError("The index holds this document no longer; choose another.")
                found = leaves(snapshot.chunks_of(held))
                leaf = choose(found) if found else None
                if leaf is None:
                    raise InputError("This passage has changed since it was found; search again.")
                document = snapshot.document(held)
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error
        slider = gr.update(maximum=max(2, leaf.total), value=leaf.number, visible=leaf.total > 1)
        return [gr.skip(), slider, leaf_html(document, leaf, chunk)]


def inspect_parts(inspector: Inspector, index: gr.Dropdown, document: gr.Dropdown, passages: gr.HTML) -> None:
    """Build the part. `document` says which one is looked into, a click among the `passages` of a search too."""
    part = gr.Slider(1, 2, 1, step=1, label="Part of the document", visible=False)
    shown = gr.HTML(padding=False)
    asked: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    document.input(inspector.open, [index, document], [document, part, shown], **asked)
    part.release(inspector.open, [index, document, part], [document, part, shown], **asked)
    found = passages.select(inspector.pick, [index], [document, part, shown], **asked)
    found.success(None, None, None, js=SCROLL)
