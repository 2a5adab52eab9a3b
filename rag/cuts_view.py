"""Chunks on the text that they were cut from, as HTML: shades in turn, what two of them share in between."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from .leaves import headings_of

if TYPE_CHECKING:
    from .documents import Document
    from .leaves import Leaf
    from .preview import Cut

STYLE = """<style>
.cuts { max-height: 520px; overflow-y: auto; margin: 6px 0; border-radius: 6px; }
.cuts section { padding: 6px 12px; white-space: pre-wrap; overflow-wrap: anywhere; color: var(--body-text-color);
  background: color-mix(in srgb, var(--primary-500) 7%, transparent); border-left: 3px solid transparent; }
.cuts section:nth-child(even) { background: color-mix(in srgb, var(--primary-500) 18%, transparent); }
.cuts section.found { border-left-color: var(--primary-500); }
.cuts small { display: block; color: var(--body-text-color-subdued); }
.cuts .both { text-decoration: underline dotted var(--primary-500); text-underline-offset: 3px; }
</style>"""
SHOWN = 60
"""Chunks of a preview: who has seen these knows how the rest is cut."""


@dataclass(frozen=True)
class Row:
    """A chunk to be shown: its span of the text, a line above it, and whether it is the one that was looked for."""

    start: int
    end: int
    label: str
    found: bool = False


def leaf_html(document: "Document", leaf: "Leaf", chunk: int | None) -> str:
    """A leaf of a stored document; `chunk` is the id of the passage that was looked for."""
    rows = [
        Row(each.chunk.start, each.chunk.end, _label(number, each.chunk.heading), each.id == chunk)
        for number, each in enumerate(leaf.chunks, leaf.first)
    ]
    page = f"page {leaf.page} · " if leaf.page else ""
    headings = headings_of(document, leaf)
    titles = f" · {' · '.join(headings[:8])}{' …' if headings[8:] else ''}" if headings else ""
    return f"<p>{page}part {leaf.number} of {leaf.total}{escape(titles)}</p>{_rows_html(document.text, rows)}"


def preview_html(document: "Document", cuts: "Sequence[Cut]", limit: int) -> str:
    """How a document would be cut, with the tokens of each chunk."""
    tokens = [cut.tokens for cut in cuts]
    rows = [
        Row(cut.chunk.start, cut.chunk.end, _label(number, _tokens(cut), cut.chunk.heading))
        for number, cut in enumerate(cuts[:SHOWN], 1)
    ]
    head = (
        f"<b>{len(cuts):,} chunk{'' if len(cuts) == 1 else 's'}</b> of {min(tokens)} to {max(tokens)} tokens, "
        f"{sum(tokens) / len(tokens):.0f} on average; the embedder reads {limit}"
    )
    more = f"<p>and {len(cuts) - SHOWN:,} more</p>" if len(cuts) > SHOWN else ""
    return f"<p>{escape(document.name)}: {head}</p>{_rows_html(document.text, rows)}{more}"


def _rows_html(text: str, rows: Sequence[Row]) -> str:
    """Each chunk without what it repeats of the one before, where that is marked instead."""
    body, written = "", 0
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        start = max(row.start, written)
        shared = max(start, min(row.end, following.start)) if following else row.end
        both = f'<span class="both" title="repeated in the next chunk">{escape(text[shared : row.end])}</span>'
        found = ' class="found"' if row.found else ""
        body += (
            f"<section{found}><small>{escape(row.label)}</small>"
            f"{escape(text[start:shared])}{both if shared < row.end else ''}</section>"
        )
        written = row.end
    return f'<div class="cuts" role="list" tabindex="0" aria-label="Chunks in turn">{body}</div>'


def _label(number: int, *parts: str) -> str:
    return " · ".join((str(number), *filter(None, parts)))


def _tokens(cut: "Cut") -> str:
    return f"{cut.tokens} tokens" + (f", {cut.embedded} with its heading" if cut.chunk.prefix else "")
