"""What is known of a document beside its text: its tags, its day, its folder; and which documents have them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from .errors import InputError

LONGEST = 64
"""Characters of the longest tag."""

_DAY = "coalesce(nullif(documents.dated, ''), nullif(names.modified, ''), substr(names.added, 1, 10))"


@dataclass(frozen=True)
class Label:
    """What a file brings with it: the day when it was last changed, "YYYY-MM-DD" or "" if unknown, and tags."""

    modified: str = ""
    tags: tuple[str, ...] = ()


UNKNOWN = Label()


@dataclass(frozen=True)
class Entry:
    """A name in the index. `date` is the day that its text says, or its file was changed, or else it was added."""

    name: str
    date: str
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Filter:
    """The documents that meet all conditions given: one of these names; below a folder; all of these tags; days.

    `folder` is what names begin with, up to a slash. `since` and `until` are days, "YYYY-MM-DD", both included.
    Raises InputError for what is no tag or no day.
    """

    documents: tuple[str, ...] = ()
    folder: str = ""
    tags: tuple[str, ...] = ()
    since: str = ""
    until: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags", tags_of(self.tags))
        for day in filter(None, (self.since, self.until)):
            _check(day)
        if self.since and self.until and self.since > self.until:
            raise InputError(f"No day is from {self.since} on and until {self.until}; exchange the two.")

    def __bool__(self) -> bool:
        return self != Filter()

    def condition(self) -> tuple[str, list[str | int]]:
        """SQL over `names` joined with `documents`, and the values of its question marks."""
        folder = self.folder.rstrip("/") + "/"
        parts: list[tuple[object, str, list[str | int]]] = [
            (self.documents, "names.name IN (SELECT value FROM json_each(?))", [json.dumps(self.documents)]),
            (self.folder, "substr(names.name, 1, ?) = ?", [len(folder), folder]),
            (
                self.tags,
                "(SELECT count(*) FROM tags WHERE tags.name = names.name "
                "AND tag IN (SELECT value FROM json_each(?))) = ?",
                [json.dumps(self.tags), len(self.tags)],
            ),
            (self.since, f"{_DAY} >= ?", [self.since]),
            (self.until, f"{_DAY} <= ?", [self.until]),
        ]
        given = [(text, values) for wanted, text, values in parts if wanted]
        return " AND ".join(text for text, _ in given) or "1", [value for _, values in given for value in values]


ENTRY = (
    f"json_object('name', names.name, 'date', {_DAY}, 'tags', "
    "json((SELECT json_group_array(tag) FROM tags WHERE tags.name = names.name)))"
)
"""SQL over `names` joined with `documents`: what `entry` reads."""


def entry(row: dict[str, Any]) -> Entry:
    """An entry as `ENTRY` gives it."""
    return Entry(row["name"], row["date"], tuple(sorted(row["tags"])))


def tags_of(words: Iterable[str]) -> tuple[str, ...]:
    """Words as tags: in small letters, each once, in order. Raises InputError for what is none."""
    tags = {" ".join(str(word).lower().split()) for word in words}
    for tag in tags:
        if not tag or "," in tag or len(tag) > LONGEST or not tag.isprintable():
            raise InputError(f"{tag!r} is no tag; give 1 to {LONGEST} characters without a comma.")
    return tuple(sorted(tags))


def day_of(timestamp: float) -> str:
    """The day of a file's time, in UTC; "" for a time that no calendar has."""
    try:
        return datetime.fromtimestamp(timestamp, UTC).date().isoformat()
    except (OverflowError, ValueError, OSError):
        return ""


def _check(day: str) -> None:
    try:
        valid = date.fromisoformat(day).isoformat() == day
    except ValueError:
        valid = False
    if not valid:
        raise InputError(f"{day!r} is no day; write it as 2026-01-31.")
