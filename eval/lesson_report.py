"""What rows out of votes would teach beside what is meant: length, repetitions, contradictions."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from eval.outcomes import wilson


@dataclass(frozen=True)
class LessonReport:
    """Counts of the rows, and how much longer what is preferred is."""

    rows: int
    sources: int
    """Groups of rows that are joined by a conversation or a prompt, and so in one split."""
    repeated: int
    """Rows that say what an earlier one says: several raters, or one question asked again. They are left out."""
    contradicted: int
    """Preference rows whose opposite is there too. They are kept: raters differ."""
    longer: float | None
    """Share of the preference rows whose chosen answer has more words, equal lengths left out; None without any."""
    longer_low: float
    longer_high: float
    words_more: float | None
    """Words that a chosen (or good) answer has more than a rejected (or bad) one, on average."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def in_words(self) -> list[str]:
        lines = [f"{self.rows} rows of {self.sources} conversations or prompts"]
        if self.repeated:
            lines.append(f"{self.repeated} more left out, which repeat one of them")
        if self.contradicted:
            lines.append(f"{self.contradicted} contradict another one: raters differ")
        if self.longer is not None:
            spread = f"{self.longer_low:.0%} to {self.longer_high:.0%}"
            lines.append(f"the chosen answer is the longer one in {self.longer:.0%} ({spread})")
        if self.words_more is not None:
            lines.append(f"what is preferred has {self.words_more:+.1f} words on average")
        if self.longer is not None and not self.longer_low <= 0.5 <= self.longer_high:
            lines.append(f"length bias: training on these rows also teaches to write {self._tendency()}")
        return lines

    def _tendency(self) -> str:
        return "more" if (self.longer or 0) > 0.5 else "less"


def distinct(rows: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], LessonReport]:
    """The rows without those that repeat an earlier one, and the report on them."""
    kept: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        kept.setdefault(_said(row), row)
    mine = list(kept.values())
    both = Counter(_said(row, swapped=True) for row in mine if "chosen" in row)
    pairs = [(len(row["chosen"].split()), len(row["rejected"].split())) for row in mine if "chosen" in row]
    unequal = [more > less for more, less in pairs if more != less]
    low, high = wilson(sum(unequal), len(unequal), 0.95)
    report = LessonReport(
        rows=len(mine),
        sources=len({row["source"] for row in mine}),
        repeated=len(rows) - len(mine),
        contradicted=sum(both[_said(row)] for row in mine if "chosen" in row),
        longer=fmean(unequal) if unequal else None,
        longer_low=low,
        longer_high=high,
        words_more=fmean(more - less for more, less in pairs) if pairs else _words_more(mine),
    )
    return mine, report


def _words_more(rows: Sequence[Mapping[str, Any]]) -> float | None:
    lengths: dict[bool, list[int]] = {True: [], False: []}
    for row in rows:
        if "label" in row:
            lengths[row["label"]].append(len(row["completion"].split()))
    return fmean(lengths[True]) - fmean(lengths[False]) if all(lengths.values()) else None


def _said(row: Mapping[str, Any], swapped: bool = False) -> str:
    """What a row teaches, or the opposite."""
    said = {name: value for name, value in row.items() if name not in ("source", "id")}
    if swapped:
        said = {**said, "chosen": row["rejected"], "rejected": row["chosen"]}
    return json.dumps(said, sort_keys=True)
