"""What becomes of the rows, as HTML: counts, findings by row, lengths, and the first batch as the model will see it.

Every word of a row, a name or a message is escaped here.
"""

from collections.abc import Sequence
from html import escape

from tuning.dialogues import Dataset, Finding
from tuning.preview import Preview

STYLE = """<style>
.rows-line { color: var(--body-text-color); margin: 6px 0; overflow-wrap: anywhere; }
.rows-quiet { color: var(--body-text-color-subdued); font-size: var(--text-sm); overflow-wrap: anywhere;
  margin: 4px 0; }
.rows-bad { color: #b91c1c !important; font-weight: 600; } .dark .rows-bad { color: #f87171 !important; }
.rows-block { border: 1px solid var(--border-color-primary); border-radius: var(--radius-lg); padding: 8px 12px;
  margin: 8px 0; background: var(--block-background-fill); color: var(--body-text-color); }
.rows-block summary { cursor: pointer; font-weight: 600; overflow-wrap: anywhere; }
.rows-scroll { max-height: 320px; overflow: auto; margin-top: 6px; }
.rows-scroll table { width: 100%; border-collapse: collapse; font-size: var(--text-sm); border: 0 !important; }
.rows-scroll td, .rows-scroll th { text-align: left; vertical-align: top; padding: 4px 8px; overflow-wrap: anywhere;
  border: 0 !important; border-top: 1px solid var(--border-color-primary) !important; color: var(--body-text-color); }
.rows-scroll tr { border: 0 !important; }
.rows-scroll td:first-child { white-space: nowrap; }
.rows-bars { display: grid; grid-template-columns: max-content 1fr max-content; gap: 3px 10px; align-items: center;
  font-size: var(--text-sm); margin-top: 6px; font-variant-numeric: tabular-nums; }
.rows-bar { height: 12px; min-width: 1px; border-radius: 2px; background: #0d9488; }
.rows-seen { white-space: pre-wrap; overflow-wrap: anywhere; font-family: var(--font-mono); font-size: var(--text-sm);
  max-height: 260px; overflow: auto; margin: 4px 0 12px; padding: 8px; border-radius: var(--radius-md);
  background: var(--background-fill-secondary); color: var(--body-text-color); }
.rows-block mark { background: #bbf7d0; color: #14532d; border-radius: 2px; }
.dark .rows-block mark { background: #14532d; color: #bbf7d0; }
</style>"""
LISTED = 200
"""Findings listed; their number is always given."""


def report_html(data: Dataset, batch: Sequence[Preview]) -> str:
    """The whole report."""
    report, splits = data.report, data.splits
    total = len(report.kept) + len(report.dropped)
    head = (
        f"<b>{len(report.kept)}</b> of {total} rows of {escape(data.file)} are used: "
        f"{len(splits.train)} to train, {len(splits.validation)} to validate, {len(splits.test)} to test. "
        f"Their answers have {report.answer_tokens:,} tokens; the longest row has {report.longest}."
    )
    notes = "".join(f'<p class="rows-quiet">{escape(note)}.</p>' for note in (*report.notes, *splits.notes))
    findings = (
        _findings("Left out", report.dropped, wide=True)
        + _findings("Cut", report.cut, wide=True)
        + _findings("Leaks: held-out rows that training rows ask too", report.leaks, wide=True)
        + _findings("Nearly repeated, and kept", report.near, wide=False)
    )
    return f'<p class="rows-line" role="status">{head}</p>{notes}{findings}{_lengths(data)}{_batch(batch)}'


def trouble_html(name: str, columns: Sequence[str], trouble: str) -> str:
    """What a table is called and holds, and what is wrong with it."""
    held = f"columns: {', '.join(columns)}" if columns else ""
    line = f'<p class="rows-line"><b>{escape(name)}</b> <span class="rows-quiet">{escape(held)}</span></p>'
    return line + (f'<p class="rows-line rows-bad" role="alert">{escape(trouble)}</p>' if trouble else "")


def _findings(title: str, findings: Sequence[Finding], wide: bool) -> str:
    if not findings:
        return ""
    more = f" (the first {LISTED} are shown)" if len(findings) > LISTED else ""
    rows = "".join(
        f"<tr><td>{escape(finding.place)}</td><td>{escape(finding.reason)}</td></tr>" for finding in findings[:LISTED]
    )
    table = f"<table><thead><tr><th>Where</th><th>Why</th></tr></thead><tbody>{rows}</tbody></table>"
    body = f'<div class="rows-scroll" tabindex="0">{table}</div>'
    return _block(f'<span class="rows-bad">{escape(title)}: {len(findings)}{more}</span>', body, wide)


def _lengths(data: Dataset) -> str:
    bars = data.report.histogram
    most = max((rows for _, _, rows in bars), default=1)
    cells = "".join(
        f'<span>{low}–{high - 1}</span><span class="rows-bar" style="width: {100 * rows / most:.1f}%"></span>'
        f"<span>{rows}</span>"
        for low, high, rows in bars
    )
    return _block("Tokens a row", f'<div class="rows-bars">{cells}</div>', False)


def _batch(batch: Sequence[Preview]) -> str:
    told = '<p class="rows-quiet">The model learns to write what is <mark>marked</mark>; it only reads the rest.</p>'
    shown = "".join(
        f'<p class="rows-quiet">{escape(one.place)}{_judged(one)}</p>'
        f'<div class="rows-seen" tabindex="0">{_marked(one)}</div>'
        for one in batch
    )
    return _block(f"The first batch as the model will see it ({len(batch)} rows)", told + shown, True)


def _judged(one: Preview) -> str:
    if one.rejected is not None:
        return f"; to become less likely: {escape(one.rejected)}"
    return "" if one.good is None else "; a good answer" if one.good else "; a bad answer, to become less likely"


def _marked(one: Preview) -> str:
    return "".join(f"<mark>{escape(part.text)}</mark>" if part.learnt else escape(part.text) for part in one.segments)


def _block(title: str, body: str, wide: bool) -> str:
    """A part that can be folded; `wide` shows it unfolded."""
    return f'<details class="rows-block"{" open" if wide else ""}><summary>{title}</summary>{body}</details>'
