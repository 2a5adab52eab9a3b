"""A file of examples -> rows: what stands in it, recognised but not yet judged.

A break in the structure (bad JSON, a missing field, a wrong type) refuses the file, because guessing would train on
something else than the user wrote. What a row says (empty, repeated, too long) is judged in `tuning.dialogues`.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from tuning import layouts
from tuning.errors import InputError
from tuning.layouts import Message
from tuning.neighbours import ground
from tuning.rowfiles import FORMATS, READERS, Broken, Records

__all__ = ["Message", "Reshape", "Row", "first_records", "read_rows"]

Reshape = Callable[[Mapping[str, Any], str], Mapping[str, Any]]
"""A record and its place -> the record that is read in its stead. Raises Broken where it cannot be made."""


def _unchanged(record: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    return record


@dataclass(frozen=True)
class Row:
    """One example as its file states it; `messages` may still be without an answer, and its texts may be empty."""

    messages: tuple[Message, ...]
    """Turns in order, each with `role` (system, user or assistant) and `content`, outer white space removed."""
    place: str
    """Where it stands in its file: `line 17`, or `row 17` where a row has no line of its own."""
    id: str | None = None
    task: str | None = None
    source: str | None = None
    """The document that the row comes from; a split keeps all rows of a source together."""
    conversation: str | None = None
    """The conversation that the row comes from; kept together like a source."""
    split: str | None = None
    """train, validation or test, where the file says so."""
    passages: tuple[Mapping[str, str], ...] = ()
    """Passages that belong to the question, each with `id` and `text`."""
    answers: tuple[str, ...] = ()
    """Accepted short answers, for scoring."""
    rejected: str | None = None
    """Of a preference row, the answer that the last turn is preferred to."""
    good: bool | None = None
    """Of a feedback row, whether the last turn is a good answer."""

    @property
    def kind(self) -> str:
        """What can be learnt from the row: answers, preferences or feedback."""
        if self.rejected is not None:
            return "preferences"
        return "answers" if self.good is None else "feedback"

    @property
    def prompt(self) -> tuple[Message, ...]:
        """The turns before the last answer: what a model is asked when the row is used as a question."""
        return self.messages[:-1]

    @property
    def grounded(self) -> tuple[Message, ...]:
        """The turns with the passages worded into the last question, as at chat time: what is trained and measured."""
        if not self.passages:
            return self.messages
        return (*ground(self.prompt, self.shuffled), self.messages[-1])

    @property
    def shuffled(self) -> list[dict[str, str]]:
        """The passages in the order in which they are worded in.

        They are shuffled, lest their place tell which one holds the answer; by their own hash, so that all rows with
        the same passages begin alike, which training then computes once.
        """
        passages = sorted((dict(passage) for passage in self.passages), key=lambda one: (one["id"], one["text"]))
        digest = hashlib.sha256(json.dumps(passages, sort_keys=True).encode()).digest()
        Random(digest).shuffle(passages)
        return passages

    @property
    def response(self) -> str:
        """The last turn's text."""
        return self.messages[-1]["content"]

    @property
    def digest(self) -> str:
        """16 hexadecimal digits of SHA-256 over the words: the same words are the same row in any file."""
        judged = [] if self.kind == "answers" else [self.rejected, self.good]
        return hashlib.sha256(json.dumps([*self.messages, *judged], sort_keys=True).encode()).hexdigest()[:16]


def read_rows(path: Path, reshape: Reshape = _unchanged) -> list[Row]:
    """Rows of a JSONL, JSON, CSV, TSV or Parquet file, in order; each record is read as `reshape` makes it.

    Raises InputError with the file, the line (or row) and the remedy where the structure is broken.
    """
    with _complaints(path) as reader:
        rows = [_row(reshape(record, place), place) for place, record in reader(path)]
    if not rows:
        raise InputError(f"{path.name}: no rows in it; give at least one {FORMATS}")
    return rows


def first_records(path: Path, most: int) -> list[Mapping[str, Any]]:
    """The first records of such a file as they are, be they rows or not. Raises InputError as `read_rows` does."""
    with _complaints(path) as reader:
        return [record for _, record in islice(reader(path), most)]


@contextmanager
def _complaints(path: Path) -> Iterator[Callable[[Path], Records]]:
    """What reads the file; whatever goes wrong meanwhile becomes one sentence that names file, place and remedy."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        ending = path.suffix or "a name without ending"
        raise InputError(f"{path.name}: {ending} is not a table that can be read; use {', '.join(READERS)}")
    try:
        yield reader
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; check the path and its permissions") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path.name}, line {line}: byte {error.start} is not UTF-8; save the file as UTF-8"
        ) from error
    except Broken as error:
        raise InputError(f"{path.name}, {error}") from error


def _row(record: Mapping[str, Any], place: str) -> Row:
    return Row(
        messages=tuple(layouts.turns_of(record, place)),
        place=place,
        id=layouts.optional_of(record, "id", place),
        task=layouts.optional_of(record, "task", place),
        source=layouts.optional_of(record, "source", place),
        conversation=layouts.optional_of(record, "conversation", place),
        split=layouts.split_of(record, place),
        passages=tuple(layouts.passages_of(record, place)),
        answers=tuple(layouts.answers_of(record, place)),
        rejected=layouts.answer_of(record, "rejected", place) if layouts.is_preference(record) else None,
        good=layouts.label_of(record, place) if layouts.is_feedback(record) else None,
    )
