"""The part of the Documents page that lets an index follow a folder of this machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from .errors import InputError
from .library import Library


@dataclass(frozen=True)
class Syncing:
    """The handlers, to be wired only where a visitor may read the folders of this machine.

    Anyone can call them with anything, so each checks its input and speaks through gr.Error.
    """

    library: Library

    def sync(self, name: Any, folder: Any, allow_empty: Any = False) -> None:
        """Start to bring index and folder to agree; the clock of the page shows how far it is."""
        try:
            self.library.sync(str(name or "").strip() or "default", folder_of(folder), allow_empty is True)
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def unfollow(self, name: Any, folder: Any) -> str:
        """Follow a folder no longer."""
        try:
            path = folder_of(folder).resolve()
            if not self.library.store(str(name or "")).forget(str(path)):
                raise InputError(f"The index does not follow {path}; those that it follows are listed above.")
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return f"`{path}` is followed no longer; its documents stay."


def folder_of(typed: Any) -> Path:
    """The folder that is typed in. Raises InputError: a relative one would depend on where the app was started."""
    words = str(typed or "").strip()
    try:
        path = Path(words).expanduser()
    except RuntimeError as error:
        raise InputError(f"{words!r} begins with an unknown user's name; write the whole path.") from error
    if not path.is_absolute() or "\0" in words:
        raise InputError(f"{words!r} is no whole path of a folder; write it as /home/me/notes or ~/notes.")
    if path.resolve() == Path(path.anchor):
        raise InputError(f"{path} is the whole machine; name a folder of documents.")
    return path


def sync_parts(library: Library, index: gr.Dropdown) -> None:
    """Build the part and wire it, for the index that is chosen above."""
    syncing = Syncing(library)
    with gr.Accordion("Follow a folder of this machine", open=False):
        gr.Markdown(
            "Each sync adds what is new in the folder and below it, updates what has changed, and deletes from the "
            "index what is gone. Hidden files are left out."
        )
        folder = gr.Textbox(label="Folder", placeholder="/home/me/notes", max_length=4096)
        empty = gr.Checkbox(
            False, label="Even if none of its files is left", info="else a disk that is not connected deletes nothing"
        )
        with gr.Row():
            start = gr.Button("Sync the folder", variant="primary", min_width=140)
            stop = gr.Button("Follow it no longer", min_width=140)
        said = gr.Markdown()
    begun = gr.on([start.click, folder.submit], syncing.sync, [index, folder, empty], None, api_visibility="private")
    begun.success(lambda: (False, ""), None, [empty, said], show_progress="hidden", api_visibility="private")
    stop.click(syncing.unfollow, [index, folder], said, api_visibility="private")
