"""Krippendorff's alpha: how far raters agree beyond chance, with however many raters a unit and any of them missing.

Klaus Krippendorff, Computing Krippendorff's Alpha-Reliability (2011): 1 is perfect agreement, 0 what chance gives.
The interval resamples units, since the ratings of one unit are not independent.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from eval.choices import Floats

Rating = tuple[str, str, Any]
"""Unit, rater, value. A rater's later values of a unit are not counted."""
Metric = Literal["nominal", "ordinal", "interval"]
RESAMPLES = 2000


@dataclass(frozen=True)
class Alpha:
    """Agreement with its interval; `value` is None, and the interval all of -1 to 1, where it is not defined."""

    value: float | None
    low: float
    high: float
    level: float
    metric: str
    units: int
    """Those with two ratings or more; the others say nothing about agreement."""
    ratings: int
    """Of those units."""
    raters: int
    note: str = ""
    """What a reader must know about these numbers, in a sentence."""


def alpha(
    ratings: Iterable[Rating],
    metric: Metric = "nominal",
    level: float = 0.95,
    seed: int = 0,
    cluster: Callable[[str], str] = str,
) -> Alpha:
    """Agreement of all raters on all units. Values of the ordinal metric are ordered as they sort, 2 before 10.

    Units with the same `cluster` are not independent, and are resampled together.
    """
    named = _units(ratings)
    units = list(named.values())
    values = sorted({value for unit in units for value in unit.values()}, key=_rank)
    raters = len({rater for unit in units for rater in unit})
    size = (len(units), sum(map(len, units)), raters)
    if not units:
        return _undefined(level, metric, size, "No unit was rated by two raters, so agreement cannot be told.")
    if len(values) == 1:
        return _undefined(
            level, metric, size, f"Every rating is {values[0]!r}: without variation chance explains the agreement."
        )
    distance = _distances(values, metric)
    tables = _by_cluster(_coincidences(units, values), [cluster(name) for name in named])
    observed = float(_alpha(tables.sum(0)[None], distance)[0])
    low, high, note = _interval(tables, distance, observed, level, seed)
    return Alpha(observed, low, high, level, metric, *size, note)


def _undefined(level: float, metric: str, size: tuple[int, int, int], note: str) -> Alpha:
    return Alpha(None, -1.0, 1.0, level, metric, *size, note)


def _units(ratings: Iterable[Rating]) -> dict[str, dict[str, Any]]:
    units: dict[str, dict[str, Any]] = {}
    for unit, rater, value in ratings:
        units.setdefault(unit, {}).setdefault(rater, value)
    return {name: unit for name, unit in units.items() if len(unit) >= 2}


def _rank(value: Any) -> tuple[bool, Any]:
    number = isinstance(value, int | float)
    return not number, value if number else str(value)


def _coincidences(units: Sequence[dict[str, Any]], values: Sequence[Any]) -> Floats:
    """(units, values, values): each unit's ordered pairs of values, weighted by 1 / (ratings of the unit - 1)."""
    index = {value: number for number, value in enumerate(values)}
    tables = np.zeros((len(units), len(values), len(values)))
    for number, unit in enumerate(units):
        counts = np.bincount([index[value] for value in unit.values()], minlength=len(values)).astype(float)
        tables[number] = (np.outer(counts, counts) - np.diag(counts)) / (len(unit) - 1)
    return tables


def _by_cluster(tables: Floats, clusters: Sequence[str]) -> Floats:
    numbers = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
    summed = np.zeros((len(numbers), *tables.shape[1:]))
    np.add.at(summed, [numbers[name] for name in clusters], tables)
    return summed


Distance = Callable[[Floats], Floats]
"""(n, values) how often each value occurs -> (n, values, values) or (values, values) squared differences."""


def _distances(values: Sequence[Any], metric: Metric) -> Distance:
    if metric == "nominal":
        different = 1.0 - np.eye(len(values))
        return lambda totals: different
    if metric == "interval":
        numbers = np.asarray(values, dtype=float)
        squares = (numbers[:, None] - numbers) ** 2
        return lambda totals: squares
    return _ordinal


def _ordinal(totals: Floats) -> Floats:
    """Two values are as far apart as there are ratings between them, their own counted by half."""
    middle = np.cumsum(totals, axis=1) - totals / 2
    return np.asarray((middle[:, :, None] - middle[:, None, :]) ** 2)


def _alpha(tables: Floats, distance: Distance) -> Floats:
    """(n,) for (n, values, values) coincidences; NaN where all ratings are equal."""
    totals = tables.sum(2)
    ratings = totals.sum(1)
    squares = distance(totals)
    observed = (tables * squares).sum((1, 2))
    expected = (totals[:, :, None] * totals[:, None, :] * squares).sum((1, 2)) / (ratings - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1 - observed / expected)


def _interval(tables: Floats, distance: Distance, observed: float, level: float, seed: int) -> tuple[float, float, str]:
    units = len(tables)
    if observed == 1.0:
        # No resample could show a disagreement: as many units as chance may have hidden are taken for guessed.
        hidden = 1 - ((1 - level) / 2) ** (1 / units)
        return 1 - hidden, 1.0, f"No disagreement in {units} units; the interval allows for what so few can hide."
    weights = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), RESAMPLES)
    flat = tables.reshape(units, -1)
    drawn = _alpha((weights @ flat).reshape(RESAMPLES, *tables.shape[1:]), distance)
    drawn = drawn[np.isfinite(drawn)]
    tail = (1 - level) / 2
    low, high = (float(value) for value in np.quantile(drawn, [tail, 1 - tail])) if len(drawn) else (-1.0, 1.0)
    if high - low < 1e-9:
        return -1.0, 1.0, f"{units} units are too few for an interval: every resample of them gives the same value."
    few = f"Only {units} units: take it as a first impression." if units < 10 else ""
    return min(low, observed), max(high, observed), few
