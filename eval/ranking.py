"""Pair outcomes -> strengths, contrasts and the three factorial effects, each with an interval. No files, no pages."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import combinations
from math import erfc, isfinite, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np

from eval.bradley_terry import Floats, Integers, covariance, fit
from eval.errors import InputError
from eval.outcomes import Pairs, pair_outcomes
from eval.variants import IDS, VARIANTS
from eval.vote import Vote

PROVISIONAL_BELOW = 10
"""With fewer votes a result is shown as provisional."""

EFFECTS = {
    "tuning": tuple((1 if variant.tuned else -1) / 2 for variant in VARIANTS),
    "retrieval": tuple((1 if variant.documents else -1) / 2 for variant in VARIANTS),
    "interaction": tuple(1 if variant.tuned == variant.documents else -1 for variant in VARIANTS),
}
"""Weights on the log strengths, in the order of `IDS`. Tuning: the mean of what the adapter adds without and with
documents; retrieval likewise; interaction: what tuning adds with documents minus what it adds without."""


@dataclass(frozen=True)
class Settings:
    """What the result depends on beside the votes; every result carries it."""

    prior: float = 0.5
    """Ridge on the log strengths, the inverse of a normal prior's variance; 0 is maximum likelihood."""
    tie_policy: str = "half"
    """`half`: a tie is half a win for each side. `drop`: ties are left out."""
    level: float = 0.95
    """Of every interval."""
    small_sample: bool = True
    """Correct the clustered standard errors for few clusters (Morel, Bokossa and Neerchal 2003)."""

    def __post_init__(self) -> None:
        if not (isfinite(self.prior) and self.prior >= 0):
            raise InputError(f"The prior {self.prior} is not a number from 0; the default is 0.5.")
        if self.tie_policy not in ("half", "drop"):
            raise InputError(f"The tie policy {self.tie_policy!r} is unknown; give half or drop.")
        if not 0 < self.level < 1:
            raise InputError(f"The level {self.level} is not between 0 and 1; the default is 0.95.")


@dataclass(frozen=True)
class Strength:
    """One name's log strength in nats; those of all names have mean zero. The counts are of pair outcomes."""

    name: str
    log_strength: float
    se: float
    low: float
    high: float
    wins: int
    losses: int
    ties: int


@dataclass(frozen=True)
class Contrast:
    """Log strength of `left` minus that of `right`, with the Wald test of no difference."""

    left: str
    right: str
    difference: float
    se: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Effect:
    """A linear contrast of the four log strengths, in nats: 0.1 is a chance of 52.5 % to win a pair."""

    name: str
    value: float
    se: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Ranking:
    """Everything that a page or a report says about strengths. Intervals never have zero width."""

    settings: Settings
    votes: int
    """Votes that gave an outcome."""
    outcomes: int
    clusters: int
    clustered_by: str
    dropped: int
    """Self-pairs, which say nothing."""
    provisional: bool
    strengths: tuple[Strength, ...]
    """Strongest first."""
    contrasts: tuple[Contrast, ...]
    effects: tuple[Effect, ...]
    """Tuning, retrieval and interaction; empty unless the names are the four variants."""

    def to_json(self) -> dict[str, Any]:
        """As JSON types, with the settings beside the results."""
        record = asdict(self)
        return {**record.pop("settings"), **record}


DEFAULT = Settings()


def rank_votes(votes: Iterable[Vote], settings: Settings = DEFAULT) -> Ranking:
    """The ranking of the four variants by the blind votes."""
    return rank(pair_outcomes(votes), settings)


def rank(pairs: Pairs, settings: Settings = DEFAULT) -> Ranking:
    """Fit Bradley-Terry and read off strengths, contrasts and effects.

    Raises `InputError` where the prior is 0 and the outcomes have no finite fit.
    """
    kept = pairs.score != 0.5 if settings.tie_policy == "drop" else np.ones(len(pairs.score), dtype=bool)
    left, right, score, cluster = (array[kept] for array in (pairs.left, pairs.right, pairs.score, pairs.cluster))
    strengths: tuple[Strength, ...] = ()
    contrasts: tuple[Contrast, ...] = ()
    effects: tuple[Effect, ...] = ()
    if pairs.names:
        theta = fit(left, right, score, len(pairs.names), settings.prior)
        spread = covariance(theta, left, right, score, cluster, settings.prior, settings.small_sample)
        strengths = _strengths(pairs.names, theta, spread, _record(left, right, score, len(theta)), settings.level)
        contrasts = _contrasts(pairs.names, theta, spread, settings.level)
        if pairs.names == IDS:
            effects = tuple(
                Effect(name, *_estimate(np.array(weights), theta, spread, settings.level))
                for name, weights in EFFECTS.items()
            )
    votes = len(np.unique(pairs.vote[kept]))
    return Ranking(
        settings=settings,
        votes=votes,
        outcomes=len(score),
        clusters=len(np.unique(cluster)),
        clustered_by=pairs.clustered_by,
        dropped=pairs.dropped,
        provisional=votes < PROVISIONAL_BELOW,
        strengths=strengths,
        contrasts=contrasts,
        effects=effects,
    )


def _record(left: Integers, right: Integers, score: Floats, players: int) -> Integers:
    """Wins, losses and ties (players, 3) of each player."""
    mine, score = np.concatenate([left, right]), np.concatenate([score, 1 - score])
    return np.stack([np.bincount(mine[score == value], minlength=players) for value in (1, 0, 0.5)], axis=1)


def _strengths(
    names: tuple[str, ...], theta: Floats, spread: Floats, record: Integers, level: float
) -> tuple[Strength, ...]:
    rows = []
    for number in _strongest_first(theta):
        value, se, low, high, _ = _estimate(np.eye(len(theta))[number], theta, spread, level)
        wins, losses, ties = (int(count) for count in record[number])
        rows.append(Strength(names[number], value, se, low, high, wins, losses, ties))
    return tuple(rows)


def _contrasts(names: tuple[str, ...], theta: Floats, spread: Floats, level: float) -> tuple[Contrast, ...]:
    unit = np.eye(len(theta))
    order = _strongest_first(theta)
    return tuple(
        Contrast(names[one], names[other], *_estimate(unit[one] - unit[other], theta, spread, level))
        for one, other in combinations(order, 2)
    )


def _strongest_first(theta: Floats) -> Integers:
    return np.argsort(-theta.round(9), kind="stable")  # equal ones keep their order whatever the last bits say


def _estimate(weights: Floats, theta: Floats, spread: Floats, level: float) -> tuple[float, float, float, float, float]:
    """Value, standard error, interval and two-sided p of the linear contrast `weights` (players,)."""
    value, se = float(weights @ theta), sqrt(float(weights @ spread @ weights))
    half = NormalDist().inv_cdf((1 + level) / 2) * se
    return value, se, value - half, value + half, erfc(abs(value) / se / sqrt(2))
