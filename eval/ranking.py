"""Choices -> strengths, contrasts and the three factorial effects, each with intervals. No files, no pages."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import combinations, permutations
from typing import Any

import numpy as np

from eval.choice_model import mean_log_loss
from eval.choices import Choices, Floats, Integers, count_of
from eval.degenerate import warnings
from eval.estimate import Difference, judged
from eval.factorial import EFFECTS, interaction_of_win_rates
from eval.fitted import DEFAULT, Fitted, Settings, chance_of_best, counted, fit_choices
from eval.outcomes import Voted, choices_of
from eval.variants import IDS

PROVISIONAL_BELOW = 10
"""With fewer votes a result is shown as provisional."""


@dataclass(frozen=True)
class Strength:
    """One name's log strength in nats; those of all names have mean zero. The counts are of pairs in choices."""

    name: str
    log_strength: float
    se: float
    low: float
    high: float
    wins: int
    losses: int
    ties: int
    p_best: float
    """The chance that it is the strongest of all."""


@dataclass(frozen=True, kw_only=True)
class Contrast(Difference):
    """Log strength of `left` minus that of `right`, with the test of no difference."""

    left: str
    right: str
    difference: float
    se: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, kw_only=True)
class Effect(Difference):
    """A linear contrast of the four log strengths, in nats: 0.1 is a chance of 52.5 % to win a pair."""

    name: str
    value: float
    se: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Term:
    """What a place on the screen, a property of the answer or a kind of tie adds to the log strength."""

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
    """Votes that gave a choice."""
    outcomes: int
    """Choices: one of a pick, several of a ranking."""
    clusters: int
    """Of the first way of clustering."""
    clustered_by: str
    raters: int
    """By whom errors are clustered too where they are several; 0 where unknown."""
    dropped: int
    """Self-pairs, which say nothing."""
    log_loss: float | None
    """Mean negative log-likelihood of a choice, in nats."""
    provisional: bool
    warnings: tuple[str, ...]
    strengths: tuple[Strength, ...]
    """Strongest first."""
    contrasts: tuple[Contrast, ...]
    effects: tuple[Effect, ...]
    """Tuning, retrieval and interaction; empty unless the names are the four variants."""
    terms: tuple[Term, ...]

    def to_json(self) -> dict[str, Any]:
        """As JSON types, with the settings beside the results."""
        record = asdict(self)
        return {**record.pop("settings"), **record}


def rank_votes(votes: Iterable[Voted], settings: Settings = DEFAULT, kind: str = "person") -> Ranking:
    """The ranking of the four variants by the blind votes of raters of `kind`."""
    return rank(choices_of(votes, settings.adjust, kind), settings)


def rank(choices: Choices, settings: Settings = DEFAULT) -> Ranking:
    """Fit the model and read off strengths, contrasts and effects.

    Raises `InputError` where the prior is 0 and the choices have no finite fit.
    """
    kept = counted(choices, settings)
    found = fit_choices(kept, settings)
    record = _record(found.distinct)
    votes = count_of(kept.vote)
    clusters = [(name, count_of(number)) for name, number in kept.clusters] or [("vote", votes)]
    return Ranking(
        settings=settings,
        votes=votes,
        outcomes=len(kept),
        clusters=clusters[0][1],
        clustered_by=clusters[0][0],
        raters=dict(clusters).get("rater", 0),
        dropped=kept.dropped,
        log_loss=mean_log_loss(found.table, found.parameters) if len(kept) else None,
        provisional=votes < PROVISIONAL_BELOW,
        warnings=warnings(found.distinct, record, votes, dict(clusters)),
        strengths=_strengths(found, record),
        contrasts=_contrasts(found, votes),
        effects=_effects(found, votes) if found.names == IDS else (),
        terms=_terms(found),
    )


def differences(choices: Choices, settings: Settings = DEFAULT) -> tuple[tuple[Contrast, ...], tuple[Effect, ...]]:
    """Only the contrasts and effects of `rank`."""
    kept = counted(choices, settings)
    found, votes = fit_choices(kept, settings), count_of(kept.vote)
    return _contrasts(found, votes), _effects(found, votes) if found.names == IDS else ()


def _record(distinct: Choices) -> Integers:
    """Wins, losses and ties (names, 3) of each name against each other one that was offered with it."""
    names, slots = len(distinct.names), distinct.items.shape[1]
    record = np.zeros((names, 3))
    for one, other in permutations(range(slots), 2):
        both = (distinct.items[:, one] >= 0) & (distinct.items[:, other] >= 0)
        mine, theirs = distinct.chosen[both, one], distinct.chosen[both, other]
        for column, kind in enumerate((mine & ~theirs, theirs & ~mine, mine & theirs)):
            record[:, column] += np.bincount(distinct.items[both, one], distinct.weight[both] * kind, names)
    return np.rint(record).astype(np.int64)


def _strengths(found: Fitted, record: Integers) -> tuple[Strength, ...]:
    chance = chance_of_best(found)
    rows = []
    for number in _strongest_first(found.strengths):
        weights = np.full(len(found.names), -1.0 / len(found.names))
        weights[number] += 1.0
        row = found.read(weights)
        wins, losses, ties = (int(count) for count in record[number])
        name, best = found.names[number], float(chance[number])
        rows.append(Strength(name, row.value, row.se, row.low, row.high, wins, losses, ties, best))
    return tuple(rows)


def _contrasts(found: Fitted, votes: int) -> tuple[Contrast, ...]:
    unit = np.eye(len(found.names))
    pairs = list(combinations(_strongest_first(found.strengths), 2))
    family = [found.read(unit[one] - unit[other]) for one, other in pairs]
    return tuple(
        Contrast(
            left=found.names[one],
            right=found.names[other],
            difference=row.value,
            **{name: getattr(row, name) for name in ("se", "low", "high", "p")},
            **said,
        )
        for (one, other), row, said in zip(pairs, family, judged(family, votes, found.settings.level), strict=True)
    )


def _effects(found: Fitted, votes: int) -> tuple[Effect, ...]:
    family = [found.read(np.array(weights)) for weights in EFFECTS.values()]
    said = judged(family, votes, found.settings.level)
    rate, gradient = interaction_of_win_rates(found.strengths)
    share = found.read(gradient)
    half = (share.high - share.low) / 2
    said[-1] |= {"win_rate": rate, "win_low": max(rate - half, -1.0), "win_high": min(rate + half, 1.0)}
    return tuple(
        Effect(name=name, **{key: getattr(row, key) for key in ("value", "se", "low", "high", "p")}, **more)
        for name, row, more in zip(EFFECTS, family, said, strict=True)
    )


def _terms(found: Fitted) -> tuple[Term, ...]:
    rows = []
    for number, name in enumerate(found.table.terms):
        weights = np.zeros(len(found.names) + number + 1)
        weights[-1] = 1.0
        row = found.read(weights)
        rows.append(Term(name, row.value, row.se, row.low, row.high, row.p))
    return tuple(rows)


def _strongest_first(theta: Floats) -> Integers:
    return np.argsort(-theta.round(9), kind="stable")  # equal ones keep their order whatever the last bits say
