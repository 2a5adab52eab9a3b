"""Votes -> what was judged: how many of each kind, who beat whom, and how often each variant was picked.

Only blind votes of people are evidence about quality; open ones and those of judges are counted apart. A pick of one
out of four is three wins, a tie is a tie of every pair, a ranking says of every pair who beat whom, and variants that
gave the same text are not compared with each other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

import numpy as np

from eval.bradley_terry import Floats, Integers
from eval.variants import IDS
from eval.vote import NO_WINNER, Vote, is_evidence


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

    @property
    def blind(self) -> int:
        """All blind votes of people, skipped ones included."""
        return self.decided + self.tie + self.all_good + self.all_bad + self.skip


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pair outcomes; `left`, `right` (n,) index `names`, `score` (n,) is what the left one got: 1, ½ or 0."""

    names: tuple[str, ...]
    left: Integers
    right: Integers
    score: Floats
    cluster: Integers
    """(n,) Outcomes with the same number are not independent: same question or prompt, or else same vote."""
    vote: Integers
    """(n,) Which vote the outcome comes from."""
    clustered_by: str
    dropped: int = 0
    """Rows that compared a name with itself."""


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


def tally(votes: Iterable[Vote]) -> Tally:
    """Count the votes by kind."""
    counts = dict.fromkeys(("decided", *NO_WINNER, "open", "judge"), 0)
    for vote in votes:
        if vote.rater_kind == "judge":
            counts["judge"] += 1
        elif not vote.blind:
            counts["open"] += 1
        else:
            counts[vote.choice if vote.choice in NO_WINNER else "decided"] += 1
    return Tally(**counts)


def pair_outcomes(votes: Iterable[Vote]) -> Pairs:
    """Outcomes of the blind votes over all four variants, clustered by question; all bad and skip give none."""
    index = {name: number for number, name in enumerate(IDS)}
    questions: dict[str, int] = {}
    rows = []
    for number, vote in enumerate(votes):
        winners = winning(vote)
        if not is_evidence(vote) or not winners:
            continue
        place = {name: number for number, group in enumerate(vote.ranking) for name in group}
        place = place or {name: int(name not in winners) for name in vote.order}
        cluster = questions.setdefault(normalised(vote.question), len(questions))
        for left, right in combinations(vote.order, 2):
            told = vote.ranking or winners & {left, right}
            if told and not _same_text(vote, left, right):
                score = (1 + (place[left] < place[right]) - (place[left] > place[right])) / 2
                rows.append((index[left], index[right], score, cluster, number))
    return make_pairs(IDS, rows, "question")


def make_pairs(names: Sequence[str], rows: Sequence[tuple[int, int, float, int, int]], clustered_by: str) -> Pairs:
    """Pairs from rows of (left, right, score, cluster, vote); self-pairs are dropped and counted.

    A self-pair carries no information, yet one of them moved the published ratings of another arena, whose design
    matrix took it for a win.
    """
    table = np.array([row for row in rows if row[0] != row[1]], dtype=np.float64).reshape(-1, 5)
    left, right, cluster, vote = (table[:, column].astype(np.int64) for column in (0, 1, 3, 4))
    return Pairs(tuple(names), left, right, table[:, 2], cluster, vote, clustered_by, len(rows) - len(table))


def win_rates(votes: Sequence[Vote], level: float = 0.95) -> tuple[WinRate, ...]:
    """One rate for each variant with its Wilson (1927) score interval, votes taken as independent."""
    judged = [vote for vote in votes if is_evidence(vote) and vote.choice != "skip"]
    rates = []
    for name in IDS:
        shown = [winning(vote) for vote in judged if name in vote.order]
        wins = sum(1 / len(winners) for winners in shown if name in winners)
        low, high = wilson(wins, len(shown), level)
        rates.append(WinRate(name, wins, len(shown), wins / len(shown) if shown else None, low, high))
    return tuple(rates)


def wilson(wins: float, votes: int, level: float) -> tuple[float, float]:
    """Wilson score interval of a share; (0, 1) without votes. Split wins vary less than whole ones: it stays wide."""
    if votes == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, spread = wins / votes, z * z / votes
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * (share * (1 - share) / votes + spread / (4 * votes)) ** 0.5
    return max(0.0, centre - half), min(1.0, centre + half)


def winning(vote: Vote) -> frozenset[str]:
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


def _same_text(vote: Vote, one: str, other: str) -> bool:
    return any(one in group and other in group for group in vote.identical)
