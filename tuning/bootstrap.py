"""Differences between two models on the same rows -> an interval, by resampling whole sources.

Rows of one source say similar things, so that they are drawn together (cluster bootstrap, Davison and Hinkley 1997,
3.8): as if they were independent, the interval would be too narrow. The percentiles are those of Hesterberg (2015,
"expanded percentile interval"), which undo most of the bootstrap's shortfall where sources are few.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

FEWEST = 8
"""Sources from which an interval is given; fewer say nothing reliable of their own spread."""
DRAWS = 4000
LEVEL = 0.95

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean with its interval. `low` and `high` are None where there is none, and `note` says why."""

    value: float
    low: float | None
    high: float | None
    rows: int
    sources: int
    level: float = LEVEL
    note: str = ""

    @property
    def floor(self) -> float | None:
        """The noise floor: half of the interval's width. A smaller change would not show on these rows."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    @property
    def below_zero(self) -> bool:
        return self.high is not None and self.high < 0

    @property
    def above_zero(self) -> bool:
        return self.low is not None and self.low > 0


def mean_interval(
    values: Sequence[float],
    sources: Sequence[Hashable],
    weights: Sequence[float] | None = None,
    largest: float | None = None,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """The mean of `values` (one a row, weighted), with its interval over `draws` resamples of the `sources`.

    `values` are differences between the two models on each row. `largest` is how far one can be from zero, where that
    is known: a mean that is the same in every resample then gets the width that such a sample leaves possible.
    Raises ValueError for no rows and for values that are not finite.
    """
    value, weight = np.asarray(values, dtype=float), np.asarray(weights or [1.0] * len(values), dtype=float)
    if not len(value) or not np.isfinite(value).all() or not (weight > 0).all():
        raise ValueError(f"{len(value)} values cannot be resampled: all must be finite and of positive weight")
    sums, masses = _by_source(value * weight, sources), _by_source(weight, sources)
    mean, count = float(sums.sum() / masses.sum()), len(sums)
    if count < FEWEST:
        note = f"{_count(count, 'source')}, fewer than {FEWEST}: too few for an interval"
        return Interval(mean, None, None, len(value), count, level, note)
    low, high = _percentiles(sums, masses, level, draws, seed)
    if high - low > 1e-9 * max(1.0, abs(mean)):
        return Interval(mean, low, high, len(value), count, level)
    if largest is None:
        note = f"the same in all of {_count(count, 'source')}: their spread cannot be told"
        return Interval(mean, None, None, len(value), count, level, note)
    # Each source that might yet differ does so with a chance that this sample leaves below 1 - (alpha / 2)^(1 / n).
    unseen = largest * (1 - ((1 - level) / 2) ** (1 / count))
    note = f"the same in all of {_count(count, 'source')}: the width is what as many could have missed"
    low, high = max(mean - unseen, -largest), min(mean + unseen, largest)
    return Interval(mean, low, high, len(value), count, level, note)


def widened(level: float, sources: int) -> float:
    """The level whose plain percentiles are taken: those of a t distribution, its spread not divided by n but n - 1."""
    quantile = stdtrit(sources - 1, (1 + level) / 2) * math.sqrt(sources / (sources - 1))
    return float(2 * ndtr(quantile) - 1)


def _percentiles(sums: Floats, masses: Floats, level: float, draws: int, seed: int) -> tuple[float, float]:
    count = len(sums)
    drawn = _drawn(count, draws, seed)
    tail = (1 - widened(level, count)) / 2
    low, high = np.quantile((drawn @ sums) / (drawn @ masses), [tail, 1 - tail])
    return float(low), float(high)


@lru_cache(maxsize=4)
def _drawn(count: int, draws: int, seed: int) -> Floats:
    """How often each of `count` sources is in each of the resamples (draws, count); the same for every figure."""
    return np.random.default_rng(seed).multinomial(count, [1 / count] * count, size=draws).astype(np.float64)


def _by_source(values: Floats, sources: Sequence[Hashable]) -> Floats:
    """Sums of the values of each source (sources,), in the order in which the sources first appear."""
    numbers = {source: number for number, source in enumerate(dict.fromkeys(sources))}
    sums = np.bincount([numbers[source] for source in sources], weights=values, minlength=len(numbers))
    return sums.astype(np.float64)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
