"""Votes on adapters against their parents -> how often each wins over its own, by the model of all other votes.

They stand apart from the results of the four variants: what one adapter adds to another says nothing about tuning
against no tuning.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from eval.ballot import Ballot, Match
from eval.choices import Choices, pair_choices
from eval.estimate import Difference, judged, rounded
from eval.figures import Figure, Interval, shown
from eval.fitted import DEFAULT, fit_choices
from eval.outcomes import numbered, questions
from eval.ranking import PROVISIONAL_BELOW
from eval.variants import VARIANT
from eval.vote import is_unbiased


@dataclass(frozen=True, kw_only=True)
class Matched(Difference):
    """One adapter against its parent. The difference is the adapter's log strength minus the parent's."""

    adapter: str
    parent: str
    """Names, as they were when the last vote was cast."""
    adapter_digest: str
    parent_digest: str
    won: int
    lost: int
    tied: int
    """Ties, all good, and answers that were the same text."""
    all_bad: int
    value: float
    se: float
    low: float
    high: float
    p: float

    @property
    def telling(self) -> int:
        """Votes but for those that called both bad."""
        return self.won + self.lost + self.tied

    @property
    def provisional(self) -> bool:
        """So few votes that nothing should be made of them."""
        return self.telling < PROVISIONAL_BELOW

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"provisional": self.provisional}


def matches(votes: Iterable[Ballot]) -> tuple[Matched, ...]:
    """One record for each adapter that blind votes of people set against its parent, the most voted first."""
    groups: dict[tuple[str, str], list[Ballot]] = defaultdict(list)
    for vote in votes:
        if vote.match is not None and is_unbiased(vote) and vote.choice != "skip":
            groups[vote.adapter, vote.match.parent_digest].append(vote)
    found = [_matched(mine[-1].match, mine) for mine in groups.values() if mine[-1].match]
    return tuple(sorted(found, key=lambda row: (-row.telling, row.adapter)))


def _matched(names: Match, votes: Sequence[Ballot]) -> Matched:
    outcomes = [_outcome(vote) for vote in votes]
    choices = _choices([pair for pair in zip(votes, outcomes, strict=True) if pair[1] is not None])
    row = fit_choices(choices, DEFAULT).read(np.array([1.0, -1.0]))
    (said,) = judged([row], len(choices), DEFAULT.level)
    return Matched(
        adapter=names.adapter,
        parent=names.parent,
        adapter_digest=votes[-1].adapter,
        parent_digest=names.parent_digest,
        won=outcomes.count(1.0),
        lost=outcomes.count(0.0),
        tied=outcomes.count(0.5),
        all_bad=outcomes.count(None),
        **{name: getattr(row, name) for name in ("value", "se", "low", "high", "p")},
        **said,
    )


def _outcome(vote: Ballot) -> float | None:
    """What the adapter got: 1, a half, 0; None where both were bad."""
    if vote.choice == "all_bad":
        return None
    return 0.5 if vote.choice not in VARIANT or vote.identical else float(VARIANT[vote.choice].tuned)


def _choices(told: Sequence[tuple[Ballot, float | None]]) -> Choices:
    """Adapter or parent, as the pairs of a table are; the same text twice is none: it tells nothing of the two."""
    kept = [(vote, score or 0.0) for vote, score in told if not vote.identical]
    left = [0 if VARIANT[vote.order[0]].tuned else 1 for vote, _ in kept]
    return pair_choices(
        ("adapter", "parent"),
        left,
        [1 - side for side in left],
        [1 - score if side else score for side, (_, score) in zip(left, kept, strict=True)],
        clusters=(
            ("question", questions([vote.question for vote, _ in kept])),
            ("rater", numbered(vote.rater for vote, _ in kept)),
        ),
    )


def sentence(row: Matched) -> str:
    """The verdict on one adapter; nothing is said to be better that is not settled at every look."""
    if row.provisional:
        more = PROVISIONAL_BELOW - row.telling
        return f"{row.adapter} against its parent {row.parent}: too few votes to say anything yet; cast {more} more."
    span = f"{shown(row.win_low, 'share')} to {shown(row.win_high, 'share')}"
    wins = f"ties apart, it wins an estimated {shown(row.win_rate, 'share')} ({span}) of the pairs"
    if row.settled:
        return f"{row.adapter} is {'better' if row.value > 0 else 'worse'} than its parent {row.parent}: {wins}."
    needed = "The two are as good as equal" if row.votes_needed is None else _more(row.votes_needed)
    return f"Whether {row.adapter} is better than its parent {row.parent} cannot be told yet: {wins}. {needed}."


def _more(votes: int) -> str:
    return f"About {rounded(votes):,} more votes would settle it, if the difference is what it seems to be now"


def figure(rows: Sequence[Matched]) -> Figure:
    """The chance of each adapter to win a pair against its parent."""
    lines = tuple(
        Interval(
            f"{row.adapter} over {row.parent}",
            f"{row.won} won, {row.lost} lost, {row.tied} tied, {row.all_bad} both bad",
            row.win_rate if row.telling else None,
            row.win_low,
            row.win_high,
            (float(expit(row.anytime_low)), float(expit(row.anytime_high))),
            (row.adapter_digest, row.parent_digest, row.won, row.lost, row.tied, row.all_bad, row.votes_needed),
        )
        for row in rows
    )
    columns = ("adapter digest", "parent digest", "won", "lost", "tied", "both bad", "votes needed")
    return Figure("parents", "Adapters against their parents", "intervals", "share", 0.5, lines, columns)
