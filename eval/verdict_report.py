"""Advice -> one page, as Markdown or as HTML that needs nothing else. Every text of others is escaped."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from eval.advice import Advice
from eval.costs import Example
from eval.verdict import OPEN, Opinion, name_of

TITLES = {
    "base": "Use the base model as it is.",
    "few-shot": "Put examples into the prompt.",
    "tune": "Fine-tune.",
    "retrieve": "Retrieve.",
    "both": "Fine-tune and retrieve.",
    OPEN: "Not settled yet.",
}
RULE = (
    "Of all candidates take the one that costs least and is not worse than the best by more than the margin. It is"
    " settled when intervals that hold for all differences together leave no other answer."
)
STYLE = """
:root { color-scheme: light dark; --faint: color-mix(in srgb, currentColor 25%, transparent) }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; vertical-align: top; padding: .3rem .5rem; border-bottom: 1px solid var(--faint) }
.scroll { overflow-x: auto }
blockquote { margin: .3rem 0; padding-left: .8rem; border-left: 3px solid var(--faint); white-space: pre-wrap }
blockquote, p, li { overflow-wrap: anywhere }
small { opacity: .75 }
"""

Block = tuple[str, Any]
"""("title" | "heading" | "text" | "list" | "table" | "example", content)."""


def blocks(advice: Advice) -> list[Block]:
    """The report's parts in order, their texts as they are."""
    verdict = advice.verdict
    found: list[Block] = [
        ("title", title(advice)),
        ("text", verdict.reason),
        ("text", f"Margin: {100 * verdict.margin:g} points. {RULE}"),
    ]
    for opinion in verdict.opinions:
        if opinion.evidence.count:
            found += _evidence(opinion)
    if costs(advice):
        found += [("heading", "What it costs"), ("list", costs(advice))]
    for favours, words in ((True, "for"), (False, "against")):
        mine = [example for example in advice.examples if example.favours is favours]
        if mine and verdict.candidate:
            found.append(("heading", f"Examples that speak {words} {verdict.candidate}"))
            found += [("example", example) for example in mine]
    made = [f"{name} {about['name']}" for name, about in advice.made_with.items() if isinstance(about, Mapping)]
    found.append(("small", f"{', '.join([*made, ''])}{_when(advice.created)}"))
    return found


def _when(created: str) -> str:
    return f"{datetime.fromisoformat(created).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def title(advice: Advice) -> str:
    """The recommendation as a sentence."""
    verdict = advice.verdict
    if verdict.recommendation == OPEN:
        needed = [
            f"about {count:,} more {unit}"
            for unit, count in (("votes", verdict.votes_needed), ("rows", verdict.rows_needed))
            if count
        ]
        return f"Not settled yet: {' or '.join(needed)}." if needed else TITLES[OPEN]
    plain, _, more = verdict.recommendation.partition(", ")
    return f"{TITLES[plain][:-1]}{', ' + more if more else ''}."


def costs(advice: Advice) -> list[str]:
    """What tuning and retrieval cost, a sentence each."""
    lines = []
    if advice.tuning:
        minutes = advice.tuning["minutes"]
        took = "an unknown time" if minutes is None else f"{minutes:.1f} minutes"
        lines.append(f"Tuning {advice.tuning['adapter']} took {took} on {advice.tuning['rows']} rows.")
        lines += advice.tuning["forgetting"]
    elif advice.made_with.get("adapter"):
        lines.append("What tuning cost is not known: the adapter that was compared is not on this disk any more.")
    retrieval = advice.retrieval or {}
    for name, words in (("seconds", "seconds to the end"), ("first_token_seconds", "seconds to the first token")):
        if retrieval.get(name):
            lines.append(f"Retrieval changes the {words} of an answer by {_interval(retrieval[name], '{:+.2f}')}.")
    if retrieval.get("prompt_tokens"):
        lines.append(
            f"Its passages change the tokens of a prompt by {_interval(retrieval['prompt_tokens'], '{:+.0f}')}."
        )
    return lines


def _evidence(opinion: Opinion) -> list[Block]:
    evidence = opinion.evidence
    rows = [("candidate", "recommended as", evidence.measure, "best other minus it, all intervals together")]
    for id, value in evidence.values.items():
        rival, gap = max(
            ((other, evidence.gaps[other, id]) for other in evidence.values if other != id),
            key=lambda pair: pair[1].value,
        )
        ends = {"value": gap.value, "low": gap.low, "high": gap.high}
        rows.append((id, name_of(id), _interval(value, "{:.3f}"), f"{rival}: {_interval(ends, '{:+.3f}')}"))
    intervals = (
        f"Candidates in the order of their cost. Intervals of single figures hold at 95 %, those of the differences"
        f" together at {100 * evidence.level:g} %."
    )
    words = evidence.words[0].upper() + evidence.words[1:]
    note = f" Note: {evidence.note}." if evidence.note else ""
    return [("heading", f"Evidence: {evidence.kind}"), ("text", f"{words}. {intervals}{note}"), ("table", rows)]


def _interval(found: Mapping[str, float | None], shape: str) -> str:
    if found["value"] is None:
        return "NaN"
    low, high = found["low"], found["high"]
    if low is None or high is None:
        return f"{shape.format(found['value'])} (no interval)"
    if low == float("-inf"):
        return f"{shape.format(found['value'])} (too few sources for an interval)"
    return f"{shape.format(found['value'])} [{shape.format(low)}, {shape.format(high)}]"


def as_html(advice: Advice) -> str:
    """A whole document without anything from elsewhere."""
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    head = f"{meta}<title>{escape(title(advice))}</title>"
    return f"<!doctype html><html lang=en><head>{head}<style>{STYLE}</style></head><body>{body(advice)}</body></html>\n"


def body(advice: Advice) -> str:
    """The report as HTML without a document around it."""
    return "".join(_html(kind, content) for kind, content in blocks(advice))


def _html(kind: str, content: Any) -> str:
    if kind == "list":
        return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in content) + "</ul>"
    if kind == "table":
        head, *rows = content
        first = "".join(f"<th>{escape(cell)}</th>" for cell in head)
        lines = "".join(f"<tr>{_cells(head, row)}</tr>" for row in rows)
        return f'<div class="scroll"><table><thead><tr>{first}</tr></thead><tbody>{lines}</tbody></table></div>'
    if kind == "example":
        parts = "".join(f"<p>{escape(who)}</p><blockquote>{escape(text)}</blockquote>" for who, text in _said(content))
        return f"<p><b>{escape(content.question)}</b> <small>{escape(content.why)}</small></p>{parts}"
    tag = {"title": "h1", "heading": "h2", "text": "p", "small": "small"}[kind]
    return f"<{tag}>{escape(content)}</{tag}>"


def _cells(head: Sequence[str], row: Sequence[str]) -> str:
    """Each cell knows its column, which on a phone stands before it."""
    return "".join(
        f'<td data-of="{escape(title)}"><span>{escape(cell)}</span></td>' for title, cell in zip(head, row, strict=True)
    )


def as_markdown(advice: Advice) -> str:
    return "\n\n".join(_markdown(kind, content) for kind, content in blocks(advice)) + "\n"


def _markdown(kind: str, content: Any) -> str:
    if kind == "list":
        return "\n".join(f"- {_plain(line)}" for line in content)
    if kind == "table":
        head, *rows = content
        lines = [[_plain(cell) for cell in line] for line in (head, *rows)]
        return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], ["---"] * len(head), *lines[1:]))
    if kind == "example":
        said = "\n>\n".join(f"> {_plain(who)}: {_plain(text)}" for who, text in _said(content))
        return f"**{_plain(content.question)}** ({_plain(content.why)})\n\n{said}"
    return {"title": "# ", "heading": "## "}.get(kind, "") + _plain(content)


def _said(example: Example) -> Sequence[tuple[str, str]]:
    right = [("right", example.right)] if example.right else []
    return [*right, (example.candidate, example.answer), (example.rival, example.other)]


def _plain(text: str) -> str:
    """Text of others on one line, so that Markdown takes no part of it for markup."""
    return re.sub(r"([\\`*_{}\[\]<>#|!&~])", r"\\\1", " ".join(text.split()))
