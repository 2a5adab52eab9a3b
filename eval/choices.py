"""What was chosen from what: the one form that votes, tables and simulations take before they are ranked.

A vote makes one choice or several: a pick is one, a ranking is a choice of the best, then of the best among the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Choices:
    """n choices, each among at most s slots, which are the places on the screen from left to right."""

    names: tuple[str, ...]
    items: Integers
    """(n, s) Which of `names` stood in the slot; -1 where nothing was offered."""
    chosen: Booleans
    """(n, s) Called best; several of them are a tie."""
    ranked: Booleans
    """(n,) Any of the offered ones could have tied; otherwise all of them or none."""
    weight: Floats
    """(n,)"""
    vote: Integers
    """(n,) Which vote the choice comes from."""
    clusters: tuple[tuple[str, Integers], ...] = ()
    """What makes votes alike, with its number for each choice (n,): (("prompt", ...), ("rater", ...))."""
    covariates: tuple[tuple[str, Floats], ...] = ()
    """Properties of each answer offered, (n, s): (("length", ...),)."""
    dropped: int = 0
    """Votes that set a name against itself, which say nothing."""

    def __len__(self) -> int:
        return len(self.vote)

    def where(self, kept: Booleans | Integers) -> "Choices":
        """The choices for which `kept` (n,) holds, or those of these numbers."""
        return replace(
            self,
            items=self.items[kept],
            chosen=self.chosen[kept],
            ranked=self.ranked[kept],
            weight=self.weight[kept],
            vote=self.vote[kept],
            clusters=tuple((name, number[kept]) for name, number in self.clusters),
            covariates=tuple((name, value[kept]) for name, value in self.covariates),
        )

    def without_ties(self) -> "Choices":
        """The choices that called a single one best."""
        return self.where(self.chosen.sum(axis=1) == 1)

    def distinct(self) -> tuple["Choices", Integers]:
        """One row for all choices that are alike, with their weights added up, and the row of each choice (n,).

        Covariates tell nearly all answers apart, so that with them every choice is a row of its own.
        """
        if self.covariates or not len(self):
            return self, np.arange(len(self))
        slots = self.items.shape[1]
        code = self.ranked.astype(np.int64)
        for slot in range(slots):
            code = (code * (len(self.names) + 1) + self.items[:, slot] + 1) * 2 + self.chosen[:, slot]
        row, first = _numbered(code, 2 * (2 * len(self.names) + 2) ** slots)
        alike = self.where(first)
        return replace(alike, weight=np.bincount(row, self.weight, len(first)).astype(np.float64)), row


def _numbered(code: Integers, bound: int) -> tuple[Integers, Integers]:
    """The number of each code among the different ones, and where each of those first stands."""
    if bound > 1 << 22:
        _, first, row = np.unique(code, return_index=True, return_inverse=True)
        return row, first
    last = np.full(bound, -1, dtype=np.int64)
    last[code] = np.arange(len(code))  # in linear time, where a million codes would take longest to sort
    used = np.flatnonzero(last >= 0)
    number = np.zeros(bound, dtype=np.int64)
    number[used] = np.arange(len(used))
    return number[code], last[used]


def pair_choices(
    names: Sequence[str],
    left: npt.ArrayLike,
    right: npt.ArrayLike,
    score: npt.ArrayLike,
    clusters: Sequence[tuple[str, npt.ArrayLike]] = (),
    weight: npt.ArrayLike | None = None,
    covariates: Sequence[tuple[str, Floats]] = (),
) -> Choices:
    """Choices between two: `left`, `right` (n,) index `names`, `score` (n,) is what the left one got: 1, ½ or 0.

    Self-pairs are dropped and counted. They carry no information, yet one of them moved the published ratings of
    another arena, whose design matrix took it for a win.
    """
    items = np.stack([np.asarray(left, dtype=np.int64), np.asarray(right, dtype=np.int64)], axis=1)
    points = np.asarray(score, dtype=np.float64)
    number = len(points)
    choices = Choices(
        names=tuple(names),
        items=items,
        chosen=np.stack([points >= 0.5, points <= 0.5], axis=1),
        ranked=np.zeros(number, dtype=bool),
        weight=np.ones(number) if weight is None else np.asarray(weight, dtype=np.float64),
        vote=np.arange(number),
        clusters=tuple((name, np.asarray(values, dtype=np.int64)) for name, values in clusters),
        covariates=tuple(covariates),
    )
    other = items[:, 0] != items[:, 1]
    return replace(choices.where(other), dropped=int(number - other.sum()))


def renumbered(numbers: Integers) -> tuple[Integers, int]:
    """The same grouping (n,) numbered from 0 without gaps, and how many groups there are."""
    if not len(numbers):
        return numbers, 0
    if numbers.min() >= 0 and numbers.max() <= 4 * len(numbers):
        used = np.bincount(numbers) > 0
        return (np.cumsum(used) - 1)[numbers], int(used.sum())
    _, number = np.unique(numbers, return_inverse=True)
    return number, int(number.max()) + 1


def count_of(numbers: Integers) -> int:
    """How many different numbers there are."""
    return renumbered(numbers)[1]
