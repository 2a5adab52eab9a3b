"""Rows -> validated, split and tokenised examples. The one place where the chat template is applied."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from tuning.errors import InputError
from tuning.rows import Message, Row, read_rows
from tuning.splits import Splits, split

if TYPE_CHECKING:  # the Tune page reads rows, and must not wait for the library that trains on them
    from transformers import PreTrainedTokenizerBase

__all__ = [
    "Dataset",
    "Example",
    "Finding",
    "Report",
    "Row",
    "Splits",
    "check",
    "encode",
    "load",
    "prompt_ids",
    "read_rows",
    "split",
]

IGNORED = -100
"""The label of a position that carries no loss."""


@dataclass(frozen=True)
class Example:
    """A dialogue in tokens. Both lists have the same length; `labels` is `IGNORED` outside the answers."""

    input_ids: list[int]
    labels: list[int]

    @property
    def answer_tokens(self) -> int:
        return sum(label != IGNORED for label in self.labels)


@dataclass(frozen=True)
class Finding:
    """Something about one row that the user should know."""

    place: str
    reason: str


@dataclass(frozen=True)
class Report:
    """What becomes of the rows of a file; nothing is left out without an entry here."""

    kept: tuple[Row, ...]
    dropped: tuple[Finding, ...]
    cut: tuple[Finding, ...]
    notes: tuple[str, ...]
    answer_tokens: int
    """Tokens that carry loss, in all kept rows."""
    longest: int
    """Tokens of the longest kept row."""

    def as_json(self) -> dict[str, Any]:
        """The report with the kept rows counted instead of listed."""
        listed = {name: [vars(finding) for finding in getattr(self, name)] for name in ("dropped", "cut")}
        numbers = {"kept": len(self.kept), "answer_tokens": self.answer_tokens, "longest": self.longest}
        return {**numbers, **listed, "notes": list(self.notes)}


@dataclass(frozen=True)
class Dataset:
    """A file of rows, checked and split, with the hash that says which file it was."""

    file: str
    sha256: str
    report: Report
    splits: Splits
    kind: str = "answers"
    """What its rows teach: answers, preferences or feedback."""


def load(path: Path, tokenizer: PreTrainedTokenizerBase, max_length: int, seed: int) -> Dataset:
    """Read, check and split the rows of `path`. Raises InputError if nothing of it can be trained on."""
    report = check(read_rows(path), tokenizer, max_length)
    if not report.kept:
        first = report.dropped[0]
        raise InputError(f"{path.name}: none of {len(report.dropped)} rows can be used; {first.place}: {first.reason}")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Dataset(path.name, sha256, report, split(report.kept, seed), _kind(path.name, report.kept))


def _kind(name: str, rows: Sequence[Row]) -> str:
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row.kind, row)
    if len(first) > 1:
        (one, here), (other, there) = list(first.items())[:2]
        raise InputError(
            f"{name}: {here.place} teaches {one}, {there.place} {other}; put each kind in a file of its own"
        )
    return next(iter(first))


def prompt_ids(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> list[int]:
    """Token ids that ask the model for the next assistant turn.

    Raises InputError if the model's chat template refuses these messages (some know no system turn, for example).
    """
    return _ids(tokenizer, _render(tokenizer, messages, ask=True))


def encode(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> Example:
    """A dialogue whose every assistant turn carries loss, each up to and including its end-of-turn token.

    What stands before an answer is the very ids that `prompt_ids` gives at chat time. A template that rewrites earlier
    turns once later ones follow (it drops old reasoning, say) allows no loss on every turn: then only the last has it.
    """
    ids: list[int] = []
    labels: list[int] = []
    text = ""
    for end, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        prompt = _render(tokenizer, messages[:end], ask=True)
        turn = _render(tokenizer, messages[: end + 1], ask=False)
        if not prompt.startswith(text) or not turn.startswith(prompt):
            return _last_turn_only(tokenizer, messages)
        before = _ids(tokenizer, prompt[len(text) :])
        answer = _ids(tokenizer, turn[len(prompt) :])
        stop = _end_of_turn(tokenizer, answer)
        if stop == 0:  # the template writes no end of turn: without one the model would never learn to stop
            answer, stop = [*answer, _eos(tokenizer)], len(answer) + 1
        ids += before + answer
        labels += [IGNORED] * len(before) + answer[:stop] + [IGNORED] * (len(answer) - stop)
        text = turn
    return _trimmed(ids, labels)


def _last_turn_only(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> Example:
    last = max(index for index, message in enumerate(messages) if message["role"] == "assistant")
    before = prompt_ids(tokenizer, messages[:last])
    answer = [*_ids(tokenizer, messages[last]["content"]), _eos(tokenizer)]
    return Example(before + answer, [IGNORED] * len(before) + answer)


def _trimmed(ids: list[int], labels: list[int]) -> Example:
    """Without what follows the last answer: it would cost time and teach nothing."""
    end = max((position + 1 for position, label in enumerate(labels) if label != IGNORED), default=0)
    return Example(ids[:end], labels[:end])


def _end_of_turn(tokenizer: PreTrainedTokenizerBase, answer: list[int]) -> int:
    """Length of the answer up to and including its last control token; 0 if it has none."""
    controls = set(tokenizer.all_special_ids)
    return max((position + 1 for position, token in enumerate(answer) if token in controls), default=0)


def _eos(tokenizer: PreTrainedTokenizerBase) -> int:
    if not isinstance(tokenizer.eos_token_id, int):
        raise InputError("the base model's tokenizer has no end-of-sequence token; choose another base")
    return tokenizer.eos_token_id


def _render(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], ask: bool) -> str:
    try:
        text = tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=ask)
    except (TemplateError, ValueError, TypeError) as error:
        raise InputError(f"the base model's chat template refuses these turns ({error}); change their roles") from error
    return str(text)


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    # The template has written the control tokens already; the tokenizer must not add its own.
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def check(rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, max_length: int) -> Report:
    """Judge each row by what it says: keep it, cut old turns off it, or drop it with a reason.

    A dialogue beyond `max_length` tokens loses its oldest exchanges (the system turn stays); a single exchange beyond
    it is dropped, because an answer cut short teaches the model to stop nowhere.
    """
    controls = re.compile("|".join(map(re.escape, tokenizer.all_special_tokens)) or r"(?!)")
    kept: dict[str, Row] = {}
    dropped, cut = [], []
    sizes: list[Example] = []
    for row in rows:
        try:
            fitted, example = _fit(_answered(row), tokenizer, max_length, controls)
        except _Unusable as error:
            dropped.append(Finding(row.place, str(error)))
            continue
        if fitted.digest in kept:
            dropped.append(Finding(row.place, f"the same as {kept[fitted.digest].place}"))
            continue
        if removed := len(row.messages) - len(fitted.messages):
            cut.append(Finding(row.place, f"{removed} turns without an answer or beyond {max_length} tokens left out"))
        kept[fitted.digest] = fitted
        sizes.append(example)
    tokens = sum(example.answer_tokens for example in sizes)
    longest = max((len(example.input_ids) for example in sizes), default=0)
    return Report(tuple(kept.values()), tuple(dropped), tuple(cut), _notes(list(kept.values())), tokens, longest)


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
    if row.rejected is not None:
        _check_rejected(row, tokenizer, limit, controls)
    if not any(message["role"] == "user" for message in row.messages):
        raise _Unusable("no user turn, so nothing is asked")
    while True:
        try:
            example = encode(tokenizer, row.grounded)
        except InputError as error:
            raise _Unusable(str(error)) from error
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
    length = len(_ids(tokenizer, rejected)) + len(prompt_ids(tokenizer, row.grounded[:-1]))
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
