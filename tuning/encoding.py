"""Turns -> tokens and the labels of the answers: the one place where the chat template is applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import TemplateError

from tuning.errors import InputError
from tuning.layouts import Message

if TYPE_CHECKING:  # the Tune page reads rows, and must not wait for the library that trains on them
    from transformers import PreTrainedTokenizerBase

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


def prompt_ids(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> list[int]:
    """Token ids that ask the model for the next assistant turn.

    Raises InputError if the model's chat template refuses these messages (some know no system turn, for example).
    """
    return token_ids(tokenizer, _render(tokenizer, messages, ask=True))


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
        before = token_ids(tokenizer, prompt[len(text) :])
        answer = token_ids(tokenizer, turn[len(prompt) :])
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
    answer = [*token_ids(tokenizer, messages[last]["content"]), _eos(tokenizer)]
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


def token_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """The tokens of a text as it stands, with none in front or behind."""
    # The template has written the control tokens already; the tokenizer must not add its own.
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
