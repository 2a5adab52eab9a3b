"""A file of examples -> rows: what stands in it, recognised but not yet judged.

A break in the structure (bad JSON, a missing field, a wrong type) refuses the file, because guessing would train on
something else than the user wrote. What a row says (empty, repeated, too long) is judged in `tuning.dialogues`.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tuning.errors import InputError
from tuning.neighbours import ground
from tuning.rowfiles import FORMATS, READERS, Broken, kind, mapping

ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
}
QUESTION_FIELDS = ("prompt", "instruction", "question")
ANSWER_FIELDS = ("response", "output", "completion", "answer")
CONTEXT_FIELDS = ("input", "context")
SPLITS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}

Message = dict[str, str]


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
        """The turns with the passages worded into the last question, as at chat time: what is trained and measured.

        The passages are shuffled, lest their place tell which one holds the answer; by their own hash, so that all rows
        with the same passages begin alike, which training then computes once.
        """
        if not self.passages:
            return self.messages
        passages = sorted((dict(passage) for passage in self.passages), key=lambda one: (one["id"], one["text"]))
        digest = hashlib.sha256(json.dumps(passages, sort_keys=True).encode()).digest()
        Random(digest).shuffle(passages)
        return (*ground(self.prompt, passages), self.messages[-1])

    @property
    def response(self) -> str:
        """The last turn's text."""
        return self.messages[-1]["content"]

    @property
    def digest(self) -> str:
        """16 hexadecimal digits of SHA-256 over the words: the same words are the same row in any file."""
        judged = [] if self.kind == "answers" else [self.rejected, self.good]
        return hashlib.sha256(json.dumps([*self.messages, *judged], sort_keys=True).encode()).hexdigest()[:16]


def read_rows(path: Path) -> list[Row]:
    """Rows of a JSONL, JSON, CSV, TSV or Parquet file, in order.

    Raises InputError with the file, the line (or row) and the remedy where the structure is broken.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        ending = path.suffix or "a name without ending"
        raise InputError(f"{path.name}: {ending} is not a table that can be read; use {', '.join(READERS)}")
    try:
        rows = [_row(record, place) for place, record in reader(path)]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; check the path and its permissions") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
    except Broken as error:
        raise InputError(f"{path.name}, {error}") from error
    if not rows:
        raise InputError(f"{path.name}: no rows in it; give at least one {FORMATS}")
    return rows


def _row(record: Mapping[str, Any], place: str) -> Row:
    split = _optional(record, "split", place)
    if split is not None and split.lower() not in SPLITS:
        raise Broken(f"{place}: split is {split!r}; use train, validation or test")
    return Row(
        messages=tuple(_messages(record, place)),
        place=place,
        id=_optional(record, "id", place),
        task=_optional(record, "task", place),
        source=_optional(record, "source", place),
        split=SPLITS[split.lower()] if split else None,
        passages=tuple(_passages(record.get("passages") or (), place)),
        answers=tuple(_answers(record.get("answers"), place)),
        rejected=_answer(record, "rejected", place) if "chosen" in record and "rejected" in record else None,
        good=_label(record, place) if "completion" in record and "label" in record else None,
    )


def _messages(record: Mapping[str, Any], place: str) -> Iterator[Message]:
    turns = record.get("messages") or record.get("conversations")
    system = _optional(record, "system", place)
    if turns is not None:
        if not isinstance(turns, list):
            raise Broken(f"{place}: messages must be a list, this is {kind(turns)}")
        messages = [_message(turn, place) for turn in turns]
        if system and not (messages and messages[0]["role"] == "system"):
            yield {"role": "system", "content": system}
        yield from messages
        return
    question = next((field for field in QUESTION_FIELDS if field in record), None)
    answer = next((field for field in ANSWER_FIELDS if field in record), None)
    if "chosen" in record and "rejected" in record:
        answer = "chosen"
    if question is None or answer is None:
        has = ", ".join(map(str, record)) or "nothing"
        missing = "response" if question else "prompt"
        raise Broken(f"{place}: no {missing} (it has: {has}); name the fields as in {FORMATS}")
    if system:
        yield {"role": "system", "content": system}
    if isinstance(record[question], list):
        yield from (_message(turn, place) for turn in record[question])
        yield {"role": "assistant", "content": _answer(record, answer, place)}
        return
    parts = [_text(record, field, place) for field in (question, *CONTEXT_FIELDS) if field in record]
    yield {"role": "user", "content": "\n\n".join(part for part in parts if part)}
    yield {"role": "assistant", "content": _answer(record, answer, place)}


def _answer(record: Mapping[str, Any], field: str, place: str) -> str:
    """An answer as text, or as TRL's list of the one message that holds it."""
    value = record.get(field)
    if not isinstance(value, list):
        return _text(record, field, place)
    if len(value) != 1:
        raise Broken(f"{place}: {field} has {len(value)} messages; give the one answer, and earlier turns in prompt")
    return _message(value[0], place)["content"]


def _label(record: Mapping[str, Any], place: str) -> bool:
    """Of a feedback row: true and false, 1 and 0, or the words."""
    value = record["label"]
    known = {"true": True, "1": True, "false": False, "0": False}
    if str(value).lower() not in known:
        raise Broken(f"{place}: label is {value!r}; use true for a good answer and false for a bad one")
    return known[str(value).lower()]


def _message(turn: Any, place: str) -> Message:
    """One turn in the usual ({"role", "content"}) or the ShareGPT ({"from", "value"}) shape."""
    turn = mapping(turn, f"{place}, a message")
    role = turn.get("role", turn.get("from"))
    if not isinstance(role, str) or role.lower() not in ROLES:
        raise Broken(f"{place}: a message of role {role!r}; use system, user or assistant")
    field = "content" if "content" in turn else "value"
    if field not in turn:
        raise Broken(f"{place}: a message without content; give every message its text")
    return {"role": ROLES[role.lower()], "content": _text(turn, field, place)}


def _passages(value: Any, place: str) -> Iterator[Mapping[str, str]]:
    if not isinstance(value, list | tuple):
        raise Broken(f'{place}: passages must be a list of {{"id", "text"}}, this is {kind(value)}')
    for passage in value:
        record = mapping(passage, f"{place}, a passage")
        yield {field: _text(record, field, place) for field in ("id", "text")}


def _answers(value: Any, place: str) -> Iterator[str]:
    if value is None or value == "":
        return
    for answer in value if isinstance(value, list) else [value]:
        yield _text({"answers": answer}, "answers", place)


def _text(record: Mapping[str, Any], field: str, place: str) -> str:
    """The field as text: numbers as they are written, null as nothing; anything else is an error of the file."""
    value = record.get(field)
    if value is None:
        return ""
    finite = isinstance(value, float) and math.isfinite(value)
    if isinstance(value, bool) or not (finite or isinstance(value, str | int)):
        raise Broken(f"{place}: {field} must be text, this is {kind(value)}; put it in quotes")
    text = str(value).strip()
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise Broken(f"{place}: {field} holds half of a surrogate pair; correct the \\u escapes")
    return text


def _optional(record: Mapping[str, Any], field: str, place: str) -> str | None:
    return _text(record, field, place) or None
