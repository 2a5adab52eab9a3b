"""Votes -> what the results page says, as sentences and as HTML. Knows nothing of gradio; every text is escaped.

The charts are tables whose middle column draws the interval, so that a reader of the screen and a screen reader get
the same numbers, and the colours are the page's own, light or dark. The roles repeat what the elements mean, because
the layout for a phone takes that meaning away.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil

from scipy.special import expit

from eval.outcomes import Tally, WinRate, tally, win_rates
from eval.ranking import PROVISIONAL_BELOW, Effect, Ranking, rank_votes
from eval.variants import VARIANTS
from eval.vote import Vote, is_evidence

WORDS = {variant.id: variant.words for variant in VARIANTS}

EFFECT_WORDS = {
    "tuning": ("Tuning", "the same question with the adapter against without it"),
    "retrieval": ("Retrieval", "the same question with the documents against without them"),
    "interaction": ("Together", "what tuning adds with documents, minus what it adds without"),
}


@dataclass(frozen=True)
class Bar:
    """One line of a chart: a dot with its interval."""

    name: str
    note: str
    value: float | None
    low: float
    high: float


def report(votes: Sequence[Vote]) -> str:
    """The body of the results page."""
    counts = tally(votes)
    if counts.blind == 0:
        return _section("No blind votes yet", _paragraphs(nothing_yet(counts)), kind="summary")
    ranking = rank_votes(votes)
    rates = {rate.name: rate for rate in win_rates(votes)}
    shares = [_share(rates[row.name]) for row in ranking.strengths]
    strengths = [Bar(row.name, WORDS[row.name], row.log_strength, row.low, row.high) for row in ranking.strengths]
    faint = " faint" if ranking.provisional else ""
    return "".join(
        (
            _section("What the votes support", _paragraphs(summary(ranking)), kind="summary"),
            _section("Votes", _counts(counts, votes)),
            _section(
                "How often each was picked",
                "<p>Share of the blind votes won; a tie splits the win, all bad is won by nobody. "
                "The line marks 25 %, what four equal variants would get.</p>"
                + _chart("Win rates", "Variant", shares, (0.0, 1.0), 0.25, _percent),
                kind="rates" + faint,
            ),
            _section(
                "Strength",
                "<p>Bradley-Terry log strengths with 95 % intervals, questions taken as clusters. "
                "Of two variants that are 1.1 apart the stronger one wins three pairs in four.</p>"
                + _chart("Log strengths", "Variant", strengths, _symmetric(strengths), 0.0, _signed),
                kind="strengths" + faint,
            ),
            _section("What each ingredient adds", _effects(ranking.effects), kind="effects" + faint),
        )
    )


def failure(reason: str) -> str:
    """The body where the votes cannot be read."""
    return _section("The votes cannot be shown", _paragraphs([reason]), kind="summary")


def nothing_yet(counts: Tally) -> list[str]:
    """What to do where there is nothing to show."""
    lines = [
        "Ask a question on the Compare page, read the four answers and vote. You see which variant wrote which answer"
        " after the vote, and the result appears here.",
        f"From {PROVISIONAL_BELOW} votes on the result is more than a first impression; telling close variants apart"
        " takes hundreds.",
    ]
    if counts.open:
        lines.append(f"{_number(counts.open, 'vote')} made with the names visible are kept, but are no evidence here.")
    return lines


def summary(ranking: Ranking) -> list[str]:
    """What the votes support so far, in plain sentences; no winner is named that the intervals do not bear out."""
    leader = ranking.strengths[0].name
    behind = [row.right for row in ranking.contrasts if row.left == leader and row.low > 0]
    level = [row.right for row in ranking.contrasts if row.left == leader and row.low <= 0]
    if ranking.provisional:
        lines = [
            f"Provisional: {_number(PROVISIONAL_BELOW - ranking.votes, 'more vote')} that pick an answer or call a tie"
            " until this is more than a first impression, so nothing is called ahead yet."
        ]
    elif not level:
        lines = [f"The {leader} variant is ahead: the 95 % intervals exclude that any of the other three is as good."]
    elif behind:
        lines = [
            f"No clear winner yet: {leader} leads and is better than {_listed(behind)},"
            f" but {_listed(level)} could be as good or better."
        ]
    else:
        lines = ["No clear winner yet: the votes so far do not tell the best from the others."]
    single = next(row for row in ranking.contrasts if {row.left, row.right} == {"tuned", "rag"})
    if ranking.provisional or single.low <= 0 <= single.high:
        lines.append(
            "Whether tuning alone or retrieval alone is the better choice cannot be told from these votes yet."
        )
    else:
        lines.append(f"Of the two on their own, {single.left} is better than {single.right}.")
    return lines


def effect_sentence(effect: Effect) -> str:
    """The effect in words, with its interval."""
    if effect.name == "interaction":
        if effect.low > 0:
            return "Each adds more when the other is there too."
        if effect.high < 0:
            return "Each adds less when the other is there too."
        return "Whether the two help or hinder each other cannot be told yet."
    win = f"{_percent(expit(effect.value))} ({_percent(expit(effect.low))} to {_percent(expit(effect.high))})"
    if effect.low > 0:
        verdict = "It helps"
    elif effect.high < 0:
        verdict = "It hurts"
    else:
        verdict = "Whether it helps cannot be told yet"
    return f"{verdict}: the answer with it wins an estimated {win} of the pairs."


def _counts(counts: Tally, votes: Sequence[Vote]) -> str:
    kinds = [
        ("decided", counts.decided),
        ("tie", counts.tie),
        ("all good", counts.all_good),
        ("all bad", counts.all_bad),
        ("skipped", counts.skip),
        ("not blind, left out", counts.open),
        ("of a judge, left out", counts.judge),
    ]
    items = "".join(f"<div><dt>{name}</dt><dd>{number}</dd></div>" for name, number in kinds)
    asked = [vote.acceptable for vote in votes if is_evidence(vote) and vote.acceptable is not None]
    accepted = (
        f"<p>The best answer would have been accepted as it is in {sum(asked)} of {_number(len(asked), 'vote')}.</p>"
        if asked
        else ""
    )
    return f"<dl>{items}</dl>{accepted}"


def _share(rate: WinRate) -> Bar:
    return Bar(rate.name, WORDS[rate.name], rate.value, rate.low, rate.high)


def _effects(effects: Sequence[Effect]) -> str:
    bars = [Bar(*EFFECT_WORDS[row.name], row.value, row.low, row.high) for row in effects]
    sentences = "".join(
        f"<li><b>{escape(bar.name)}.</b> {escape(effect_sentence(row))}</li>"
        for bar, row in zip(bars, effects, strict=True)
    )
    return f"<ul>{sentences}</ul>" + _chart(
        "Effects on the log strength", "Effect", bars, _symmetric(bars), 0.0, _signed
    )


def _symmetric(bars: Sequence[Bar]) -> tuple[float, float]:
    """A span with zero in the middle, to the next half."""
    most = max(0.5, ceil(2 * max(max(-bar.low, bar.high) for bar in bars)) / 2)
    return -most, most


def _chart(
    caption: str,
    what: str,
    bars: Sequence[Bar],
    span: tuple[float, float],
    reference: float,
    show: Callable[[float], str],
) -> str:
    """A table with a drawn column; positions are shares of `span`, and `reference` is marked by a line."""

    def place(value: float) -> float:
        return 100 * (min(max(value, span[0]), span[1]) - span[0]) / (span[1] - span[0])

    rows = []
    for bar in bars:
        dot = "" if bar.value is None else f'<i class="dot" style="left:{place(bar.value):.2f}%"></i>'
        whisker = f'<i class="whisker" style="left:{place(bar.low):.2f}%;right:{100 - place(bar.high):.2f}%"></i>'
        line = f'<i class="line" style="left:{place(reference):.2f}%"></i>'
        rows.append(
            f'<tr role="row"><th scope="row" role="rowheader">{escape(bar.name)}<small>{escape(bar.note)}</small></th>'
            f'<td class="plot" aria-hidden="true"><div class="track">{line}{whisker}{dot}</div></td>'
            f"<td role='cell'>{escape('–' if bar.value is None else show(bar.value))}"
            f"<small>{escape(show(bar.low))} to {escape(show(bar.high))}</small></td></tr>"
        )
    ends = "".join(f"<span>{escape(show(value))}</span>" for value in (span[0], sum(span) / 2, span[1]))
    head = (
        f'<tr role="row"><th scope="col" role="columnheader">{escape(what)}</th><td class="plot" aria-hidden="true">'
        '</td><th scope="col" role="columnheader">Value<small>95 % interval</small></th></tr>'
    )
    foot = f'<tr><td></td><td class="plot"><div class="axis">{ends}</div></td><td></td></tr>'
    return (
        f'<table role="table"><caption>{escape(caption)}</caption><thead>{head}</thead><tbody>{"".join(rows)}</tbody>'
        f'<tfoot aria-hidden="true">{foot}</tfoot></table>'
    )


def _section(title: str, body: str, kind: str = "") -> str:
    return f'<section class="{escape(kind)}"><h2>{escape(title)}</h2>{body}</section>'


def _paragraphs(lines: Sequence[str]) -> str:
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−") if round(value, 2) else "0"


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
