"""Ranked passages to those that are shown: copies merged, read once more by a reranker, spread over what they say."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .diversity import BALANCE, diverse, merged
from .errors import InputError
from .rerank import DEPTH, SECONDS, Reranker


@dataclass(frozen=True)
class Refining:
    """What is done to a ranking before its first passages are shown.

    `merge` makes one hit of passages that say the same. `diverse` prefers what was not said yet, `balance` being the
    share of likeness to the question, from 0 to 1. `reranker` reads the best passages for at most `seconds`.
    Raises InputError for a balance or a time that are none.
    """

    merge: bool = True
    diverse: bool = False
    balance: float = BALANCE
    reranker: Reranker | None = None
    seconds: float = SECONDS

    def __post_init__(self) -> None:
        if not 0 <= self.balance <= 1:
            raise InputError(f"The balance is {self.balance}; give a number from 0 (variety) to 1 (likeness).")
        if not self.seconds > 0:
            raise InputError(f"The reranker has {self.seconds} seconds; give it more than 0.")

    def depth(self, k: int) -> int:
        """Passages to look at for k that are shown: fewer are where more than three of four say the same."""
        wanted = 4 * k if self.merge or self.diverse else k
        return max(wanted, DEPTH if self.reranker else 0)


REFINED = Refining()
"""Passages that say the same are one; the default."""
PLAIN = Refining(merge=False)
"""The ranking as it is."""


@dataclass(frozen=True)
class Refined:
    """A passage that is shown, by its place in the ranking, with the places of those that say the same."""

    place: int
    same: tuple[int, ...] = ()
    rerank: float | None = None


@dataclass(frozen=True)
class Selection:
    """The passages that are shown, best first. The reranker read `read` passages in `seconds`."""

    passages: list[Refined]
    read: int = 0
    seconds: float = 0.0


def refine(
    question: str, texts: Sequence[str], scores: np.ndarray, vectors: np.ndarray, k: int, how: Refining
) -> Selection:
    """The k passages to show of those ranked, given best first: their texts, scores (n,) and unit vectors (n, d)."""
    groups = merged(texts) if how.merge else [[place] for place in range(len(texts))]
    reranks: dict[int, float] = {}
    seconds = 0.0
    if how.reranker is not None:
        start, first = time.perf_counter(), groups[:DEPTH]
        found = how.reranker.order(question, [texts[group[0]] for group in first], how.seconds)
        groups = [*(first[place] for place in found.order), *groups[DEPTH:]]
        reranks = {group[0]: score for group, score in zip(groups, found.scores, strict=False)}
        seconds = time.perf_counter() - start
    if how.diverse:
        # By standing, since a reranker's scores and those of the ranking below it are of different kinds.
        leads = [group[0] for group in groups]
        worth = -np.arange(len(groups), dtype=float) if reranks else np.asarray(scores)[leads]
        groups = [groups[place] for place in diverse(worth, vectors[leads], k, how.balance)]
    passages = [Refined(group[0], tuple(group[1:]), reranks.get(group[0])) for group in groups[:k]]
    return Selection(passages, len(reranks), seconds)
