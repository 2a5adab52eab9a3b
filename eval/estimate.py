"""One figure with all that is said of its certainty: intervals, tests, and how many more votes would settle it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, erfc, inf, sqrt
from statistics import NormalDist
from typing import Any

from scipy.special import expit
from scipy.stats import t as student

from eval.anytime import half_width, p_value
from eval.choices import Floats
from eval.sandwich import Spread

POWER = 0.8
"""The chance that the votes foretold as needed are enough, if the difference is what it seems to be now."""
MOST_NEEDED = 100_000
"""Where more votes than that were needed, the two are as good as equal."""


@dataclass(frozen=True)
class Uncertain:
    """A value in nats, its standard error, the interval for one look, and the test against zero."""

    value: float
    se: float
    low: float
    high: float
    p: float
    reach: float
    """Half the interval over `se`: a quantile of t, or less where the prior bounds it."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How certain a difference is, beyond its plain interval."""

    p_holm: float
    """`p` corrected for all differences of its family that are tested at once (Holm 1979)."""
    win_rate: float
    """The chance to win a pair, ties apart; of the interaction, a difference of two such chances."""
    win_low: float
    win_high: float
    anytime_low: float
    """The interval that holds however often one looks."""
    anytime_high: float
    p_anytime: float
    """Its p-value, corrected by Holm."""
    settled: bool
    """Whether `p_anytime` is below one minus the level, so that looking on cannot overturn the error rate."""
    votes_needed: int | None
    """How many more votes would probably settle it; 0 if settled, None if more than a hundred thousand."""


def uncertain(weights: Floats, parameters: Floats, spread: Spread, level: float, prior: float) -> Uncertain:
    """The linear contrast `weights` (size,) of the parameters.

    No interval is wider than the prior's own: votes can only narrow it, though few clusters may not show by how much.
    """
    value = float(weights @ parameters)
    variance, degrees = spread.of(weights)
    se, z = sqrt(variance), NormalDist().inv_cdf((1 + level) / 2)
    reach = z if degrees == inf else _quantile((1 + level) / 2, round(max(degrees, 1.0), 3))
    if prior and spread.small_sample:
        reach = max(z, min(reach, z * sqrt(float(weights @ weights) / prior) / se))
    half = reach * se
    # The test that belongs to the interval: the distance in units of the quantile, read as a normal one.
    return Uncertain(value, se, value - half, value + half, erfc(abs(value) / half * z / sqrt(2)), reach)


@lru_cache(maxsize=4096)
def _quantile(share: float, degrees: float) -> float:
    return float(student.ppf(share, degrees))


def judged(family: Sequence[Uncertain], votes: int, level: float) -> list[dict[str, Any]]:
    """The fields of `Difference` for each of a family that is tested at once."""
    looks = [p_value(row.value, _honest(row, level), votes, level) for row in family]
    return [
        _fields(row, votes, level, p_holm, p_anytime, factor)
        for row, p_holm, p_anytime, factor in zip(
            family, holm([row.p for row in family]), holm(looks), _factors(looks), strict=True
        )
    ]


def holm(p: Sequence[float]) -> list[float]:
    """p-values adjusted for being several (Holm 1979, Scandinavian Journal of Statistics 6), in the order given."""
    adjusted, most = [0.0] * len(p), 0.0
    for number, factor in sorted(enumerate(_factors(p)), key=lambda pair: -pair[1]):
        most = max(most, min(1.0, factor * p[number]))
        adjusted[number] = most
    return adjusted


def _factors(p: Sequence[float]) -> list[int]:
    """How many p-values, each one included, are not smaller: what Holm multiplies it with."""
    order = sorted(range(len(p)), key=lambda number: p[number])
    factors = [0] * len(p)
    for rank, number in enumerate(order):
        factors[number] = len(p) - rank
    return factors


def votes_needed(row: Uncertain, votes: int, level: float, factor: int = 1) -> int | None:
    """How many votes beyond `votes` settle the difference with a chance of `POWER`, if it is what it seems to be.

    Settled: the interval that holds at every look excludes zero, at a level corrected for `factor` comparisons. The
    votes to come are taken to be like those so far, their prompts and raters included, so that the error falls with
    the root of their number. None where that takes more than `MOST_NEEDED`.
    """
    se, corrected = _honest(row, level), 1 - (1 - level) / factor
    power = NormalDist().inv_cdf(POWER)

    def enough(total: int) -> bool:
        then = se * sqrt(votes / total)
        return abs(row.value) >= half_width(then, total, corrected) + power * then

    if votes == 0 or not enough(votes + MOST_NEEDED):
        return None
    low, high = votes, votes + MOST_NEEDED
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high - votes


def rounded(count: int) -> int:
    """A number of votes to two digits, upwards: it is an estimate of an estimate."""
    step: int = 10 ** max(0, len(str(count)) - 2)
    return ceil(count / step) * step


def _honest(row: Uncertain, level: float) -> float:
    """The standard error, larger where few clusters stand behind it."""
    return row.se * row.reach / NormalDist().inv_cdf((1 + level) / 2)


def _fields(row: Uncertain, votes: int, level: float, p_holm: float, p_anytime: float, factor: int) -> dict[str, Any]:
    half = half_width(_honest(row, level), max(votes, 1), level)
    settled = p_anytime <= 1 - level
    return {
        "p_holm": p_holm,
        "win_rate": float(expit(row.value)),
        "win_low": float(expit(row.low)),
        "win_high": float(expit(row.high)),
        "anytime_low": row.value - half,
        "anytime_high": row.value + half,
        "p_anytime": p_anytime,
        "settled": settled,
        "votes_needed": 0 if settled else votes_needed(row, votes, level, factor),
    }
