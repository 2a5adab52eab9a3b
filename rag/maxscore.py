"""The best of many chunks by a sum over words, without adding up those that cannot be among them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_BLOCK = 64  # rows of which only the best is looked at to bound the k-th best of all
_FEW = 4096  # postings that are sooner added up than avoided
_DEAR = 4  # postings that are added up in the time of looking up one


class Term(NamedTuple):
    """A word of the query in a part: how much it may add at most, and the rows that hold it how often."""

    weight: float
    rows: np.ndarray
    counts: np.ndarray


def best_rows(
    terms: Sequence[Term], damping: np.ndarray, k: int, allowed: np.ndarray | None = None, floor: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose sum is among the k best and not below `floor`, all ties included, with their sums, float32; no order.

    A row's sum is that of weight · count / (count + damping[row]) over the terms; rows without any are left out, as
    are those that are not `allowed`, bool (n,). `damping` is positive, float32 (n,).

    Rare words come first. Once the common ones left could not lift a row without any of the others to the k best, they
    are only looked up for the rows that could still get there (Turtle and Flood, "Query Evaluation: Strategies and
    Optimizations", Information Processing and Management 1995).
    """
    sums = np.zeros(len(damping), np.float32)
    if allowed is not None:
        sums[~allowed] = -np.inf
    ordered = sorted(terms, key=lambda term: len(term.rows))
    for number, term in enumerate(ordered):
        rest = sum(later.weight for later in ordered[number:])
        if len(term.rows) > _FEW and rest < (floor := max(floor, _bound(sums, k))):
            rows = np.flatnonzero(sums >= _below(floor - rest))
            if _DEAR * len(rows) < len(term.rows):
                return _looked_up(ordered[number:], damping, rows, sums[rows], k, floor)
        sums[term.rows] += _parts(term.weight, term.counts, damping[term.rows])
    least = _below(max(floor, _bound(sums, k)))
    rows = np.flatnonzero((sums >= least) & (sums > 0))
    return rows, sums[rows]


def sums_of(terms: Sequence[Term], damping: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The sums of the given rows, float32."""
    sums = np.zeros(len(rows), np.float32)
    for term in sorted(terms, key=lambda term: len(term.rows)):
        _look_up(term, damping, rows, sums)
    return sums


def _looked_up(
    terms: Sequence[Term], damping: np.ndarray, rows: np.ndarray, sums: np.ndarray, k: int, floor: float
) -> tuple[np.ndarray, np.ndarray]:
    for number, term in enumerate(terms):
        _look_up(term, damping, rows, sums)
        rest = sum(later.weight for later in terms[number + 1 :])
        if len(rows) > k:
            floor = max(floor, float(np.partition(sums, len(sums) - k)[len(sums) - k]))
        kept = sums >= _below(floor - rest)
        rows, sums = rows[kept], sums[kept]
    return rows, sums


def _look_up(term: Term, damping: np.ndarray, rows: np.ndarray, sums: np.ndarray) -> None:
    """Add the term to the sums of the rows that hold it."""
    if not len(term.rows) or not len(rows):
        return
    places = np.minimum(np.searchsorted(term.rows, rows), len(term.rows) - 1)
    found = np.flatnonzero(term.rows[places] == rows)
    sums[found] += _parts(term.weight, term.counts[places[found]], damping[rows[found]])


def _parts(weight: float, counts: np.ndarray, damping: np.ndarray) -> np.ndarray:
    many = counts.astype(np.float32)
    return np.asarray(np.float32(weight) * (many / (many + damping)))


def _bound(sums: np.ndarray, k: int) -> float:
    """At most the k-th largest, and mostly near it: the k-th largest of the blocks' largest; 0 where there are less."""
    whole = len(sums) // _BLOCK * _BLOCK
    if whole // _BLOCK < k:
        return float(max(np.partition(sums, len(sums) - k)[len(sums) - k], 0)) if len(sums) >= k else 0.0
    largest = sums[:whole].reshape(-1, _BLOCK).max(1)
    return float(max(np.partition(largest, len(largest) - k)[len(largest) - k], 0))


def _below(bound: float) -> float:
    """A bound that sums of another order of addition, which differ in their last bits, do not fall under."""
    return bound - 1e-5 * abs(bound)
