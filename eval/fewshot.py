"""Worked examples in front of a question, since a few of them may be all that is needed: from training rows only."""

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from eval.errors import InputError

if TYPE_CHECKING:
    from tuning.rows import Row

CHOICES = ("fixed", "nearest")

Turns = list[dict[str, str]]
Encode = Callable[[Sequence[str]], np.ndarray]
"""Texts -> unit vectors (texts, dimension)."""


class Examples:
    """The rows that examples are drawn from, and how.

    `fixed` takes the same ones for every question, of as many different sources as there are, in an order that their
    hash gives; `nearest` takes those whose questions are nearest in meaning, the nearest one last, where a model heeds
    it most (Liu et al. 2022). An example that asks the very question, or comes from its source, is never taken: it
    would hand over the answer.
    """

    def __init__(self, rows: Sequence["Row"], choice: str = "fixed", encode: Encode | None = None) -> None:
        """Raises InputError where `choice` is unknown. `encode` is needed for `nearest`."""
        if choice not in CHOICES:
            raise InputError(f"Examples cannot be chosen by {choice!r}; give one of {', '.join(CHOICES)}.")
        usable = [row for row in rows if len(row.prompt) and row.response and row.good is not False]
        self._rows = _spread(sorted(usable, key=lambda row: hashlib.sha256(row.digest.encode()).digest()))
        self._encode = encode if choice == "nearest" else None
        self._vectors = self._encode([question(row) for row in self._rows]) if self._encode and self._rows else None

    def of(self, row: "Row", count: int) -> Turns:
        """Question and answer of `count` examples for a row, as turns of a dialogue. InputError for too few rows."""
        others = [
            number
            for number, other in enumerate(self._rows)
            if question(other) != question(row) and not (row.source and other.source == row.source)
        ]
        if len(others) < count:
            raise InputError(
                f"{row.place}: {count} examples are wanted, but only {len(others)} training rows are of another source;"
                " give rows to draw them from with --train, or fewer --shots."
            )
        if self._vectors is not None and self._encode is not None and count:
            near = self._vectors[others] @ self._encode([question(row)])[0]
            others = [others[place] for place in np.argsort(-near, kind="stable")]
        chosen = others[:count]
        return [turn for number in reversed(chosen) for turn in _turns(self._rows[number])]


def with_examples(messages: Sequence[dict[str, str]], examples: Turns) -> Turns:
    """The messages with the examples after what the system says."""
    opening = 1 if messages and messages[0]["role"] == "system" else 0
    return [*map(dict, messages[:opening]), *examples, *map(dict, messages[opening:])]


def question(row: "Row") -> str:
    """What a row asks: its last turn before the answer."""
    return str(row.prompt[-1]["content"])


def _turns(row: "Row") -> Turns:
    return [{"role": "user", "content": question(row)}, {"role": "assistant", "content": row.response}]


def _spread(rows: Sequence["Row"]) -> list["Row"]:
    """The rows in turns: the first of each source, then the second of each, and so on."""
    taken: dict[str, int] = {}
    turn = []
    for row in rows:
        source = row.source or row.digest
        turn.append(taken.get(source, 0))
        taken[source] = turn[-1] + 1
    return [row for _, row in sorted(zip(turn, rows, strict=True), key=lambda one: one[0])]
