"""Findings -> the body of the results page. Knows nothing of gradio."""

from collections.abc import Sequence
from html import escape

from eval.ballot import Ballot
from eval.charts import chart, paragraphs, section
from eval.figures import Figure, shown
from eval.findings import EFFECT_WORDS, Findings, effect_sentence, find, position_sentence, summary, to_settle
from eval.matches import sentence
from eval.outcomes import Tally, tally
from eval.ranking import PROVISIONAL_BELOW, Ranking

WORDS = {
    "rates": "Share of the blind votes won; a tie splits the win, all bad is won by nobody. The line marks 25 %, what"
    " four equal variants would get.",
    "strengths": "Log strengths with 95 % intervals (Plackett-Luce, ties by Davidson), errors clustered by question and"
    " by rater. Of two variants that are 1.1 apart the stronger one wins three pairs in four.",
    "matrix": "How often the row's variant wins a pair against the column's, ties apart, by the strengths above.",
    "contrasts": "Strength of the first minus the second, with the interval for one look. What is settled has also"
    " passed the test that holds however often one looks, corrected for all differences (Holm).",
    "time": "Blind votes of people.",
    "dimensions": "Mean points given on the rating form.",
    "agreement": "Krippendorff's alpha: 1 is perfect agreement, 0 what chance gives; `python -m eval raters` says more",
    "parents": "How often an adapter wins a pair against what it goes on from, ties apart, with 95 % intervals. These"
    " votes are blind too, and count in none of the figures above.",
    "costs": "Medians over the votes. Quality and cost are shown side by side and not blended into one figure.",
}


def report(votes: Sequence[Ballot], with_raters: bool = True) -> str:
    """The body of the results page; without raters where visitors look."""
    counts = tally(votes)
    any_at_all = counts.blind or counts.open or counts.judge or counts.parent
    return body(find(votes, with_raters)) if any_at_all else empty(counts)


def body(found: Findings) -> str:
    """The page of the findings."""
    if not found.counts.blind:
        return empty(found.counts) + _apart(found)
    figures = {figure.id: figure for figure in found.figures}
    faint = " faint" if found.ranking.provisional else ""
    lines = [*summary(found.ranking), *found.ranking.warnings]
    parts = [section("What the votes support", paragraphs(lines), kind="summary"), section("Votes", _counts(found))]
    for name in ("rates", "strengths", "effects", "matrix", "contrasts"):
        parts.append(_drawn(figures[name], _effects(found.ranking) if name == "effects" else "", name + faint))
    parts += [_drawn(figures[name]) for name in ("time", "dimensions", "costs", "agreement") if name in figures]
    groups = [figure for name, figure in figures.items() if name.startswith("by-")]
    parts += [_folded(figure) for figure in groups]
    if found.positions.p is not None:
        parts.append(
            _drawn(found.positions.figure, paragraphs([position_sentence(found.positions)]), "position" + faint)
        )
    return "".join(parts) + _apart(found)


def empty(counts: Tally) -> str:
    """The body where there is nothing to show."""
    return section("No blind votes yet", paragraphs(nothing_yet(counts)), kind="summary")


def failure(reason: str) -> str:
    """The body where the votes cannot be read."""
    return section("The votes cannot be shown", paragraphs([reason]), kind="summary")


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


def _drawn(figure: Figure, before: str = "", kind: str = "") -> str:
    words = f"<p>{escape(WORDS[figure.id])}</p>" if figure.id in WORDS else ""
    return section(figure.title, words + before + chart(figure), kind or figure.id)


def _folded(figure: Figure) -> str:
    return f"<details><summary>{escape(figure.title)}</summary>{chart(figure)}</details>"


def _counts(found: Findings) -> str:
    counts = found.counts
    kinds = [
        ("decided", counts.decided),
        ("tie", counts.tie),
        ("all good", counts.all_good),
        ("all bad", counts.all_bad),
        ("skipped", counts.skip),
        ("not blind, left out", counts.open),
        ("of a judge, left out", counts.judge),
        ("on a parent, apart", counts.parent),
    ]
    items = "".join(f"<div><dt>{name}</dt><dd>{number:,}</dd></div>" for name, number in kinds)
    yes, asked = found.accepted
    accepted = (
        f"<p>The best answer would have been accepted as it is in {yes:,} of {_number(asked, 'vote')}.</p>"
        if asked
        else ""
    )
    return f"<dl>{items}</dl>{accepted}"


def _effects(ranking: Ranking) -> str:
    items = []
    for row in ranking.effects:
        sentences = f"{effect_sentence(row)} {_capital(to_settle(row))}."
        items.append(f"<li><b>{escape(EFFECT_WORDS[row.name][0])}.</b> {escape(sentences)}</li>")
    return f"<ul>{''.join(items)}</ul>"


def _apart(found: Findings) -> str:
    """What says nothing of the four variants: votes on parents, votes of judges, and votes with the names visible."""
    parts = []
    if found.matched:
        (drawn,) = (figure for figure in found.figures if figure.id == "parents")
        parts.append(_drawn(drawn, paragraphs([sentence(row) for row in found.matched]), "apart"))
    if found.judged is not None:
        rows = "".join(_one(row.name, row.log_strength, row.low, row.high, "nats") for row in found.judged.strengths)
        words = (
            f"{_number(found.judged.votes, 'vote')} of a language model, in none of the figures above. Log strengths:"
        )
        parts.append(section("What the judge says", f"<p>{words}</p><ul>{rows}</ul>", "apart"))
    if found.opened:
        rows = "".join(_one(row.name, row.value, row.low, row.high, "share") for row in found.opened if row.votes)
        words = "Whoever sees the names may vote for a name; in none of the figures above. Shares won:"
        parts.append(section("With the names visible", f"<p>{words}</p><ul>{rows}</ul>", "apart"))
    return "".join(parts)


def _one(name: str, value: float | None, low: float, high: float, unit: str) -> str:
    span = f"{shown(low, unit)} to {shown(high, unit)}"
    return f"<li>{escape(name)}: {escape(shown(value, unit))} ({escape(span)})</li>"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
