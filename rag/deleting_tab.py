"""The parts of the Documents page that delete, a document or a whole index, after a question."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from .choices import chosen
from .documents_view import size_words
from .errors import InputError
from .library import Library


@dataclass(frozen=True)
class Deleting:
    """The handlers. Anyone can call them with anything, so each checks its input and speaks through gr.Error."""

    library: Library

    def ask(self, name: Any, choice: Any) -> list[Any]:
        """Ask before deleting a document."""
        try:
            document = chosen(self.library.open(str(name or "")).documents(), choice).name
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error
        question = f"Delete {document!r}? Its passages are gone from every answer at once."
        return [[str(name), document], question, gr.update(visible=True)]

    def delete(self, doomed: Any) -> Any:
        """Delete a document after the question."""
        try:
            name, document = map(str, doomed or ("", ""))
            self.library.open(name).remove(document)
        except (InputError, TypeError, ValueError) as error:
            raise gr.Error(str(error), print_exception=False) from error
        return gr.update(visible=False)

    def ask_index(self, name: Any) -> list[Any]:
        """Ask before deleting an index, and say what goes with it."""
        from .summary import summary

        try:
            held = summary(self.library.store(str(name or "")))
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error
        size = f"{held.documents} document{'' if held.documents == 1 else 's'}, {size_words(held.bytes)}"
        question = f"Delete the index {held.name!r} ({size}) for good? The files that it was made from stay."
        if held.folders:
            question += f" It follows {', '.join(held.folders)} no longer then."
        return [held.name, question, gr.update(visible=True)]

    def drop(self, doomed: Any) -> Any:
        """Delete an index after the question."""
        try:
            self.library.drop(str(doomed or ""))
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return gr.update(visible=False)


def asking(
    button: gr.Button, ask: Callable[..., Any], asked: list[Any], act: Callable[..., Any], view: Callable[..., Any],
    index: gr.Dropdown, shown: list[Any],
) -> None:  # fmt: skip
    """Build the question where one stands, and wire it: `button` has it asked, its yes does it and shows the rest."""
    doomed = gr.State(None)  # the choice may change between the question and its answer
    with gr.Group(visible=False) as group:
        text = gr.Textbox(show_label=False, interactive=False, container=False, lines=2)
        with gr.Row():
            yes = gr.Button("Yes, delete it", variant="stop", min_width=100)
            no = gr.Button("Keep it", min_width=100)
    button.click(ask, asked, [doomed, text, group], api_visibility="private")
    no.click(lambda: gr.update(visible=False), None, group, api_visibility="private")
    done = yes.click(act, [doomed], group, api_visibility="private")
    done.success(view, [index], shown, show_progress="hidden", api_visibility="private")
