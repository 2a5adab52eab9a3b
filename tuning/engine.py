"""Requests that name an adapter -> streamed answers, all of them in one batch over one copy of the base weights.

Knows nothing of documents, variants or pages. Every row is decoded as if it were alone: its own sampling state, its own
end; a finished row leaves the batch, so the others do not pay for it.
"""

import inspect
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from transformers import DynamicCache

from tuning.base import PLAIN_TEMPLATE, Base, end_tokens
from tuning.dialogues import prompt_ids
from tuning.errors import InputError
from tuning.lowrank import Switchboard, read_adapter


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen."""

    temperature: float = 0.0
    """0 takes the likeliest token; else logits are divided by it before a draw."""
    top_p: float = 1.0
    """Draw among the likeliest tokens that together reach this probability (Holtzman et al. 2020)."""
    max_tokens: int = 256
    seed: int = 0
    """Same request and seed, same text, whatever else is in the batch (up to rounding of the batched products)."""

    def __post_init__(self) -> None:
        if not (0 <= self.temperature <= 5 and 0 < self.top_p <= 1 and 1 <= self.max_tokens <= 100_000):
            raise InputError(
                f"{self}: temperature must lie in 0 to 5, top_p above 0 and up to 1, max_tokens in 1 to 100000."
            )


@dataclass(frozen=True)
class Request:
    """One answer wanted: the dialogue so far, and the adapter to answer with (None: the base alone)."""

    messages: Sequence[dict[str, str]]
    adapter: str | None = None
    sampling: Sampling = field(default_factory=Sampling)


@dataclass(frozen=True)
class Answer:
    """The state of one answer after a step."""

    text: str = ""
    tokens: int = 0
    finished: str = ""
    """Empty while it grows, then `end` (the model ended it), `length` (max_tokens), or `stopped` (by the user)."""
    first_token_seconds: float = 0.0
    seconds: float = 0.0


class Engine:
    """Decodes for one base model. Calls from several threads wait for one another."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self._lock = threading.Lock()
        self._switchboard = Switchboard(base.model)
        self._ends = end_tokens(base)
        self._stops = ("\nUser:", "\nSystem:") if base.tokenizer.chat_template == PLAIN_TEMPLATE else ()
        self._weight = next(base.model.parameters())
        self._accepted = frozenset(inspect.signature(base.model.forward).parameters)

    @property
    def adapters(self) -> tuple[str, ...]:
        """Names of the resident adapters."""
        return self._switchboard.names

    def attach(self, name: str, path: Path) -> None:
        """Make the adapter in the folder `path` resident as `name`, between two answers. Raises InputError."""
        pairs = read_adapter(path)
        with self._lock:
            self._switchboard.attach(name, pairs)

    def detach(self, name: str) -> None:
        with self._lock:
            self._switchboard.detach(name)

    def stream(self, requests: Sequence[Request], stop: threading.Event | None = None) -> Iterator[list[Answer]]:
        """Decode all requests in one batch; yield the answers' states, in the order of the requests, after each step.

        `stop` ends every answer after the step in progress. Raises InputError for a prompt longer than the model's
        context or an adapter that is not resident.
        """
        rows = [self._row(number, request) for number, request in enumerate(requests)]
        with self._lock:
            missing = {row.adapter for row in rows} - {None, *self.adapters}
            if missing:
                raise InputError(f"The adapter {missing.pop()} is not loaded; choose one of {list(self.adapters)}.")
            yield from self._decode(rows, stop or threading.Event())

    def _row(self, number: int, request: Request) -> "_Row":
        prompt = prompt_ids(self.base.tokenizer, request.messages)
        room = self.base.context - len(prompt)
        if room < 1:
            raise InputError(
                f"The question with its passages has {len(prompt)} tokens, but {self.base.name} reads "
                f"{self.base.context}; shorten the question or use fewer passages."
            )
        limit = min(room, request.sampling.max_tokens)
        return _Row(number, prompt, request.adapter, request.sampling, limit)

    def _decode(self, rows: list["_Row"], stop: threading.Event) -> Iterator[list[Answer]]:
        start = time.perf_counter()
        answers = [Answer() for _ in rows]
        batch = _Batch([row.prompt for row in rows], self.base)
        live = rows
        self._assign(live)
        logits = self._forward(batch)
        while live:
            for row, scores in zip(live, logits, strict=True):
                row.take(scores, self._ends)
                answers[row.number] = self._answer(row, answers[row.number], stop.is_set(), time.perf_counter() - start)
            keep = [i for i, row in enumerate(live) if not answers[row.number].finished]
            yield list(answers)
            if keep and len(keep) < len(live):
                batch.select(keep)
            live = [live[i] for i in keep]
            if live:
                self._assign(live)
                batch.extend([row.ids[-1] for row in live])
                logits = self._forward(batch)

    def _assign(self, rows: Sequence["_Row"]) -> None:
        self._switchboard.assign([row.adapter for row in rows], self._weight)

    @torch.inference_mode()
    def _forward(self, batch: "_Batch") -> Tensor:
        """Logits of the next token, rows x vocabulary, float32 on the CPU; the cache grows by the ids that went in."""
        optional = {"position_ids": batch.positions, "logits_to_keep": 1}
        output = self.base.model(
            input_ids=batch.ids,
            attention_mask=batch.mask,
            past_key_values=batch.cache,
            use_cache=True,
            **{name: value for name, value in optional.items() if name in self._accepted},
        )
        logits: Tensor = output.logits[:, -1]
        return logits.float().cpu()

    def _answer(self, row: "_Row", before: Answer, stopped: bool, now: float) -> Answer:
        whole = str(self.base.tokenizer.decode(row.ids, skip_special_tokens=True))
        text, hit = cut(whole, self._stops)
        full = len(row.ids) >= row.limit
        finished = "end" if row.ended or hit else "length" if full else "stopped" if stopped else ""
        # Bytes of a character that is not whole yet decode to U+FFFD; they wait for the rest.
        shown = text.strip() if finished else text.rstrip("\ufffd")
        return Answer(shown, len(row.ids), finished, before.first_token_seconds or now, now)


def cut(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """`text` up to the first stop string and whether one was hit; a beginning of one at the very end is held back."""
    hits = [position for stop in stops if (position := text.find(stop)) >= 0]
    if hits:
        return text[: min(hits)], True
    held = max((n for stop in stops for n in range(1, len(stop)) if text.endswith(stop[:n])), default=0)
    return text[: len(text) - held], False


class _Row:
    """One answer in the making."""

    def __init__(self, number: int, prompt: list[int], adapter: str | None, sampling: Sampling, limit: int) -> None:
        self.number, self.prompt, self.adapter, self.limit = number, prompt, adapter, limit
        self._sampling = sampling
        self._random = torch.Generator().manual_seed(sampling.seed)
        self.ids: list[int] = []
        self.ended = False

    def take(self, logits: Tensor, ends: frozenset[int]) -> None:
        """Choose the next token from `logits` (vocabulary) and keep it."""
        token = choose(logits, self._sampling, self._random)
        self.ids.append(token)
        self.ended = token in ends


def choose(logits: Tensor, sampling: Sampling, random: torch.Generator) -> int:
    """The next token: the likeliest, or a draw from the nucleus.

    The draw is an exponential race (Gumbel-max): each token has noise of its own, so that rounding which reorders two
    nearly equal tokens, as another batch size does, leaves the draw as it was.
    """
    if sampling.temperature == 0:
        return int(logits.argmax())
    probabilities = torch.softmax(logits / sampling.temperature, dim=-1)
    ranked, tokens = probabilities.sort(descending=True, stable=True)
    outside = tokens[ranked.cumsum(0) - ranked >= sampling.top_p]
    race = probabilities / torch.empty_like(probabilities).exponential_(generator=random)
    return int(race.index_fill(0, outside, -1.0).argmax())


class _Batch:
    """The rows' inputs and their cache, padded on the left so that all rows grow at the same end."""

    def __init__(self, prompts: Sequence[list[int]], base: Base) -> None:
        pad, device = base.tokenizer.pad_token_id, base.device
        longest = max(map(len, prompts))
        self.ids = torch.tensor([[pad] * (longest - len(p)) + p for p in prompts], device=device)
        self.mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=device)
        self.cache = DynamicCache(config=base.model.config)

    @property
    def positions(self) -> Tensor:
        """Position of each id that goes in next, counted from the row's own first token."""
        return (self.mask.cumsum(1) - 1).clamp(min=0)[:, -self.ids.shape[1] :]

    def extend(self, tokens: Sequence[int]) -> None:
        self.ids = torch.tensor(tokens, device=self.ids.device).unsqueeze(1)
        self.mask = torch.cat([self.mask, self.mask.new_ones((len(tokens), 1))], dim=1)

    def select(self, keep: Sequence[int]) -> None:
        """Drop the rows that are not in `keep`."""
        rows = torch.tensor(keep, device=self.mask.device)
        self.mask = self.mask[rows]
        self.cache.batch_select_indices(rows)
