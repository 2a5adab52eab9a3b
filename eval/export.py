"""Votes -> files for other tools. Each format is one function from votes to bytes; writing is all or nothing."""

import csv
import importlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.errors import InputError
from eval.files import write_bytes
from eval.judgement import Judgement
from eval.lesson_report import LessonReport, distinct
from eval.lessons import feedback, instructions, preferences
from eval.outcomes import winning
from eval.vote import SCHEMA, Vote, to_json

Format = Callable[[Sequence[Vote]], bytes]

COLUMNS = (
    "vote", "time", "comparison", "conversation", "turn", "rater", "rater_kind", "mode", "blind", "question", "task",
    "parent", "choice", "acceptable", "variant", "position", "answer", "won", "place", "tokens", "first_token_seconds",
    "seconds", "thumb", "scores", "tags", "comment", "better",
)  # fmt: skip


def as_json(votes: Sequence[Vote]) -> bytes:
    """One object with every vote whole: `schema`, `count`, `votes`."""
    record = {"schema": SCHEMA, "count": len(votes), "votes": [to_json(vote) for vote in votes]}
    # Escaped to ASCII: a lone surrogate that a model printed has no other spelling.
    return (json.dumps(record, indent=1, allow_nan=False) + "\n").encode("ascii")


def _table(votes: Sequence[Vote]) -> Iterator[tuple[Any, ...]]:
    """One line for each answer shown, as `COLUMNS` names its cells; `position` counts from 1 at the left."""
    for vote in votes:
        winners = winning(vote)
        parent = vote.configuration["parent"]["name"] if vote.mode == "parent" else None
        place = {name: number for number, group in enumerate(vote.ranking, 1) for name in group}
        head = (
            vote.id, vote.time, vote.comparison, vote.conversation, vote.turn, vote.rater, vote.rater_kind, vote.mode,
            vote.blind, vote.question, vote.task or None, parent, vote.choice, vote.acceptable,
        )  # fmt: skip
        for position, variant in enumerate(vote.order, start=1):
            costs = (table.get(variant) for table in (vote.tokens, vote.first_token_seconds, vote.seconds))
            said = vote.judgements.get(variant, Judgement())
            notes = (
                said.thumb, json.dumps(dict(said.scores), sort_keys=True) if said.scores else None,
                " ".join(said.tags) or None, said.comment or None, said.better or None,
            )  # fmt: skip
            answer, won = vote.answers[variant], variant in winners
            yield (*head, variant, position, answer, won, place.get(variant), *costs, *notes)


def as_csv(votes: Sequence[Vote]) -> bytes:
    """The question-and-answer pairs with all that was said of them, `COLUMNS` the header."""
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(COLUMNS)
    table.writerows(_table(votes))
    return text.getvalue().encode("utf-8", errors="replace")


def as_parquet(votes: Sequence[Vote]) -> bytes:
    """The same table; a column without any value is one of nulls."""
    arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    columns: list[list[Any]] = [[] for _ in COLUMNS]
    for line in _table(votes):
        for column, cell in zip(columns, line, strict=True):
            column.append(cell.encode("utf-8", "replace").decode("utf-8") if isinstance(cell, str) else cell)
    file = io.BytesIO()
    parquet.write_table(arrow.table(dict(zip(COLUMNS, columns, strict=True))), file)
    return file.getvalue()


def lessons(votes: Sequence[Vote], name: str) -> tuple[list[Mapping[str, Any]], LessonReport]:
    """The rows of the format `name` (dpo, kto or sft), each once, and what they would teach unmeant."""
    return distinct(list(LESSONS[name](votes)))


def as_lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A JSON object a line, in ASCII as above."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode("ascii")


LESSONS: dict[str, Callable[[Sequence[Vote]], Iterable[Mapping[str, Any]]]] = {
    "dpo": preferences,
    "kto": feedback,
    "sft": instructions,
}

FORMATS: dict[str, Format] = {
    "json": as_json,
    "csv": as_csv,
    "parquet": as_parquet,
    **{name: lambda votes, name=name: as_lines(lessons(votes, name)[0]) for name in LESSONS},  # type: ignore[misc]
}


def write(votes: Sequence[Vote], name: str, path: Path) -> None:
    """Write `votes` in format `name` to `path`, which then holds the whole export or what it held before.

    Raises `InputError` where the format is unknown, the folder is missing or the disk is full.
    """
    if name not in FORMATS:
        raise InputError(f"The format {name!r} is unknown; give one of {', '.join(FORMATS)}.")
    write_bytes(path, FORMATS[name](votes))
