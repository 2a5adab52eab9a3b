"""Votes or a benchmark -> what a verdict weighs: the candidates, how good each is, and the gap between any two."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from eval.cells import read_cell
from eval.errors import InputError
from eval.fitted import Settings
from eval.metrics import METRICS
from eval.ranking import rank_votes
from eval.scoreboard import Figures, column, figures_from
from eval.simultaneous import Gap, Gaps, gaps
from eval.variants import IDS
from eval.vote import Vote, is_evidence
from tuning.bootstrap import FEWEST
from tuning.scores import token_f1

SETUP = {"base": 0, "rag": 2, "tuned": 3, "combined": 4}
"""What each needs to be set up and kept up, from nothing to everything; examples in the prompt cost a step more."""

BARE = 0.9
"""Mean token F1 of the rows' own answers against the accepted ones, from which on they are taken to be bare."""


@dataclass(frozen=True)
class Evidence:
    """One source of evidence about the same candidates."""

    kind: str
    """`votes` or `benchmark`."""
    words: str
    """What was compared, on what, by whom."""
    measure: str
    """What the figures are."""
    count: int
    """Votes, or rows."""
    level: float
    """At which all gaps hold together."""
    margin: float
    """In the unit of the gaps."""
    values: Mapping[str, Mapping[str, float | None]]
    """By candidate, the one that costs least first: `value`, `low`, `high`."""
    gaps: Gaps
    note: str = ""

    @property
    def candidates(self) -> list[str]:
        return list(self.values)


def by_cost(candidates: Sequence[str], order: Sequence[str] = ()) -> list[str]:
    """The candidates, the one that costs least first: as `order` says, else by what each needs (`SETUP`)."""

    def declared(id: str) -> tuple[float, int]:
        cell = read_cell(id)
        return SETUP[cell.variant.id] + (0.5 if cell.shots else 0.0), cell.shots

    unknown = set(order) - set(candidates)
    if unknown:
        raise InputError(f"The cost order names {', '.join(sorted(unknown))}; candidates are {', '.join(candidates)}.")
    return [*order, *sorted((id for id in candidates if id not in order), key=declared)]


def of_votes(votes: Sequence[Vote], margin: float, level: float, order: Sequence[str] = ()) -> Evidence:
    """Blind votes of people. `margin` is a share of pairs above one half that the better one may win."""
    counted = [vote for vote in votes if is_evidence(vote)]
    pairs = len(IDS) * (len(IDS) - 1) // 2
    together = 1 - (1 - level) / pairs
    ranking = rank_votes(counted, Settings(level=together))
    found: dict[tuple[str, str], Gap] = {}
    for row in ranking.contrasts:
        # Who watches the results while voting looks often, so that the interval must hold at every look.
        low, high = getattr(row, "anytime_low", row.low), getattr(row, "anytime_high", row.high)
        gap = Gap(row.difference, row.se, low, high)
        found[row.left, row.right], found[row.right, row.left] = gap, gap.reversed
    strengths = {row.name: {"value": row.log_strength, "low": row.low, "high": row.high} for row in ranking.strengths}
    raters = len({vote.rater for vote in counted})
    return Evidence(
        kind="votes",
        words=f"{ranking.votes} blind votes of {raters} raters on {ranking.clusters} questions",
        measure="Bradley-Terry log strength",
        count=ranking.votes,
        level=level,
        margin=math.log((0.5 + margin) / (0.5 - margin)),
        values={id: strengths[id] for id in by_cost(IDS, order)} if strengths else {},
        gaps=found,
    )


def of_benchmark(
    result: Mapping[str, Any], margin: float, level: float, metric: str | None = None, order: Sequence[str] = ()
) -> Evidence:
    """A benchmark's rows on which every candidate has the `metric`, or the one that suits its rows. Raises InputError
    where the metric ranks nothing."""
    figures, ids = figures_from(result), list(result["variants"])
    metric = metric or default_metric(figures, ids[0])
    if metric not in METRICS or not METRICS[metric].better:
        known = ", ".join(name for name, about in METRICS.items() if about.better)
        raise InputError(f"A verdict cannot be told by {metric!r}; give --metric one of {known}.")
    about = METRICS[metric]
    table = {id: column(figures, id, metric) * about.better for id in by_cost(ids, order)}
    there = ~np.isnan(np.stack(list(table.values()))).any(axis=0)
    if not there.any():
        raise InputError(f"No row of {result['name']} has {about.words} for all candidates; give another --metric.")
    kept = [one for one, measured in zip(figures, there, strict=True) if measured]
    values = {id: column_[there] for id, column_ in table.items()}
    sources: list[Any] = [one.source for one in kept]
    note = ""
    if len(set(sources)) < FEWEST <= len(kept):
        sources = list(range(len(kept)))
        note = "rows were drawn singly, as sources are few: it holds for more rows of these, not of others"
    largest = 1.0 if math.isfinite(about.bounds[1]) else math.inf
    shown = {id: result["variants"][id][metric] for id in values}
    return Evidence(
        kind="benchmark",
        words=f"{len(kept)} held-out rows from {len({one.source for one in kept})} sources, scored without people",
        measure=about.words,
        count=len(kept),
        level=level,
        margin=margin,
        values={id: {end: one[end] for end in ("value", "low", "high")} for id, one in shown.items()},
        gaps=gaps(values, sources, level, largest),
        note=note,
    )


def default_metric(figures: Sequence[Figures], cell: str) -> str:
    """The metric that suits the rows: token F1 where their own answers are the short ones, whether an accepted answer
    is held where they are sentences around it, of which F1 would punish every other word; else ROUGE-L."""
    short = [one for one in figures if not math.isnan(one.cells[cell]["f1"])]
    if len(short) < len(figures) / 2:
        return "rouge_l"
    own = [token_f1(one.response, one.answers) for one in short if one.answers]
    return "holds" if own and fmean(own) < BARE else "f1"
