"""Means of several candidates on the same rows -> all their differences, with intervals that hold together.

A verdict looks at every pair at once and picks, so that intervals of which each is right 95 times in 100 by itself
would not do. Here the largest studentised deviation of any pair is resampled (Westfall and Young 1993), by whole
sources, and its quantile read as one of t instead of the normal distribution, as sources may be few.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import ndtr, stdtrit

from tuning.bootstrap import FEWEST

DRAWS = 4000


@dataclass(frozen=True)
class Gap:
    """How much better one is than another, with an interval that holds for all gaps of its evidence together."""

    value: float
    se: float
    low: float
    high: float

    @property
    def reversed(self) -> "Gap":
        return Gap(-self.value, self.se, -self.high, -self.low)


Gaps = Mapping[tuple[str, str], Gap]
"""By (one, other): one minus the other; both ways round."""


def gaps(
    values: Mapping[str, np.ndarray],
    sources: Sequence[Hashable],
    level: float,
    largest: float = math.inf,
    seed: int = 0,
) -> dict[tuple[str, str], Gap]:
    """Differences of the mean `values` (rows,) of each candidate; rows of one source are drawn together.

    `largest` bounds a difference. A pair that is alike on every row gets the width that as many rows could have missed.
    Of fewer than 8 sources nothing can be told of their spread: the intervals are then without end.
    """
    pairs = list(combinations(values, 2))
    differences = np.stack([values[one] - values[other] for one, other in pairs], axis=1)
    numbers = {source: number for number, source in enumerate(dict.fromkeys(sources))}
    place = np.array([numbers[source] for source in sources])
    count = len(numbers)
    sums = np.stack([np.bincount(place, column, count) for column in differences.T], axis=1)
    sizes = np.bincount(place, minlength=count).astype(np.float64)
    means = sums.sum(axis=0) / sizes.sum()
    se = half = np.full(len(pairs), math.inf)
    if count >= FEWEST:
        se, half = _widths(sums, sizes, means, level, largest, seed)
    found: dict[tuple[str, str], Gap] = {}
    for number, (one, other) in enumerate(pairs):
        value = float(means[number])
        gap = Gap(value, float(se[number]), value - float(half[number]), value + float(half[number]))
        found[one, other], found[other, one] = gap, gap.reversed
    return found


def _widths(
    sums: np.ndarray, sizes: np.ndarray, means: np.ndarray, level: float, largest: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Standard errors and half widths (pairs,)."""
    count = len(sizes)
    drawn = np.random.default_rng(seed).multinomial(count, [1 / count] * count, size=DRAWS).astype(np.float64)
    deviations = (drawn @ sums) / (drawn @ sizes)[:, None] - means
    se = deviations.std(axis=0) * math.sqrt(count / (count - 1))
    alike = se < 1e-12
    alpha = 1 - level
    furthest = np.abs(deviations[:, ~alike] / se[~alike]).max(axis=1) if not alike.all() else np.zeros(1)
    reach = float(stdtrit(count - 1, ndtr(np.quantile(furthest, level))))
    unseen = largest * (1 - (alpha / 2 / len(means)) ** (1 / count)) if math.isfinite(largest) else math.inf
    return np.where(alike, unseen / 2, se), np.where(alike, unseen, reach * se)
