"""Votes -> what was judged: how many of each kind, what was chosen from what, how often each variant was picked.

Only blind votes of people are evidence about quality; open ones, those of judges and those on an adapter against its
parent are counted apart. Variants that gave the same text are not compared with each other: each of them stands for the
text in turn.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from math import log1p
from statistics import NormalDist
from typing import Any, TypeVar

import numpy as np

from eval.ballot import Ballot, Style, style
from eval.choices import Choices, Floats, Integers
from eval.variants import IDS
from eval.vote import NO_WINNER, Vote, is_evidence

Voted = Vote | Ballot
AnyVote = TypeVar("AnyVote", Vote, Ballot, Voted)

PROPERTIES: dict[str, Callable[[Style], float]] = {
    "length": lambda looks: log1p(looks.characters),
    "format": lambda looks: log1p(looks.headings + looks.items + looks.bold),
}
"""Properties of an answer that a strength can be adjusted for, in logs: twice as long is a step of the same size for
short and for long answers."""


@dataclass(frozen=True)
class Tally:
    """How many votes of each kind."""

    decided: int = 0
    tie: int = 0
    all_good: int = 0
    all_bad: int = 0
    skip: int = 0
    open: int = 0
    """Not blind, and so in none of the other counts."""
    judge: int = 0
    """Of a language model, and so in none of the other counts."""
    parent: int = 0
    """On an adapter against its parent, and so in none of the other counts."""

    @property
    def blind(self) -> int:
        """All blind votes of people, skipped ones included."""
        return self.decided + self.tie + self.all_good + self.all_bad + self.skip


@dataclass(frozen=True)
class WinRate:
    """Share of the blind votes that showed a variant which it won; a tie or a shared text splits the win."""

    name: str
    wins: float
    votes: int
    """Blind votes that showed it, without the skipped ones; in those called all bad nobody wins."""
    value: float | None
    """None without votes."""
    low: float
    high: float


def tally(votes: Iterable[Voted]) -> Tally:
    """Count the votes by kind."""
    counts = dict.fromkeys(("decided", *NO_WINNER, "open", "judge", "parent"), 0)
    kinds = Counter((v.rater_kind, v.mode == "parent", v.blind, v.choice) for v in votes)
    for (kind, parent, blind, choice), number in kinds.items():
        if parent:
            counts["parent"] += number
        elif kind == "judge":
            counts["judge"] += number
        elif not blind:
            counts["open"] += number
        else:
            counts[choice if choice in NO_WINNER else "decided"] += number
    return Tally(**counts)


def telling(votes: Iterable[AnyVote], kind: str = "person") -> list[AnyVote]:
    """The blind votes of raters of `kind` on the four variants that call an answer best, or several."""
    counted = (v for v in votes if v.blind and v.rater_kind == kind and v.mode != "parent")
    return [v for v in counted if v.choice not in ("all_bad", "skip")]


def choices_of(votes: Iterable[Voted], adjust: Sequence[str] = (), kind: str = "person") -> Choices:
    """What the telling votes of raters of `kind` chose among the four variants, one after the other.

    `adjust` names properties of the answers to carry along, of `PROPERTIES`.
    """
    counted = telling(votes, kind)
    numbers: dict[tuple[Any, ...], int] = {}
    patterns = [numbers.setdefault(_pattern_key(vote), len(numbers)) for vote in counted]
    rows = [_pattern(vote) for vote in _first_of_each(counted, patterns)]
    start = np.cumsum([0, *(len(made) for made in rows)])
    kind_of = np.array(patterns, dtype=np.int64)
    made = np.diff(start)[kind_of]
    vote = np.repeat(np.arange(len(counted)), made)
    row = np.repeat(start[kind_of], made) + np.arange(len(vote)) - np.repeat(np.cumsum(made) - made, made)
    flat = [line for made in rows for line in made]
    slots = len(IDS)
    items = np.array([line[0] for line in flat], dtype=np.int64).reshape(-1, slots)[row]
    return Choices(
        names=IDS,
        items=items,
        chosen=np.array([line[1] for line in flat], dtype=bool).reshape(-1, slots)[row],
        ranked=np.array([line[2] for line in flat], dtype=bool)[row],
        weight=np.array([line[3] for line in flat], dtype=np.float64)[row],
        vote=vote,
        clusters=(
            ("question", questions([vote.question for vote in counted])[vote]),
            ("rater", numbered(vote.rater for vote in counted)[vote]),
        ),
        covariates=tuple((name, _standard(name, counted, items, vote)) for name in adjust),
    )


def questions(texts: Sequence[str]) -> Integers:
    """A number for each question (n,); those that differ only in case and spacing are alike."""
    different = list(dict.fromkeys(texts))
    number = dict(zip(different, numbered(map(normalised, different)).tolist(), strict=True))
    return np.array([number[text] for text in texts], dtype=np.int64)


def _pattern_key(vote: Voted) -> tuple[Any, ...]:
    return vote.order, vote.choice, vote.ranking, vote.identical


def _first_of_each(votes: Sequence[Voted], patterns: Sequence[int]) -> list[Voted]:
    first: dict[int, Voted] = {}
    for vote, pattern in zip(votes, patterns, strict=True):
        first.setdefault(pattern, vote)
    return list(first.values())


def _pattern(vote: Voted) -> list[tuple[list[int], list[bool], bool, float]]:
    """The choices that a vote makes: items and chosen by slot, whether part of a ranking, and the weight."""
    rows = []
    left = set(vote.order)
    for group in vote.ranking or (tuple(winning(vote)),):
        alike = [tuple(name for name in same if name in left) for same in vote.identical]
        alike = [same for same in alike if same] + [(name,) for name in left if not any(name in s for s in alike)]
        stand_ins = [offered for offered in product(*alike) if set(offered) & set(group)]
        for offered in stand_ins if len(alike) > 1 else ():
            shown = [name if name in offered else None for name in vote.order] + [None] * (len(IDS) - len(vote.order))
            items = [-1 if name is None else IDS.index(name) for name in shown]
            rows.append((items, [name in group for name in shown], bool(vote.ranking), 1 / len(stand_ins)))
        left -= set(group)
    return rows


def numbered(keys: Iterable[str]) -> Integers:
    """A number for each key (n,), equal keys alike."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def _standard(name: str, votes: Sequence[Voted], items: Integers, vote: Integers) -> Floats:
    """(n, slots) The property in standard deviations from its mean, so that a prior weighs on all of them alike."""
    values = np.zeros((len(votes), len(IDS)))
    for number, ballot in enumerate(votes):
        for slot, variant in enumerate(ballot.order):
            values[number, slot] = PROPERTIES[name](_style(ballot, variant))
    chosen = values[vote]
    offered = chosen[items >= 0]
    spread = offered.std() if len(offered) else 0.0
    return np.asarray((chosen - (offered.mean() if len(offered) else 0.0)) / (spread or 1.0))


def _style(vote: Voted, variant: str) -> Style:
    return vote.style[variant] if isinstance(vote, Ballot) else style(vote.answers[variant])


def win_rates(votes: Sequence[Voted], level: float = 0.95) -> tuple[WinRate, ...]:
    """One rate for each variant with its Wilson (1927) score interval, votes taken as independent."""
    judged = [vote for vote in votes if is_evidence(vote) and vote.choice != "skip"]
    keys = [_pattern_key(vote) for vote in judged]
    example = dict(zip(keys, judged, strict=True))
    shown, wins = dict.fromkeys(IDS, 0), dict.fromkeys(IDS, 0.0)
    for key, number in Counter(keys).items():
        winners = winning(example[key])
        for name in example[key].order:
            shown[name] += number
        for name in winners:
            wins[name] += number / len(winners)
    return tuple(
        WinRate(
            name, wins[name], shown[name], wins[name] / shown[name] if shown[name] else None,
            *wilson(wins[name], shown[name], level),
        )
        for name in IDS
    )  # fmt: skip


def wilson(wins: float, votes: int, level: float) -> tuple[float, float]:
    """Wilson score interval of a share; (0, 1) without votes. Split wins vary less than whole ones: it stays wide."""
    if votes == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, spread = wins / votes, z * z / votes
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * (share * (1 - share) / votes + spread / (4 * votes)) ** 0.5
    return max(0.0, centre - half), min(1.0, centre + half)


def winning(vote: Voted) -> frozenset[str]:
    """The variants that the vote calls best: those with the chosen text or the first place, all of a tie and of all
    good, none of all bad and skip."""
    if vote.choice in ("all_bad", "skip"):
        return frozenset()
    if vote.ranking:
        return frozenset(vote.ranking[0])
    if vote.choice in ("tie", "all_good"):
        return frozenset(vote.order)
    return frozenset(name for name in vote.order if name == vote.choice or _same_text(vote, name, vote.choice))


def normalised(question: str) -> str:
    """The question as a cluster's key: without differences in case and spacing."""
    return " ".join(question.casefold().split())


def _same_text(vote: Voted, one: str, other: str) -> bool:
    return any(one in group and other in group for group in vote.identical)
