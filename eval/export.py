"""Votes -> files for other tools. Each format is one function from votes to bytes; writing is all or nothing."""

import csv
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.errors import InputError
from eval.lessons import feedback, instructions, preferences
from eval.outcomes import winning
from eval.vote import SCHEMA, Vote, to_json

Format = Callable[[Sequence[Vote]], bytes]

COLUMNS = (
    "vote", "time", "comparison", "conversation", "turn", "rater", "blind", "question", "choice", "acceptable",
    "variant", "position", "answer", "won", "tokens", "first_token_seconds", "seconds",
)  # fmt: skip


def as_json(votes: Sequence[Vote]) -> bytes:
    """One object with every vote whole: `schema`, `count`, `votes`."""
    record = {"schema": SCHEMA, "count": len(votes), "votes": [to_json(vote) for vote in votes]}
    # Escaped to ASCII: a lone surrogate that a model printed has no other spelling.
    return (json.dumps(record, indent=1, allow_nan=False) + "\n").encode("ascii")


def as_csv(votes: Sequence[Vote]) -> bytes:
    """One line for each answer shown, `COLUMNS` its header; `position` counts from 1 at the left."""
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for vote in votes:
        winners = winning(vote)
        head = (
            vote.id, vote.time, vote.comparison, vote.conversation, vote.turn, vote.rater, vote.blind, vote.question,
            vote.choice, vote.acceptable,
        )  # fmt: skip
        for position, variant in enumerate(vote.order, start=1):
            costs = (table.get(variant) for table in (vote.tokens, vote.first_token_seconds, vote.seconds))
            table.writerow((*head, variant, position, vote.answers[variant], variant in winners, *costs))
    return text.getvalue().encode("utf-8", errors="replace")


def _lines(rows: Callable[[Sequence[Vote]], Iterable[Mapping[str, Any]]]) -> Format:
    """A JSON object a line, in ASCII as above."""
    return lambda votes: "".join(json.dumps(row) + "\n" for row in rows(votes)).encode("ascii")


FORMATS: dict[str, Format] = {
    "json": as_json,
    "csv": as_csv,
    "dpo": _lines(preferences),
    "kto": _lines(feedback),
    "sft": _lines(instructions),
}


def write(votes: Sequence[Vote], name: str, path: Path) -> None:
    """Write `votes` in format `name` to `path`, which then holds the whole export or what it held before.

    Raises `InputError` where the format is unknown, the folder is missing or the disk is full.
    """
    if name not in FORMATS:
        raise InputError(f"The format {name!r} is unknown; give one of {', '.join(FORMATS)}.")
    content = FORMATS[name](votes)
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)  # mkstemp's files are for their owner only
        Path(temporary).replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise InputError(
            f"{path} could not be written ({error.strerror}); give a file in a folder that exists and has room."
        ) from error
