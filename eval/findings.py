"""Votes -> every figure of the results, and the sentences over them. No page and no picture."""

from collections.abc import Sequence
from dataclasses import dataclass

from eval.ballot import Ballot
from eval.breakdown import GROUPINGS, Positions, agreement, by_group, costs, dimensions, over_time, positions
from eval.estimate import rounded
from eval.figures import Figure, Interval, listed, shown
from eval.matches import Matched, matches
from eval.matches import figure as matches_figure
from eval.outcomes import Tally, WinRate, choices_of, tally, telling, win_rates
from eval.ranking import PROVISIONAL_BELOW, Contrast, Effect, Ranking, rank, rank_votes
from eval.variants import VARIANTS
from eval.vote import is_evidence

WORDS = {variant.id: variant.words for variant in VARIANTS}

EFFECT_WORDS = {
    "tuning": ("Tuning", "the same question with the adapter against without it"),
    "retrieval": ("Retrieval", "the same question with the documents against without them"),
    "interaction": ("Together", "what tuning adds with documents, minus what it adds without"),
}


@dataclass(frozen=True)
class Findings:
    """All that the results page says, the report too."""

    counts: Tally
    accepted: tuple[int, int]
    """Of how many votes that asked the best answer was good enough as it is: (yes, asked)."""
    ranking: Ranking
    rates: tuple[WinRate, ...]
    positions: Positions
    judged: Ranking | None
    """By the votes of language models, never mixed with those of people; None without any."""
    opened: tuple[WinRate, ...]
    """Shares of the votes with the names visible, which are no evidence; empty without any."""
    matched: tuple[Matched, ...]
    """Adapters against their parents, in none of the figures above; empty without such votes."""
    figures: tuple[Figure, ...]
    """Those that have something to show."""


def find(votes: Sequence[Ballot], with_raters: bool = True) -> Findings:
    """Everything that the votes say; without raters where visitors look."""
    choices, told = choices_of(votes), telling(votes)
    ranking = rank(choices)
    counts = tally(votes)
    evidence = [vote for vote in votes if is_evidence(vote)]
    asked = [vote.acceptable for vote in evidence if vote.acceptable is not None]
    rates = win_rates(evidence)
    place = positions(choices)
    groups = [by_group(told, choices, name) for name in GROUPINGS if with_raters or name != "rater"]
    matched = matches(votes)
    figures = (
        rates_figure(rates, ranking), strengths_figure(ranking), effects_figure(ranking), heat_map(ranking),
        contrasts_figure(ranking), over_time(evidence), dimensions(evidence), *groups, place.figure,
        agreement(evidence), costs(evidence, ranking), matches_figure(matched),
    )  # fmt: skip
    opened = [vote._replace(blind=True) for vote in votes if not vote.blind and vote.rater_kind == "person"]
    return Findings(
        counts=counts,
        accepted=(sum(asked), len(asked)),
        ranking=ranking,
        rates=rates,
        positions=place,
        judged=rank_votes(votes, kind="judge") if counts.judge else None,
        opened=win_rates(opened) if opened else (),
        matched=matched,
        figures=tuple(figure for figure in figures if not figure.empty),
    )


def rates_figure(rates: Sequence[WinRate], ranking: Ranking) -> Figure:
    rate = {row.name: row for row in rates}
    rows = [rate[row.name] for row in ranking.strengths]
    lines = tuple(Interval(r.name, WORDS[r.name], r.value, r.low, r.high, None, (r.wins, r.votes)) for r in rows)
    return Figure("rates", "How often each was picked", "intervals", "share", 0.25, lines, ("wins", "votes"))


def strengths_figure(ranking: Ranking) -> Figure:
    lines = tuple(
        Interval(row.name, f"best with a chance of {shown(row.p_best, 'share')}", row.log_strength, row.low, row.high,
                 None,
            (row.se, row.p_best, row.wins, row.losses, row.ties))
        for row in ranking.strengths
    )  # fmt: skip
    columns = ("se", "p best", "wins", "losses", "ties")
    return Figure("strengths", "Strength", "intervals", "nats", 0.0, lines, columns)


def effects_figure(ranking: Ranking) -> Figure:
    lines = tuple(
        Interval(*EFFECT_WORDS[r.name], r.value, r.low, r.high, _looks(r), _certainty(r)) for r in ranking.effects
    )
    return Figure("effects", "What each ingredient adds", "intervals", "nats", 0.0, lines, CERTAINTY)


def contrasts_figure(ranking: Ranking) -> Figure:
    lines = tuple(
        Interval(
            f"{row.left} − {row.right}", to_settle(row), row.difference, row.low, row.high, _looks(row), _certainty(row)
        )
        for row in ranking.contrasts
    )
    return Figure("contrasts", "Every difference", "intervals", "nats", 0.0, lines, CERTAINTY)


def heat_map(ranking: Ranking) -> Figure:
    """The chance of the row's variant to win a pair against the column's, ties apart."""
    chance = {(row.left, row.right): row.win_rate for row in ranking.contrasts}
    chance |= {(right, left): 1 - value for (left, right), value in chance.items()}
    names = [row.name for row in ranking.strengths]
    table = tuple((one, *(chance.get((one, other)) for other in names)) for one in names)
    return Figure("matrix", "Chance to win a pair", "heatmap", "share", 0.5, columns=("wins", *names), table=table)


CERTAINTY = ("se", "p", "p holm", "every look low", "every look high", "win rate", "votes needed")


def _certainty(row: Contrast | Effect) -> tuple[float | int | None, ...]:
    return row.se, row.p, row.p_holm, row.anytime_low, row.anytime_high, row.win_rate, row.votes_needed


def _looks(row: Contrast | Effect) -> tuple[float, float]:
    return row.anytime_low, row.anytime_high


def to_settle(row: Contrast | Effect) -> str:
    """How far the difference is from being settled."""
    if row.settled:
        return "settled, however often one looks"
    if row.p == 1.0:
        return "open: nothing is known yet"
    if row.votes_needed is None:
        return "too close for any reachable number of votes"
    return f"open: about {rounded(row.votes_needed):,} more votes"


def summary(ranking: Ranking) -> list[str]:
    """What the votes support so far, in plain sentences; no winner is named that the intervals do not bear out.

    They go by the intervals that hold at every look, since this is looked at while votes come in.
    """
    leader = ranking.strengths[0].name
    behind = [row.right for row in ranking.contrasts if row.left == leader and row.settled]
    level = [row.right for row in ranking.contrasts if row.left == leader and not row.settled]
    if ranking.provisional:
        more = PROVISIONAL_BELOW - ranking.votes
        lines = [
            f"Provisional: {more} more vote{'s' * (more != 1)} that pick an answer or call a tie"
            " until this is more than a first impression, so nothing is called ahead yet."
        ]
    elif not level:
        lines = [f"The {leader} variant is ahead: the 95 % intervals exclude that any of the other three is as good."]
    elif behind:
        lines = [
            f"No clear winner yet: {leader} leads and is better than {listed(behind)},"
            f" but {listed(level)} could be as good or better."
        ]
    else:
        lines = ["No clear winner yet: the votes so far do not tell the best from the others."]
    if level and not ranking.provisional:
        lines.append(_more_votes([row for row in ranking.contrasts if row.left == leader and not row.settled]))
    single = next(row for row in ranking.contrasts if {row.left, row.right} == {"tuned", "rag"})
    if ranking.provisional or not single.settled:
        lines.append(
            "Whether tuning alone or retrieval alone is the better choice cannot be told from these votes yet."
        )
    else:
        lines.append(f"Of the two on their own, {single.left} is better than {single.right}.")
    return lines


def _more_votes(contrasts: Sequence[Contrast]) -> str:
    needed = [row.votes_needed for row in contrasts]
    if any(count is None for count in needed):
        return "No number of votes within reach would settle who is best: the closest ones are as good as equal."
    most = rounded(max(count for count in needed if count is not None))
    return f"About {most:,} more votes would settle who is best, if the differences are what they seem to be now."


def effect_sentence(effect: Effect) -> str:
    """The effect in words, with its interval."""
    if effect.name == "interaction":
        if effect.settled:
            return f"Each adds {'more' if effect.value > 0 else 'less'} when the other is there too."
        return "Whether the two help or hinder each other cannot be told yet."
    span = f"{shown(effect.win_low, 'share')} to {shown(effect.win_high, 'share')}"
    verdict = (
        "Whether it helps cannot be told yet" if not effect.settled else "It helps" if effect.value > 0 else "It hurts"
    )
    return f"{verdict}: the answer with it wins an estimated {shown(effect.win_rate, 'share')} ({span}) of the pairs."


def position_sentence(found: Positions, level: float = 0.95) -> str:
    """Whether the place on the screen sways the raters."""
    if found.p is None:
        return ""
    if found.p >= 1 - level:
        return f"No sign that the place on the screen sways the raters (p = {found.p:.2f})."
    best = max(found.figure.intervals, key=lambda row: row.value or 0.0)
    return (
        f"The place on the screen sways the raters (p = {found.p:.3f}): {best.name} from the left is favoured. The"
        " order is drawn anew for each question, so that no variant gains by it, but the votes tell less."
    )
