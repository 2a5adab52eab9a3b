"""What was measured of an adapter, as its folder keeps it. Imports nothing heavy: pages and lists read it."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from tuning.adapters import Adapter

ASSESSMENT = "assessment.json"
SCHEMA = 1
SETS = {
    "held_out": "held-out rows",
    "general": "general rows",
    "own": "rows of your choice",
    "both": "general rows and rows of your choice",
}
"""The sets that are measured, and what they are called."""

FIGURES = {
    "loss": "loss of the answers",
    "perplexity": "perplexity",
    "margin": "lead of preferred answers",
    "exact": "exact match",
    "f1": "token F1",
    "holds": "holds an accepted answer",
}
"""What is measured, and what it is called. Loss and perplexity are better where lower."""

Figures = tuple[str, str, str, str]
"""What it is, the base's, the tuned model's, and the change with its interval."""

log = logging.getLogger(__name__)


def read_assessment(adapter: Adapter) -> dict[str, Any] | None:
    """The adapter's assessment; None where there is none, or one of other weights, or one that cannot be read."""
    path = adapter.path / ASSESSMENT
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["schema"] == SCHEMA and found["adapter"]["digest"] == adapter.digest:
            return dict(found)
        log.info("%s is of other weights or of another version", path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.info("%s cannot be read: %r", path, error)
    return None


def figures(part: Mapping[str, Any]) -> list[Figures]:
    """The figures of a set as a table."""
    return [(words, *cells(name, part[name])) for name, words in FIGURES.items() if name in part]


def cells(name: str, both: Mapping[str, Any]) -> tuple[str, str, str]:
    """The two values and the change of one figure, in words."""
    if name == "perplexity":
        times = both["ratio"]
        change = _spread(*(_number(times[key], "×{:.3g}") for key in ("value", "low", "high")))
        return _number(both["base"], "{:.4g}"), _number(both["tuned"], "{:.4g}"), change
    plain = name in ("loss", "margin")
    shape, change_shape = ("{:.3f}", "{:+.3f}") if plain else ("{:.1%}", "{:+.1%}")
    difference = both["difference"]
    change = _spread(*(_number(difference[key], change_shape) for key in ("value", "low", "high")))
    return _number(both["base"], shape), _number(both["tuned"], shape), change


def caveats(part: Mapping[str, Any]) -> list[str]:
    """What is to be known of a set's intervals, or why there is none: each said once, and of which where not of all."""
    said: dict[str, list[str]] = {}
    noted = {words: part[name].get("difference") for name, words in FIGURES.items() if name in part}
    for words, difference in noted.items():
        if difference and difference["note"]:
            said.setdefault(difference["note"], []).append(words)
    everything = [words for words, difference in noted.items() if difference]
    return [note if names == everything else f"{', '.join(names)}: {note}" for note, names in said.items()]


def _spread(value: str, low: str, high: str) -> str:
    return value if not low else f"{value} [{low}, {high}]"


def _number(value: float | None, shape: str) -> str:
    return "" if value is None else shape.format(value)


def measured_on(part: Mapping[str, Any], words: str) -> str:
    """What a set consists of."""
    return f"{part['rows']} {words} from {part['sources']} sources, {part['short_answers']} with a short answer"


def in_words(found: Mapping[str, Any]) -> list[str]:
    """The assessment as lines of text."""
    lines = [f"verdict: {found['verdict']['verdict']}", *(f"  {reason}" for reason in found["verdict"]["reasons"])]
    for kind, words in SETS.items():
        if kind in found:
            lines += [measured_on(found[kind], words), *table(figures(found[kind]))]
            lines += [f"  ({caveat})" for caveat in caveats(found[kind])]
    return lines + [f"note: {note}" for note in found["notes"]]


def table(rows: list[Figures]) -> list[str]:
    """Figures as aligned lines: `what  base -> tuned  change`."""
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    return [
        f"  {what:{widths[0]}}  {base:>{widths[1]}} -> {tuned:>{widths[2]}}  {change}".rstrip()
        for what, base, tuned, change in rows
    ]
