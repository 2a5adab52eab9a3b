"""Choices -> the fitted model with its covariance, from which every figure of a ranking is read."""

from dataclasses import dataclass
from math import isfinite

import numpy as np

from eval.choice_model import Table, fit, lay_out
from eval.choices import Choices, Floats
from eval.errors import InputError
from eval.estimate import Uncertain, uncertain
from eval.rao_kupper import lay_out_pairs
from eval.sandwich import Spread, spread

TIE_POLICIES = ("davidson", "half", "drop", "rao-kupper")
DRAWS = 20_000
"""For the chance to be best, which they give to within 0.4 %; fewer where there are many names."""
MOST_DRAWN = 10_000_000


@dataclass(frozen=True)
class Settings:
    """What the result depends on beside the votes; every result carries it."""

    prior: float = 0.5
    """Ridge on every parameter, the inverse of a normal prior's variance; 0 is maximum likelihood."""
    tie_policy: str = "davidson"
    """`davidson`: how often ties come is a parameter, and a tie speaks for equal strength. `half`: a tie is half a win
    for each side. `drop`: ties are left out. `rao-kupper`: another model of ties, for pairs."""
    level: float = 0.95
    """Of every interval."""
    small_sample: bool = True
    """Correct the clustered standard errors, and take quantiles of t, for few clusters."""
    position: bool = False
    """Estimate what each place on the screen adds; the order is random, so that strengths are right without it too."""
    adjust: tuple[str, ...] = ()
    """Properties of the answers at equal values of which strengths compare: `length`, `format`, a table's columns."""

    def __post_init__(self) -> None:
        if not (isfinite(self.prior) and self.prior >= 0):
            raise InputError(f"The prior {self.prior} is not a number from 0; the default is 0.5.")
        if self.tie_policy not in TIE_POLICIES:
            raise InputError(f"The tie policy {self.tie_policy!r} is unknown; give half, {', '.join(TIE_POLICIES)}.")
        if not 0 < self.level < 1:
            raise InputError(f"The level {self.level} is not between 0 and 1; the default is 0.95.")


DEFAULT = Settings()


@dataclass(frozen=True, eq=False)
class Fitted:
    """The model with its estimates, from which every figure is read."""

    distinct: Choices
    table: Table
    parameters: Floats
    spread: Spread
    settings: Settings

    def read(self, weights: Floats) -> Uncertain:
        """The contrast `weights` of the strengths (names,)."""
        padded = np.concatenate([weights, np.zeros(self.table.size - len(weights))])
        return uncertain(padded, self.parameters, self.spread, self.settings.level, self.settings.prior)

    @property
    def names(self) -> tuple[str, ...]:
        return self.distinct.names

    @property
    def strengths(self) -> Floats:
        """(names,)"""
        return self.parameters[: len(self.names)]


def counted(choices: Choices, settings: Settings) -> Choices:
    """The choices that the settings take as evidence."""
    return choices.without_ties() if settings.tie_policy == "drop" else choices


def fit_choices(choices: Choices, settings: Settings) -> Fitted:
    """The fitted model with its covariance, clustered by the choices' first cluster and, if several, raters."""
    distinct, row = choices.distinct()
    if settings.tie_policy == "rao-kupper":
        table = lay_out_pairs(distinct)
    else:
        table = lay_out(distinct, "half" if settings.tie_policy == "half" else "davidson", settings.position)
    parameters = fit(table, settings.prior)
    clusters = [number for _, number in choices.clusters] or [choices.vote]
    if len(clusters) > 1 and (clusters[1] == clusters[1][:1]).all():
        clusters = clusters[:1]  # a single rater says nothing about how raters differ
    found = spread(table, parameters, row, choices.weight, clusters, settings.prior, settings.small_sample)
    return Fitted(distinct, table, parameters, found, settings)


def chance_of_best(found: Fitted) -> Floats:
    """(names,) The chance that each is the strongest, from draws of the estimates' distribution."""
    size = len(found.names)
    if not size:
        return np.zeros(0)
    half = max(1, min(DRAWS, MOST_DRAWN // max(size, 1)) // 2)
    random = np.random.default_rng(0)
    values, vectors = np.linalg.eigh(found.spread.covariance[:size, :size])
    normal = random.standard_normal((half, size))
    noise = (np.concatenate([normal, -normal]) * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    if found.spread.clusters[0]:
        degrees = max(found.spread.clusters[0] - 1, 1)
        noise *= np.sqrt(degrees / random.chisquare(degrees, len(noise)))[:, None]
    best = np.argmax(found.strengths + noise, axis=1)
    return np.asarray(np.bincount(best, minlength=size) / len(noise))
