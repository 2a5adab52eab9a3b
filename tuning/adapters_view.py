"""What the Adapters page shows as HTML and as tables. Every word of a row, a name or a message is escaped here."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from tuning.adapters import Adapter
from tuning.assessment import SETS, caveats, figures, measured_on
from tuning.curves import Table, table
from tuning.modelcard import KINDS
from tuning.progress import duration

TONES = {"keep": "good", "don't keep": "bad", "not measured": "open"}
TITLES = {
    "held_out": "On rows that it never saw",
    "general": "What it forgot: general rows",
    "own": "What it forgot: rows of your choice",
    "both": "What it forgot: both together",
}
FIRST = 3
"""Samples that are shown at once; the others on demand."""
LONGEST = 600
"""Characters of a question or an answer that are shown."""

Found = Mapping[str, Any] | None
"""An adapter's assessment, or None where it was not measured."""


def label(adapter: Adapter, found: Found) -> str:
    """An adapter in one line, to choose it by."""
    kind = "model" if adapter.is_model else str(adapter.card.get("method", "adapter"))
    return f"{adapter.name}: {verdict_of(found)} ({kind}, {size(adapter.weight_bytes)})"


def verdict_of(found: Found) -> str:
    return str(found["verdict"]["verdict"]) if found else "not measured"


def head_html(adapter: Adapter | None, found: Found, notes: Sequence[str] = ()) -> str:
    """The verdict with its reasons, and the figures that it rests on."""
    told = "".join(f"<p><small>{escape(note)}</small></p>" for note in notes)
    if adapter is None:
        return f"<p>No adapters yet: train one on the Tune page.</p>{told}"
    results = "".join(_set(found, kind) for kind in SETS if found and kind in found)
    return _verdict(adapter, found) + _facts(adapter) + results + told


def _verdict(adapter: Adapter, found: Found) -> str:
    word = verdict_of(found)
    if found is None:
        reasons = ["It was not compared with its base yet; that takes a minute or two."]
        about = _loss(adapter.card)
    else:
        reasons = list(found["verdict"]["reasons"])
        limits, notes = found["settings"], "; ".join(found["notes"])
        about = f"Measured on {str(found['created'])[:10]} in {found['seconds']:.0f} s, at most {limits['rows']} rows "
        about += f"of each kind, answers of at most {limits['tokens']} tokens." + (f" Note: {notes}." if notes else "")
    items = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
    title = f"<h2>{escape(adapter.name)} <b>{escape(word)}</b></h2>"
    return f'<section class="verdict {TONES[word]}">{title}<ul>{items}</ul><small>{escape(about)}</small></section>'


def _loss(card: Mapping[str, Any]) -> str:
    tuned, base = card.get("test_loss"), card.get("base_test_loss")
    if tuned is None or base is None:
        return "Training left no rows to measure it on."
    return f"While training, the loss on held-out rows was {tuned:.3f}, the base model's {base:.3f}."


def _facts(adapter: Adapter) -> str:
    card = adapter.card
    facts = {
        "trained on": f"{card.get('train_rows', '?')} rows",
        "base": adapter.shown_base,
        "method": str(card.get("method", "")),
        "size": size(adapter.weight_bytes),
        "took": duration(float(card.get("seconds") or 0)),
        "made": str(card["created"])[:10],
    }
    shown = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.items())
    return f"<dl>{shown}</dl>"


def _set(found: Mapping[str, Any], kind: str) -> str:
    part = found[kind]
    table = _table(("", "base", "tuned", "change [95% interval]"), figures(part))
    said = "".join(f"<small>{escape(caveat)}.</small>" for caveat in caveats(part))
    words = escape(measured_on(part, SETS[kind]))
    return f"<section><h3>{TITLES[kind]}</h3><p>{words}.</p>{table}{said}</section>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column names its rows; empty where there are none."""
    if not rows:
        return ""
    titles = "".join(f'<th scope="col">{escape(title)}</th>' for title in head)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return f'<div class="wide"><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>'


def tail_html(adapter: Adapter | None, found: Found, samples: bool = True) -> str:
    """Answers side by side, and how it was made. Without `samples`, no question or answer of its rows."""
    if adapter is None:
        return ""
    shown = _samples(found["samples"]) if found and samples and found["samples"] else ""
    return shown + _making(adapter)


def _samples(samples: Sequence[Mapping[str, Any]]) -> str:
    first, more = ("".join(map(_sample, part)) for part in (samples[:FIRST], samples[FIRST:]))
    rest = f"<details><summary>{len(samples) - FIRST} more</summary>{more}</details>" if more else ""
    return f"<section><h3>Answers side by side</h3>{first}{rest}</section>"


def _sample(sample: Mapping[str, Any]) -> str:
    right = sample["response"] or "(only a bad answer is known)"
    columns = (("base", sample["base"]), ("tuned", sample["tuned"]), ("as it should be", right))
    answers = "".join(
        f"<div><small>{title}</small><p>{escape(_short(text or '(nothing)'))}</p></div>" for title, text in columns
    )
    passages = f" <small>with {sample['passages']} passages</small>" if sample["passages"] else ""
    question = escape(_short(sample["question"]))
    return f'<article><h4>{question}{passages}</h4><div class="answers">{answers}</div></article>'


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _making(adapter: Adapter) -> str:
    card = adapter.card
    rows = card.get("rows") or {}
    lineage = " ← ".join([adapter.name, *(str(one["name"]) for one in card.get("lineage") or ()), adapter.shown_base])
    counts = ", ".join(f"{len(rows.get(part, ()))} {part}" for part in ("train", "validation", "test"))
    facts = [
        ("what it is", KINDS.get(str(card.get("method")), "an adapter")),
        ("from", lineage),
        ("rows", f"{rows.get('file', '?')}: {counts}"),
        ("rows' SHA-256", str(rows.get("sha256", "?"))[:16]),
        ("weights' SHA-256", adapter.digest[:16]),
        ("ended", str(card.get("ended", "?"))),
        ("steps", str(card.get("steps", "?"))),
        ("precision", str(card.get("precision", "?"))),
        ("answer tokens a second", f"{card.get('answer_tokens_per_second') or 0:,.0f}"),
    ]
    facts += [(name.replace("_", " "), str(value)) for name, value in (card.get("config") or {}).items()]
    return f"<details><summary>How it was made</summary>{_table(('', ''), facts)}</details>"


def curves(adapter: Adapter | None) -> Table:
    """The adapter's curves."""
    kept = (adapter.card.get("curves") if adapter else None) or {}
    return table(kept.get("train") or (), kept.get("validation") or ())


def comparison_html(result: Mapping[str, Any]) -> str:
    """Two adapters side by side, as `tuning.comparing` found them."""
    left, right = result["left"], result["right"]
    names = (left["name"], right["name"])
    facts = [("verdict", left["verdict"], right["verdict"])]
    facts += [
        (fact.replace("_", " "), _shown(left[fact]), _shown(right[fact]))
        for fact in ("method", "train_rows", "steps", "validation_loss", "test_loss")
    ]
    facts += [(name.replace("_", " "), *map(_shown, values)) for name, values in result["config"].items()]
    parts = [f"<p><b>{escape(result['conclusion'])}</b></p>", _table(("", *names), facts)]
    same = "Trained on the same rows." if result["same_data"] else "Trained on different rows."
    parts.append(f"<p>{same}{' The very same weights.' if result['same_weights'] else ''}</p>")
    for kind, words in SETS.items():
        if kind in result:
            table = _table(("", *names, "change [95% interval]"), figures(result[kind]))
            said = "".join(f"<small>{escape(caveat)}.</small>" for caveat in caveats(result[kind]))
            shared = escape(measured_on(result[kind], words))
            parts.append(f"<section><h3>{TITLES[kind]}</h3><p>{shared}, shared.</p>{table}{said}</section>")
    parts += [f"<p><small>{escape(note)}.</small></p>" for note in result["notes"]]
    return "".join(parts)


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.0f} kB"
