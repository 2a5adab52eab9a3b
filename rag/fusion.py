"""Two rankings to one: by their scores, which is the default, or by their ranks alone."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .errors import InputError

KINDS = ("scores", "ranks")
WEIGHT = 0.6
"""Share of the cosine: within .002 of the best share on SciFact's training queries and SQuAD's questions together
(docs/benchmarks.md, "Retrieval")."""


@dataclass(frozen=True)
class Fusion:
    """How `hybrid` joins meaning and words: `kind` is one of `KINDS`, `weight` the share of the cosine in `scores`.

    Raises InputError for an unknown kind, and for a weight outside 0 to 1.
    """

    kind: str = "scores"
    weight: float = WEIGHT

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"There is no fusion {self.kind!r}; choose one of {', '.join(KINDS)}.")
        if not 0 <= self.weight <= 1:
            raise InputError(f"The fusion's weight is {self.weight}; give a number from 0 (words) to 1 (meaning).")


def convex_fusion(cosines: np.ndarray, words: np.ndarray, weight: float = WEIGHT) -> np.ndarray:
    """weight · cosine + (1 - weight) · BM25 of the same candidates, each divided by its largest; float64 (n,).

    Both keep their natural zero, "unrelated" and "no common word", so that the scores of a candidate do not depend on
    the worst of the others, as they would by min-max (Bruch, Gai and Ingber, "An Analysis of Fusion Functions for
    Hybrid Retrieval", TOIS 2023).
    """
    return weight * _of_the_largest(cosines) + (1 - weight) * _of_the_largest(words)


def _of_the_largest(scores: np.ndarray) -> np.ndarray:
    positive = np.maximum(np.asarray(scores, np.float64), 0)
    largest = positive.max(initial=0)
    return positive / largest if largest > 0 else positive


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[int]], k: int, constant: int = 60
) -> tuple[list[int], list[float]]:
    """The k ids with the largest sum of 1 / (constant + rank) over the rankings, rank from 1; ties to the lower id.

    Cormack, Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods",
    SIGIR 2009; the constant is theirs.
    """
    sums: dict[int, float] = defaultdict(float)
    for ranking in rankings:
        for rank, identity in enumerate(ranking, 1):
            sums[identity] += 1 / (constant + rank)
    best = sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:k]
    return [identity for identity, _ in best], [total for _, total in best]
