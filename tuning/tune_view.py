"""What the Tune page shows as HTML and as tables. Every word of a row, a name or a message is escaped here."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import PurePath
from typing import Any

from tuning.adapters import Adapter
from tuning.dialogues import Dataset, Finding, Row
from tuning.progress import duration

STYLE = """<style>
.tune-table { max-height: 340px; overflow: auto; }
.tune-table table { width: 100%; border: 0 !important;
  border-collapse: collapse; font-size: var(--text-sm); color: var(--body-text-color); }
.tune-table table td, .tune-table table th { text-align: left; vertical-align: top; padding: 5px 8px;
  overflow-wrap: anywhere; border: 0 !important; border-top: 1px solid var(--border-color-primary) !important; }
.tune-table table th { border-top: 0 !important; color: var(--body-text-color-subdued); }
.tune-line { color: var(--body-text-color); margin: 6px 0; overflow-wrap: anywhere; }
.tune-quiet { color: var(--body-text-color-subdued); font-size: var(--text-sm); overflow-wrap: anywhere; }
.tune-bad { color: #dc2626; font-weight: 600; } .dark .tune-bad { color: #f87171; }
.tune-runs .wrap { flex-direction: column; flex-wrap: nowrap; max-height: 210px; overflow-y: auto; gap: 4px; }
.tune-run progress { width: 100%; height: 10px; accent-color: var(--primary-500); }
.tune-facts { display: flex; flex-wrap: wrap; gap: 2px 18px; color: var(--body-text-color); }
.tune-cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(300px, 100%), 1fr)); gap: 12px; }
.tune-card { border: 1px solid var(--border-color-primary); border-radius: var(--radius-lg); padding: 10px 14px;
  background: var(--block-background-fill); color: var(--body-text-color); overflow-wrap: anywhere; }
.tune-card b { font-size: var(--text-lg); }
.tune-card details { color: var(--body-text-color-subdued); font-size: var(--text-sm); margin-top: 6px; }
</style>"""
SHOWN = 5
"""Rows of the preview."""
LISTED = 100
"""Findings listed; their number is always given."""


def report_html(data: Dataset) -> str:
    """What becomes of each row of the file, and the first rows as they will be learnt."""
    report, splits = data.report, data.splits
    total = len(report.kept) + len(report.dropped)
    head = (
        f"<b>{len(report.kept)}</b> of {total} rows of {escape(data.file)} are used: "
        f"{len(splits.train)} to train, {len(splits.validation)} to validate, {len(splits.test)} to test. "
        f"Their answers have {report.answer_tokens:,} tokens; the longest row has {report.longest}."
    )
    notes = "".join(f'<p class="tune-quiet">{escape(note)}.</p>' for note in (*report.notes, *splits.notes))
    return (
        f'<p class="tune-line">{head}</p>{notes}{_findings("Left out", report.dropped)}{_findings("Cut", report.cut)}'
        f'<p class="tune-quiet">The first rows; the model learns to write the answers, not the questions.</p>'
        + _table(("Question", "Answer"), [(_asked(row), row.response) for row in report.kept[:SHOWN]])
    )


def _asked(row: Row) -> str:
    turns = row.prompt
    return turns[0]["content"] if len(turns) == 1 else "\n".join(f"{turn['role']}: {turn['content']}" for turn in turns)


def _findings(title: str, findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    more = f" (the first {LISTED} are shown)" if len(findings) > LISTED else ""
    rows = [(finding.place, finding.reason) for finding in findings[:LISTED]]
    return f'<p class="tune-line tune-bad">{title}: {len(findings)}{more}</p>' + _table(("Where", "Why"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(_short(cell))}</td>' for cell in row)}</tr>" for row in rows)
    table = f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="tune-table" tabindex="0">{table}</div>'


def _short(text: str, most: int = 400) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def verdict(card: Mapping[str, Any]) -> str:
    """Held-out loss against the base model's, in words."""
    tuned, base = card.get("test_loss"), card.get("base_test_loss")
    if tuned is None or base is None:
        return "Too few rows to hold any out: whether it helped was not measured."
    change = tuned / base - 1
    word = "better" if change < 0 else "worse"
    return f"Loss on unseen rows {tuned:.3f}, base model {base:.3f}: {abs(change):.0%} {word}."


def adapters_html(adapters: Sequence[Adapter], notes: Sequence[str]) -> str:
    """A card for each adapter, and what was found but is no adapter."""
    if not adapters and not notes:
        return '<p class="tune-quiet">No adapters yet.</p>'
    told = "".join(f'<p class="tune-quiet">{escape(note)}</p>' for note in notes)
    return f'<div class="tune-cards">{"".join(map(_card, adapters))}</div>{told}'


def _card(adapter: Adapter) -> str:
    card = adapter.card
    config = "".join(
        f"<div>{escape(str(key))}: {escape(str(value))}</div>" for key, value in dict(card.get("config") or {}).items()
    )
    size = _size(adapter.weight_bytes)
    # A Hub id as it is; of a folder only its name, since visitors need not know where files of the host lie.
    base = PurePath(adapter.base).name if PurePath(adapter.base).is_absolute() else adapter.base
    speed, seconds = card.get("answer_tokens_per_second", 0), card.get("seconds", 0)
    return (
        f'<div class="tune-card"><b>{escape(adapter.name)}</b><div class="tune-line">{verdict(card)}</div>'
        f'<div class="tune-quiet">{escape(str(card.get("method", "")))} on {escape(base)}, '
        f"{card.get('train_rows', '?')} rows, {card.get('steps', '?')} steps, {size}, "
        f"{escape(str(card['created'])[:10])}</div>"
        f"<details><summary>How it was made</summary><div>trained for {duration(seconds)} at {speed:,.0f} answer "
        f"tokens/s, ended: {escape(str(card.get('ended', '')))}</div>{config}"
        f"<div>weights SHA-256: {escape(adapter.digest[:16])}…</div></details></div>"
    )


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.0f} kB"
