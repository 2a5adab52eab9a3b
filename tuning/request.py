"""What a model server takes and gives: requests in, answers that grow out. Loads no model and no tensor library.

The engine of this package is one such server; whatever else answers requests (a remote one behind an HTTP interface,
say) implements `Server` and can stand in its place.
"""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tuning.errors import InputError


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen. The filters apply in the order penalty, temperature, top_k, top_p, min_p."""

    temperature: float = 0.0
    """0 takes the likeliest token; else logits are divided by it before a draw."""
    top_p: float = 1.0
    """Draw among the likeliest tokens that together reach this probability (Holtzman et al. 2020)."""
    max_tokens: int = 256
    seed: int = 0
    """Same request and seed, same text, whatever else is in the batch."""
    top_k: int = 0
    """Draw among this many likeliest tokens; 0 sets no such limit."""
    min_p: float = 0.0
    """Drop tokens less likely than this share of the likeliest (Nguyen et al. 2024)."""
    repetition_penalty: float = 1.0
    """Makes tokens of the prompt and of the answer so far less likely where above 1 (Keskar et al. 2019)."""
    stop: tuple[str, ...] = ()
    """The answer ends before the first of these strings."""

    def __post_init__(self) -> None:
        limits = {
            "temperature": (0 <= self.temperature <= 5, "must lie in 0 to 5"),
            "top_p": (0 < self.top_p <= 1, "must lie above 0 and up to 1"),
            "max_tokens": (
                isinstance(self.max_tokens, int) and 1 <= self.max_tokens <= 100_000,
                "must be a whole number from 1 to 100000",
            ),
            "seed": (
                isinstance(self.seed, int) and 0 <= self.seed < 2**63,
                "must be a whole number from 0 to 2^63 - 1",
            ),
            "top_k": (isinstance(self.top_k, int) and self.top_k >= 0, "must be a whole number, 0 or more"),
            "min_p": (0 <= self.min_p <= 1, "must lie in 0 to 1"),
            "repetition_penalty": (0.1 <= self.repetition_penalty <= 10, "must lie in 0.1 to 10"),
            "stop": (
                isinstance(self.stop, tuple) and all(isinstance(string, str) and string for string in self.stop),
                "must be a tuple of strings, none of them empty",
            ),
        }
        for name, (good, rule) in limits.items():
            if not good:
                raise InputError(f"{name} {getattr(self, name)!r} {rule}.")


@dataclass(frozen=True)
class Request:
    """One answer wanted: the dialogue so far, and the adapter to answer with (None: the base alone)."""

    messages: Sequence[dict[str, str]]
    adapter: str | None = None
    sampling: Sampling = field(default_factory=Sampling)
    deadline: float | None = None
    """Seconds from the call, waiting included, after which the answer ends as it is."""
    logprobs: bool = False
    """Whether the answer carries the log-probability of each of its tokens."""
    given: str | None = None
    """Score this answer instead of writing one: its tokens and the end of turn get their log-probabilities."""

    def __post_init__(self) -> None:
        if self.deadline is not None and not self.deadline > 0:
            raise InputError(f"A deadline of {self.deadline} s leaves no time; give seconds above 0.")


@dataclass(frozen=True)
class Answer:
    """The state of one answer after a step."""

    text: str = ""
    tokens: int = 0
    finished: str = ""
    """Empty while it grows, then `end` (the model or a stop string ended it), `length` (max_tokens), `stopped` (by the
    user), `deadline`, `scored` (a given answer), or `failed`."""
    first_token_seconds: float = 0.0
    """From the call to the first token, waiting included."""
    seconds: float = 0.0
    """From the call to the latest token."""
    logprobs: tuple[float, ...] = ()
    """Natural logarithms, one a token, of the model's own distribution (before any temperature or filter)."""
    error: str = ""
    """Why it failed, in one sentence."""
    reused: int = 0
    """Tokens of the prompt that an earlier request had computed."""


class Busy(InputError):
    """The waiting room is full."""

    def __init__(self, ahead: int) -> None:
        self.ahead = ahead
        answers = "1 answer is" if ahead == 1 else f"{ahead} answers are"
        super().__init__(f"The model is busy, {answers} ahead; try again in a moment.")


class Server(Protocol):
    """Anything that answers requests."""

    @property
    def adapters(self) -> tuple[str, ...]:
        """Names that `Request.adapter` may take."""
        ...

    def stream(
        self, requests: Sequence[Request], stop: threading.Event | None = None, user: str = ""
    ) -> Iterator[list[Answer]]:
        """The answers' states, in the order of the requests, whenever they have changed, until all are finished.

        `stop`, and closing the iterator, end every answer soon. Requests of different `user`s are served in turn.
        Raises InputError before anything is computed for what cannot be answered, and Busy when too much waits.
        """
        ...
