"""The votes in groups and by what else they hold: time, raters, kinds of question, dimensions, places, costs."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from math import sqrt
from statistics import median

import numpy as np
from scipy.stats import f as fisher
from scipy.stats import t as student

from eval.agreement import agreements, unit_of
from eval.ballot import Ballot
from eval.choices import Choices, Floats
from eval.figures import Cell, Figure, Interval
from eval.fitted import Fitted, Settings, fit_choices
from eval.outcomes import normalised
from eval.ranking import Ranking, differences
from eval.variants import IDS

MOST_GROUPS = 8
"""The largest ones are shown."""
MOST_TIMED = 20_000
"""Of so many votes, evenly spaced, costs are taken: medians of more are the same."""
MOST_COLUMNS = 60
"""Of a chart over time."""

QUESTIONS = ("who", "what", "when", "where", "which", "why", "how", "is", "are", "does", "do", "can")


@lru_cache(maxsize=100_000)
def kind_of_question(question: str) -> str:
    """The word that a question begins with, where that tells what is asked for: `who`, `how`; otherwise `a task`."""
    first = "".join(filter(str.isalpha, normalised(question).split(" ")[0]))
    return {"is": "yes or no", "are": "yes or no", "does": "yes or no", "do": "yes or no", "can": "yes or no"}.get(
        first, first if first in QUESTIONS else "a task"
    )


GROUPINGS: dict[str, tuple[str, Callable[[Ballot], str]]] = {
    "task": ("topic or task", lambda vote: vote.task or "not named"),
    "question": ("kind of question", lambda vote: kind_of_question(vote.question)),
    "campaign": ("campaign", lambda vote: vote.campaign or "none"),
    "rater": ("rater", lambda vote: vote.rater),
    "adapter": ("adapter", lambda vote: vote.adapter[:8] or "not recorded"),
    "mode": ("way of voting", lambda vote: vote.mode),
    "turn": ("turn of the conversation", lambda vote: f"turn {vote.turn + 1}"),
}
"""By what votes can be grouped: its name for people, and the group of a vote."""


def by_group(votes: Sequence[Ballot], choices: Choices, grouping: str) -> Figure:
    """What tuning and retrieval add within each of the largest groups; empty where there is but one.

    `votes` are those that tell, `choices` what they chose.
    """
    title, group_of = GROUPINGS[grouping]
    names = [group_of(vote) for vote in votes]
    sizes = Counter(names)
    group = np.array(names, dtype=object)
    rows = []
    for name, members in sizes.most_common(MOST_GROUPS) if len(sizes) > 1 else ():
        _, effects = differences(choices.where((group == name)[choices.vote]))
        note = f"{members:,} vote" + "s" * (members != 1)
        for row in effects[:2]:
            more = (name, row.name, members)
            line = Interval(f"{name}: {row.name}", note, row.win_rate, row.win_low, row.win_high, None, more)
            rows.append(line)
    return Figure(
        id=f"by-{grouping}",
        title=f"With adapter or documents against without, by {title}",
        kind="intervals",
        unit="share",
        reference=0.5,
        intervals=tuple(rows),
        columns=(grouping, "effect", "votes"),
    )


def dimensions(votes: Sequence[Ballot]) -> Figure:
    """Mean points of each variant on each dimension of the rating form, with intervals over questions."""
    given: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for vote in votes:
        for variant, judgement in vote.judgements.items():
            for dimension, points in judgement.scores.items():
                given[dimension, variant][normalised(vote.question)].append(points)
    rows = []
    for dimension, variant in sorted(given, key=lambda key: (key[0], IDS.index(key[1]))):
        value, low, high, number = clustered_mean(list(given[dimension, variant].values()))
        rows.append(Interval(f"{dimension}: {variant}", f"{number} ratings", value, low, high,
                             None, (dimension, variant, number)))  # fmt: skip
    return Figure(
        id="dimensions",
        title="Points on each dimension",
        kind="intervals",
        unit="points",
        intervals=tuple(rows),
        columns=("dimension", "variant", "ratings"),
    )


def clustered_mean(groups: Sequence[Sequence[float]], level: float = 0.95) -> tuple[float, float, float, int]:
    """Mean of all values, its interval with errors clustered by group, and how many values there are.

    With a single group, the interval is as wide as the values' own scale of 10 points allows.
    """
    number = sum(len(group) for group in groups)
    mean = sum(sum(group) for group in groups) / number
    if len(groups) < 2:
        return mean, 1.0, 10.0, number
    residuals = sum(sum(value - mean for value in group) ** 2 for group in groups)
    # One point that half a rating could have been off: equal ratings do not make a certain mean.
    se = sqrt((residuals + 0.25) * len(groups) / (len(groups) - 1)) / number
    half = float(student.ppf((1 + level) / 2, len(groups) - 1)) * se
    return mean, mean - half, mean + half, number


def agreement(votes: Sequence[Ballot]) -> Figure:
    """Krippendorff's alpha of each judgement, over what several people judged; empty where nothing is."""
    judged = Counter(map(unit_of, votes))
    shared = [vote for vote in votes if judged[unit_of(vote)] > 1]
    rows = []
    for name, found in agreements(shared).items() if shared else ():
        if found.value is not None:
            note = f"{found.units:,} judged by several"
            more = (found.units, found.ratings, found.raters)
            rows.append(Interval(name, note, found.value, found.low, found.high, None, more))
    title = "How far raters agree"
    return Figure("agreement", title, "intervals", "alpha", 0.0, tuple(rows), ("units", "ratings", "raters"))


@dataclass(frozen=True)
class Positions:
    """What each place on the screen adds to the chance of the answer that stands there."""

    figure: Figure
    p: float | None
    """Of all places adding nothing; None without votes."""


def positions(choices: Choices) -> Positions:
    """The position test: a Wald test of the place terms, with the errors clustered as ever."""
    rows: list[Interval] = []
    p = None
    if len(choices):
        found = fit_choices(choices, Settings(position=True))
        used = int((choices.items >= 0).any(axis=0).sum())
        terms = np.zeros((used, found.table.size))
        for place in range(min(used, len(IDS) - 1)):  # the last of four has no term: the others are set against it
            terms[place, len(IDS) + place] = 1.0
        terms -= terms.mean(axis=0)
        for place, weights in enumerate(terms, start=1):
            row = found.read(weights)
            rows.append(
                Interval(f"place {place}", "counted from the left", row.value, row.low, row.high, None, (row.p,))
            )
        p = _wald(terms[:-1], found)
    title = "What each place on the screen adds"
    return Positions(Figure("position", title, "intervals", "nats", 0.0, tuple(rows), ("p",)), p)


def _wald(weights: Floats, found: Fitted) -> float:
    """p of all the contrasts `weights` (k, size) being zero, by F with as many degrees as there are clusters."""
    value = weights @ found.parameters
    variance = weights @ found.spread.covariance @ weights.T
    statistic = float(value @ np.linalg.solve(variance, value)) / len(weights)
    return float(fisher.sf(statistic, len(weights), max(found.spread.clusters[0] - 1, 1)))


def over_time(votes: Sequence[Ballot]) -> Figure:
    """How many of the votes were cast each day, or in as many days as keep the columns few."""
    days: Counter[tuple[date, str]] = Counter()
    for (day, choice), number in Counter((vote.time[:10], vote.choice) for vote in votes).items():
        kind = "decided" if choice in IDS else "tie" if choice in ("tie", "all_good") else "other"
        days[date.fromisoformat(day), kind] += number
    rows: list[tuple[str, int, int, int]] = []
    if days:
        first, last = min(day for day, _ in days), max(day for day, _ in days)
        step = -(-((last - first).days + 1) // MOST_COLUMNS)
        for number in range(0, (last - first).days + 1, step):
            start = first + timedelta(days=number)
            span = [start + timedelta(days=more) for more in range(step)]
            counts = [sum(days[day, kind] for day in span) for kind in ("decided", "tie", "other")]
            rows.append((start.isoformat(), counts[0], counts[1], counts[2]))
    title = "Votes over time"
    return Figure("time", title, "columns", "votes", columns=("day", "decided", "tie", "other"), table=tuple(rows))


def costs(votes: Sequence[Ballot], ranking: Ranking) -> Figure:
    """Medians of tokens and seconds of each variant beside its strength."""
    strength = {row.name: row.log_strength for row in ranking.strengths}
    kinds = ("tokens", "first_token_seconds", "seconds")
    rows: list[tuple[Cell, ...]] = []
    votes = votes[:: len(votes) // MOST_TIMED + 1]
    for name in IDS:
        values = [[table[name] for vote in votes if name in (table := getattr(vote, kind))] for kind in kinds]
        if all(values):
            rows.append((name, strength[name], *(float(median(each)) for each in values)))
    columns = ("variant", "log strength", "median tokens", "median seconds to the first token", "median seconds in all")
    return Figure("costs", "Cost and latency beside quality", "scatter", "nats", columns=columns, table=tuple(rows))
