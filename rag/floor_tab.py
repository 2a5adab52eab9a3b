"""The part of the Documents page that says what an index refuses to answer, and lets one choose that anew."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from .errors import InputError
from .library import Library

if TYPE_CHECKING:
    from .index import Index


@dataclass(frozen=True)
class FloorPart:
    """The handlers. Anyone can call them with anything, so each checks its input and speaks through gr.Error."""

    library: Library
    editable: bool

    def view(self, name: Any) -> str:
        """The floor of an index with its rates of error, as Markdown."""
        from .floor import floor_in_words, read_floor

        if not name:
            return ""
        try:
            index = self.library.open(str(name))
            lines = floor_in_words(read_floor(index), index.generation)
        except InputError:  # the page says so above
            return ""
        return "\n".join(f"- {line}" for line in lines)

    def calibrate(self, name: Any, answerable: Any, foreign: Any) -> str:
        """Choose the floor from the questions of files, or from made ones and the general list."""
        from .calibration import GENERAL, made_questions, read_questions
        from .floor import calibrate

        try:
            index = self._index(name)
            asked = read_questions(Path(str(answerable))) if answerable else made_questions(index)
            others = read_questions(Path(str(foreign)) if foreign else GENERAL)
            calibrate(index, asked, others, made=not answerable)
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return self.view(name)

    def forget(self, name: Any) -> str:
        """Let the index answer everything again."""
        from .floor import forget_floor

        try:
            forget_floor(self._index(name))
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return self.view(name)

    def _index(self, name: Any) -> "Index":
        if not self.editable:
            raise InputError("This is a public demo; run Fourfold on a machine of your own to calibrate.")
        return self.library.open(str(name or ""))


def floor_part(library: Library, index: gr.Dropdown, editable: bool) -> None:
    """Lay the part out and wire it, for the index that is chosen above."""
    part = FloorPart(library, editable)
    gr.Markdown("## What it does not answer")
    state = gr.Markdown(elem_id="floor")
    if editable:
        with gr.Accordion("Calibrate", open=False):
            gr.Markdown(
                "A floor is chosen from questions that the documents answer and others that they do not, one a line: "
                "what comes less near to the documents is refused. Without files, questions are made from the "
                "documents and taken from a general list."
            )
            with gr.Row():
                answerable = gr.File(label="Questions they answer (optional)", file_types=["text", ".json", ".jsonl"])
                foreign = gr.File(label="Questions they do not (optional)", file_types=["text", ".json", ".jsonl"])
            with gr.Row():
                choose = gr.Button("Calibrate", variant="primary", elem_id="calibrate", min_width=100)
                off = gr.Button("Answer everything again", min_width=100)
        choose.click(
            part.calibrate,
            [index, answerable, foreign],
            state,
            show_progress_on=[state],
            concurrency_id="calibrate",
            api_visibility="private",
        )
        off.click(part.forget, index, state, api_visibility="private")
    index.change(part.view, index, state, show_progress="hidden", api_visibility="private")
