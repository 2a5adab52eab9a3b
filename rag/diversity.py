"""What of the passages found says the same: copies merged into one, and the rest spread over more than one matter."""

import re
from collections.abc import Sequence

import numpy as np

SAME = 0.8
"""Share of their word sequences in common from which two passages count as one: a copy with a few words changed."""
BALANCE = 0.7
"""How much likeness to the question weighs against likeness to what was chosen before."""

_SHINGLE = 5
_WORD = re.compile(r"\w+")


def shingles(text: str) -> frozenset[tuple[str, ...]]:
    """All sequences of five words, letters' case aside; of a shorter text the one that it is."""
    words = _WORD.findall(text.casefold())
    return frozenset(tuple(words[first : first + _SHINGLE]) for first in range(max(len(words) - _SHINGLE + 1, 1)))


def merged(texts: Sequence[str], same: float = SAME) -> list[list[int]]:
    """Groups of texts that say the same, by place, in the order of their firsts; each text is in one group.

    A text joins the first group whose first text has Jaccard similarity of at least `same` with it (Broder, "On the
    Resemblance and Containment of Documents", 1997), so that a chain of small changes never merges what differs.
    """
    held = [shingles(text) for text in texts]
    groups: list[list[int]] = []
    for place, own in enumerate(held):
        for group in groups:
            other = held[group[0]]
            # Sets of unlike size cannot be alike enough; looking at sizes saves most of the work.
            if min(len(own), len(other)) >= same * max(len(own), len(other)) and _jaccard(own, other) >= same:
                group.append(place)
                break
        else:
            groups.append([place])
    return groups


def diverse(scores: np.ndarray, vectors: np.ndarray, k: int, balance: float = BALANCE) -> list[int]:
    """Places of k candidates, each chosen for its score and against its likeness to those chosen before.

    `scores`, (n,), are brought to 0 to 1; `vectors` are unit vectors, (n, dimension). The first is the best by score,
    and with `balance` 1 all are. Carbonell and Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering
    Documents and Producing Summaries", SIGIR 1998.
    """
    if not len(scores):
        return []
    low, high = float(scores.min()), float(scores.max())
    wanted = (np.asarray(scores, np.float64) - low) / (high - low) if high > low else np.ones(len(scores))
    nearest = np.zeros(len(scores))
    chosen: list[int] = []
    for _ in range(min(k, len(scores))):
        worth = balance * wanted - (1 - balance) * nearest
        worth[chosen] = -np.inf
        chosen.append(int(np.argmax(worth)))
        nearest = np.maximum(nearest, vectors @ vectors[chosen[-1]])
    return chosen


def _jaccard(one: frozenset[tuple[str, ...]], two: frozenset[tuple[str, ...]]) -> float:
    return len(one & two) / len(one | two)
