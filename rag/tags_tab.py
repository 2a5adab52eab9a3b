"""The part of the Documents page that tags the document that is looked into."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from .choices import chosen
from .errors import InputError
from .labels import tags_of
from .library import Library


@dataclass(frozen=True)
class Tagging:
    """The handlers. Anyone can call them with anything, so each checks its input and speaks through gr.Error."""

    library: Library

    def tags(self, name: Any, choice: Any) -> str:
        """The tags of the chosen document, with commas between them."""
        if not choice:
            return ""
        try:
            return ", ".join(chosen(self.library.open(str(name or "")).documents(), choice).tags)
        except InputError:  # it was deleted meanwhile, as the page shows
            return ""

    def save(self, name: Any, choice: Any, words: Any) -> str:
        """Give the chosen document these tags and no others."""
        try:
            index = self.library.open(str(name or ""))
            entry, wanted = chosen(index.documents(), choice), typed(words)
            index.tag(entry.name, wanted, sorted(set(entry.tags) - set(wanted)))
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return ", ".join(wanted)


def typed(words: Any) -> tuple[str, ...]:
    """Tags as they are typed in, with commas between them. Raises InputError for what is none."""
    return tags_of(word for word in str(words or "").split(",") if word.strip())


def tags_parts(library: Library, index: gr.Dropdown, document: gr.Dropdown) -> None:
    """Build the part and wire it, for the document that is chosen above."""
    tagging = Tagging(library)
    with gr.Row(equal_height=True):
        tags = gr.Textbox(label="Its tags", placeholder="2026, draft", max_length=1000, scale=4)
        save = gr.Button("Save the tags", scale=1, min_width=120)
    private: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    document.change(tagging.tags, [index, document], tags, **private)
    gr.on([save.click, tags.submit], tagging.save, [index, document, tags], tags, **private)
