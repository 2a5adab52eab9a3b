"""Rows -> what becomes of each of them, before anything is trained: kept, cut or dropped, and why."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from tuning.encoding import Example, encode, prompt_ids, token_ids
from tuning.errors import InputError
from tuning.nearness import Likeness, nearest
from tuning.rows import Row
from tuning.splits import Splits

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Finding:
    """Something about one row that the user should know."""

    place: str
    reason: str


@dataclass(frozen=True)
class Report:
    """What becomes of the rows of a recipe; nothing is left out without an entry here."""

    kept: tuple[Row, ...]
    dropped: tuple[Finding, ...]
    cut: tuple[Finding, ...]
    near: tuple[Finding, ...]
    """Kept rows that are nearly the same as an earlier one."""
    notes: tuple[str, ...]
    answer_tokens: int
    """Tokens that carry loss, in all kept rows."""
    lengths: tuple[int, ...]
    """Tokens of each kept row."""
    leaks: tuple[Finding, ...] = ()
    """Held-out rows that ask what a training row asks."""

    @property
    def longest(self) -> int:
        """Tokens of the longest kept row."""
        return max(self.lengths, default=0)

    @property
    def histogram(self) -> list[tuple[int, int, int]]:
        """Bars of equal width: lengths from, to (not included), and the kept rows of these lengths."""
        shortest = min(self.lengths, default=0)
        width = next(step for step in _widths() if self.longest // step - shortest // step < BARS)
        counts = Counter(length // width for length in self.lengths)
        bars = range(shortest // width, self.longest // width + 1)
        return [(bar * width, (bar + 1) * width, counts[bar]) for bar in bars]

    def as_json(self) -> dict[str, Any]:
        """The report with the kept rows counted instead of listed."""
        names = ("dropped", "cut", "near", "leaks")
        listed = {name: [vars(finding) for finding in getattr(self, name)] for name in names}
        bars = [{"from": low, "to": high, "rows": rows} for low, high, rows in self.histogram]
        numbers = {"kept": len(self.kept), "answer_tokens": self.answer_tokens, "longest": self.longest}
        return {**numbers, **listed, "histogram": bars, "notes": list(self.notes)}


BARS = 12
"""Bars of a histogram, at most."""


def _widths() -> Iterator[int]:
    return (factor * 10**power for power in count() for factor in (1, 2, 5))


def check(rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, max_length: int) -> Report:
    """Judge each row by what it says: keep it, cut old turns off it, or drop it with a reason.

    A dialogue beyond `max_length` tokens loses its oldest exchanges (the system turn stays); a single exchange beyond
    it is dropped, because an answer cut short teaches the model to stop nowhere.
    """
    controls = re.compile("|".join(map(re.escape, tokenizer.all_special_tokens)) or r"(?!)")
    kept: dict[object, Row] = {}
    dropped, cut = [], []
    sizes: list[Example] = []
    for row in rows:
        try:
            fitted, example = _fit(_answered(row), tokenizer, max_length, controls)
        except (_Unusable, InputError) as error:  # the latter from a chat template that refuses such turns
            dropped.append(Finding(row.place, str(error)))
            continue
        same = fitted.digest, str(fitted.passages)  # the same question with and without passages teaches two things
        if same in kept:
            dropped.append(Finding(row.place, f"the same as {kept[same].place}"))
            continue
        if removed := len(row.messages) - len(fitted.messages):
            cut.append(Finding(row.place, f"{removed} turns without an answer or beyond {max_length} tokens left out"))
        kept[same] = fitted
        sizes.append(example)
    found = tuple(kept.values())
    tokens = sum(example.answer_tokens for example in sizes)
    lengths = tuple(len(example.input_ids) for example in sizes)
    return Report(found, tuple(dropped), tuple(cut), _near(found), _notes(found), tokens, lengths)


def leaks(splits: Splits) -> tuple[Finding, ...]:
    """The held-out rows whose question, or one nearly the same, a training row asks too."""
    held_out = [(row, name) for name in ("validation", "test") for row in getattr(splits, name)]
    found = nearest([_question(row) for row, _ in held_out], [_question(row) for row in splits.train])
    return tuple(
        Finding(row.place, f"in {name}, and asks {_as(likeness)} {splits.train[likeness.number].place}, which trains")
        for (row, name), likeness in zip(held_out, found, strict=True)
        if likeness
    )


def _near(rows: Sequence[Row]) -> tuple[Finding, ...]:
    found = []
    for alone in (True, False):
        alike = [row for row in rows if alone == (not row.passages)]
        texts = ["\n".join([*(turn["content"] for turn in row.messages), row.rejected or ""]) for row in alike]
        found += [
            Finding(row.place, f"{_as(likeness)} {alike[likeness.number].place}")
            for row, likeness in zip(alike, nearest(texts), strict=True)
            if likeness
        ]
    return tuple(found)


def _question(row: Row) -> str:
    """What tells whether two rows ask the same. Over different passages, that shows only with the answer."""
    turns = row.messages if row.passages else row.prompt
    return "\n".join(turn["content"] for turn in turns if turn["role"] != "system")


def _as(likeness: Likeness) -> str:
    return "the same words as" if likeness.share == 1 else f"nearly the same ({likeness.share:.0%}) as"


class _Unusable(Exception):
    """Why a row is dropped."""


def _answered(row: Row) -> Row:
    """The row up to its last answer."""
    answers = [index for index, message in enumerate(row.messages) if message["role"] == "assistant"]
    if not answers:
        raise _Unusable("no assistant turn, so nothing to learn")
    return replace(row, messages=row.messages[: answers[-1] + 1])


def _fit(row: Row, tokenizer: PreTrainedTokenizerBase, limit: int, controls: re.Pattern[str]) -> tuple[Row, Example]:
    for message in row.messages:
        if not message["content"] and message["role"] != "system":
            raise _Unusable("the response is empty" if message["role"] == "assistant" else "the prompt is empty")
        if found := controls.search(message["content"]):
            raise _Unusable(f"its text contains the control token {found.group()}")
    if not any(message["role"] == "user" for message in row.prompt):
        raise _Unusable("no user turn, so nothing is asked")
    if row.rejected is not None:
        _check_rejected(row, tokenizer, limit, controls)
    while True:
        example = encode(tokenizer, row.grounded)
        if not example.answer_tokens:
            raise _Unusable("its answer has no tokens, so nothing to learn")
        if len(example.input_ids) <= limit:
            return row, example
        too_long = f"{len(example.input_ids)} tokens, more than {limit}; shorten it or raise the maximum length"
        row = _without_oldest_exchange(row, too_long)


def _check_rejected(row: Row, tokenizer: PreTrainedTokenizerBase, limit: int, controls: re.Pattern[str]) -> None:
    rejected = row.rejected or ""
    if not rejected:
        raise _Unusable("the rejected answer is empty")
    if rejected == row.response:
        raise _Unusable("the chosen and the rejected answer are the same, so nothing is preferred")
    if found := controls.search(rejected):
        raise _Unusable(f"its text contains the control token {found.group()}")
    length = len(token_ids(tokenizer, rejected)) + len(prompt_ids(tokenizer, row.grounded[:-1]))
    if length >= limit:
        raise _Unusable(f"{length} tokens with the rejected answer, more than {limit}; raise the maximum length")


def _without_oldest_exchange(row: Row, otherwise: str) -> Row:
    users = [index for index, message in enumerate(row.messages) if message["role"] == "user"]
    last = len(row.messages) - 1
    later = [index for index in users[1:] if index < last]
    if not later:
        raise _Unusable(otherwise)
    head = tuple(message for message in row.messages[:1] if message["role"] == "system")
    return replace(row, messages=head + row.messages[later[0] :])


def _notes(rows: Sequence[Row]) -> tuple[str, ...]:
    notes = []
    answers = defaultdict(set)
    for row in rows:
        answers[repr(row.prompt)].add(row.response)
    if several := sum(len(found) > 1 for found in answers.values()):
        notes.append(f"{several} prompts have more than one answer; the model will waver between them")
    if passages := sum(bool(row.passages) for row in rows):
        notes.append(f"{passages} rows bring passages, which are worded into their questions as at chat time")
    return tuple(notes)
