"""One answer in the making: from its prompt's tokens to its last."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torch import Tensor

from tuning.base import PLAIN_TEMPLATE, Base
from tuning.dialogues import IGNORED, encode, prompt_ids
from tuning.errors import InputError
from tuning.pages import pages_for
from tuning.request import Answer, Request
from tuning.sampling import Sampler
from tuning.text import Text

if TYPE_CHECKING:
    from tuning.residents import Resident
    from tuning.ticket import Ticket


@dataclass(frozen=True)
class Plan:
    """What a request comes to in tokens."""

    ids: tuple[int, ...]
    """The prompt, and the given answer where one is to be scored."""
    prompt: int
    """Tokens of the prompt."""
    limit: int
    """Tokens of the longest answer."""

    @property
    def pages(self) -> int:
        """Pages that the row may fill: the last token of an answer is never read."""
        return pages_for(max(len(self.ids), self.prompt + self.limit - 1))


def read_request(request: Request, base: Base, most_tokens: int) -> Plan:
    """The tokens of a request. Raises InputError where its prompt is too long for the model, or the pool of
    `most_tokens`."""
    if request.given is None:
        ids = prompt_ids(base.tokenizer, request.messages)
        prompt, wanted = len(ids), request.sampling.max_tokens
    else:
        example = encode(base.tokenizer, [*request.messages, {"role": "assistant", "content": request.given}])
        ids, answer = example.input_ids, 0
        while answer < len(ids) and example.labels[-answer - 1] != IGNORED:
            answer += 1
        prompt, wanted = len(ids) - answer, 1
    room = min(base.context, most_tokens)
    if len(ids) + 1 > room:
        cause = f"{base.name} reads {room}" if room == base.context else f"the memory set aside holds {room}"
        raise InputError(
            f"The question with its passages has {len(ids)} tokens, but {cause}; "
            f"shorten the question or use fewer passages."
        )
    return Plan(tuple(ids), prompt, min(wanted, room - prompt))


class Row:
    """A request's state. Its tokens up to `computed` have their keys and values in its pages."""

    def __init__(self, request: Request, plan: Plan, ticket: "Ticket", number: int, base: Base) -> None:
        self.request, self.plan, self.ticket, self.number = request, plan, ticket, number
        self.ids = list(plan.ids)
        self.computed = 0
        self.pages: list[int] = []
        self.resident: Resident | None = None
        self.answer = Answer()
        plain = base.tokenizer.chat_template == PLAIN_TEMPLATE
        stops = ("\nUser:", "\nSystem:", *request.sampling.stop) if plain else request.sampling.stop
        self._text = Text(base.tokenizer, stops)
        self._sampler = Sampler(request.sampling, plan.ids)
        self._logprobs: list[float] = []
        self._began = time.monotonic()

    def begin(self, pages: list[int], reused: int) -> None:
        """Join the batch with these pages, the first `reused` tokens of which are computed."""
        self.pages, self.computed = pages, reused
        self.answer = replace(self.answer, reused=reused)

    @property
    def slot(self) -> int:
        return self.resident.slot if self.resident else -1

    @property
    def owner(self) -> int:
        """Whose weights compute its keys and values: an adapter's serial, 0 for the base alone."""
        return self.resident.serial if self.resident else 0

    @property
    def scored(self) -> bool:
        return self.request.given is not None

    @property
    def pending(self) -> int:
        return len(self.ids) - self.computed

    @property
    def reading(self) -> bool:
        """Whether part of its prompt is yet to be computed."""
        return self.computed < len(self.plan.ids)

    @property
    def shareable(self) -> Sequence[int]:
        """The tokens whose keys and values may come from others: all that stand before the first wanted logits."""
        return self.plan.ids[: self.plan.prompt - 1]

    @property
    def late(self) -> bool:
        return self.request.deadline is not None and time.monotonic() - self._began > self.request.deadline

    def wanted(self, count: int) -> range:
        """Of the next `count` tokens, counted from 0, those whose logits are wanted."""
        first = self.plan.prompt - 1 if self.scored else len(self.ids) - 1
        last = len(self.ids) - 1  # the logits after a given answer's end say nothing
        end = self.computed + count
        return range(
            max(first, self.computed) - self.computed, (min(end, last) if self.scored else end) - self.computed
        )

    @property
    def greedy(self) -> bool:
        """Whether `take` needs no more than the likeliest token."""
        return self._sampler.plain and not self.request.logprobs and not self.scored

    def take(self, logits: Tensor, ends: frozenset[int], likeliest: int | None = None) -> None:
        """The logits of the wanted tokens (wanted x vocabulary, fp32) are there: go on by one token, or score.

        `likeliest` is the token where the row is `greedy`. Raises FloatingPointError where they are not all numbers.
        """
        if self.scored:
            self._score(logits)
            return
        if likeliest is None:
            last = logits[-1]
            if last.isnan().any() or not abs(float(last.max())) < float("inf"):
                raise FloatingPointError
            likeliest = self._sampler.choose(last)
            if self.request.logprobs:
                self._logprobs.append(float(last[likeliest] - last.logsumexp(0)))
        self.ids.append(likeliest)
        finished = ""
        if likeliest in ends:
            finished = "end"
        else:
            self._text.add(likeliest)
            tokens = len(self.ids) - self.plan.prompt
            finished = "end" if self._text.stopped else "length" if tokens >= self.plan.limit else ""
        self._note(finished)

    def finish(self, reason: str, error: str = "") -> None:
        """End it as it stands."""
        if not self.answer.finished:
            self._note(reason, error)

    def _score(self, logits: Tensor) -> None:
        first = self.plan.prompt + len(self._logprobs)
        targets = logits.new_tensor(self.plan.ids[first : first + len(logits)]).long()
        scores = logits.gather(1, targets[:, None])[:, 0] - logits.logsumexp(1)
        if scores.isnan().any():
            raise FloatingPointError
        self._logprobs += scores.tolist()
        if len(self._logprobs) == len(self.plan.ids) - self.plan.prompt:
            self._note("scored")

    def _note(self, finished: str, error: str = "") -> None:
        if finished:
            self._text.close()
        now = time.monotonic() - self._began
        tokens = len(self._logprobs) if self.scored else len(self.ids) - self.plan.prompt
        self.answer = replace(
            self.answer,
            text=self.request.given or "" if self.scored else self._text.shown,
            tokens=tokens,
            finished=finished,
            error=error,
            first_token_seconds=self.answer.first_token_seconds or (now if tokens else 0.0),
            seconds=now,
            logprobs=tuple(self._logprobs),
        )
        self.ticket.note(self.number, self.answer)
