"""What a run ended of, by its common name and with the next step."""

import errno
from dataclasses import dataclass

from tuning.errors import InputError

FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_WORDS = ("No space left", "Disk quota exceeded", "file write failed", "PytorchStreamWriter failed")
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
    if _is_full(error) or (error.__cause__ and _is_full(error.__cause__)):
        return Failure("disk full: make room on it", resumable=True)
    if isinstance(error, InputError):
        return Failure(first, resumable=begun)
    if isinstance(error, MemoryError) or any(words in text for words in MEMORY_WORDS):
        advice = "close other programs, or begin anew with a smaller batch_size or max_length"
        return Failure(f"out of memory: {advice}", resumable=True)
    return Failure(f"{type(error).__name__}: {first}; the whole message is in events.jsonl of the run", resumable=True)


def _is_full(error: BaseException) -> bool:
    return (isinstance(error, OSError) and error.errno in FULL) or any(words in str(error) for words in FULL_WORDS)
