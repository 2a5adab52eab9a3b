"""What a run ended of, by its common name and with the next step."""

import errno
from collections.abc import Iterator
from dataclasses import dataclass

from tuning.errors import InputError

FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_WORDS = (
    "No space left",
    "Disk quota exceeded",
    # torch's zip writer, which does not say why it could not write
    "file write failed",
    "PytorchStreamWriter failed",
    "inline_container.cc",
)
MEMORY_WORDS = ("out of memory", "not enough memory", "Cannot allocate memory")


@dataclass(frozen=True)
class Failure:
    """Why a run failed."""

    reason: str
    """The name, what happened, what to do about it."""
    resumable: bool
    """Whether going on, after that, is of use: the same numbers or the same rows would only fail again."""


def name_failure(error: BaseException, begun: bool = False) -> Failure:
    """The failure that `error` is a sign of; `begun` says whether the run has a checkpoint to go on from."""
    from tuning.loop import Diverged

    text = str(error)
    first = text.splitlines()[0] if text else type(error).__name__
    if isinstance(error, Diverged):
        return Failure(f"not a number: {first}", resumable=False)
    if any(map(_is_full, _chain(error))):
        return Failure("disk full: make room on it", resumable=True)
    if isinstance(error, InputError):
        return Failure(first, resumable=begun)
    if isinstance(error, MemoryError) or any(words in text for words in MEMORY_WORDS):
        advice = "close other programs, or begin anew with a smaller batch_size or max_length"
        return Failure(f"out of memory: {advice}", resumable=True)
    return Failure(f"{type(error).__name__}: {first}; the whole message is in events.jsonl of the run", resumable=True)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it: whoever closes a file that could not be written complains in words of its own."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__


def _is_full(error: BaseException) -> bool:
    return (isinstance(error, OSError) and error.errno in FULL) or any(words in str(error) for words in FULL_WORDS)
