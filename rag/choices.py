"""How a page names documents without telling where the files of the host lie: by content, and by place of a name."""

from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from .errors import InputError

if TYPE_CHECKING:
    from .labels import Entry
    from .snapshot import StoredDocument

LENIENT: dict[str, Any] = {"allow_custom_value": True}
"""Of a choice whose options change: what was chosen may go while a click is on its way, and gradio itself would end
that click in an error. Every handler checks what it is given."""
FOLDERS = 200
"""Folders that are offered: a longer list is slow and unread."""


def choices(held: "Sequence[StoredDocument]", shown: Callable[[str], str]) -> list[tuple[str, str]]:
    """All names, as `shown` to this visitor, each with the value that stands for it."""
    return [
        (shown(name), f"{document.sha256} {place}") for document in held for place, name in enumerate(document.names)
    ]


def chosen(held: "Sequence[StoredDocument]", choice: object) -> "Entry":
    """The entry that a value stands for. Raises InputError where nothing is chosen or it is there no longer."""
    if not choice:
        raise InputError("No document is chosen; choose one.")
    sha256, _, place = str(choice).partition(" ")
    entries = next((document.entries for document in held if document.sha256 == sha256), ())
    if not place.isdecimal() or int(place) >= len(entries):
        raise InputError("The index holds this document no longer; choose another.")
    return entries[int(place)]


def folders(held: "Sequence[StoredDocument]", followed: Sequence[str]) -> list[str]:
    """The folders and archives that documents are in, and those that the index follows, in order."""
    parents = (str(PurePath(name).parent) for document in held for name in document.names)
    return sorted({*followed, *(parent for parent in parents if parent != ".")})[:FOLDERS]
