"""What the Tune page shows as HTML and as tables. Every word of a row, a name or a message is escaped here."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import PurePath
from typing import Any

from tuning.adapters import Adapter
from tuning.progress import duration

STYLE = """<style>
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
SCARCE = 0.15
"""Less memory than this share of what a run holds, free beside it, is warned of."""


def estimate_html(event: Mapping[str, Any]) -> str:
    """What a run would take, and a warning where memory is nearly full."""
    words = f"About {duration(event['seconds'])} and {event['bytes'] / 1e9:.1f} GB of memory, by a few timed steps."
    if event["free_bytes"] > SCARCE * event["bytes"]:
        return f'<p class="tune-line">{words}</p>'
    left = f"Only {event['free_bytes'] / 1e9:.1f} GB more are free: close other programs, or lower the batch size."
    return f'<p class="tune-line">{words}</p><p class="tune-line tune-bad">{left}</p>'


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
