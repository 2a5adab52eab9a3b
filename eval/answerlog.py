"""Answers that were computed, a JSON line each: appended and synced one by one, so that a killed run loses none.

An answer is found again by its key, a hash of everything that made it: the messages with their passages, the digests
of base and adapter, the sampling. What changes one of them changes the key, so that no stale answer is ever taken.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from eval.errors import InputError

if TYPE_CHECKING:
    from tuning.request import Answer, Request


@dataclass(frozen=True)
class Made:
    """One answer, or one score of a given answer."""

    key: str
    text: str
    tokens: int
    finished: str
    log_likelihood: float | None
    """Of a given answer, in nats, its end of turn included; None where it wrote its own."""
    first_token_seconds: float | None
    seconds: float | None
    """None where it was computed among others, when its time says little of what a user would wait."""


def key_of(request: "Request", base: Mapping[str, str], adapter: str | None) -> str:
    """32 hexadecimal digits. `base` says which weights in which precision, `adapter` is a digest."""
    made_by = [base, adapter, list(request.messages), asdict(request.sampling), request.given]
    return hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()[:32]


def made(key: str, answer: "Answer", alone: bool) -> Made:
    """The record of a finished answer."""
    return Made(
        key=key,
        text=answer.text,
        tokens=answer.tokens,
        finished=answer.finished,
        log_likelihood=sum(answer.logprobs) if answer.finished == "scored" else None,
        first_token_seconds=answer.first_token_seconds if alone else None,
        seconds=answer.seconds if alone else None,
    )


def refusal() -> Made:
    """What stands for an answer that no model writes, since the documents do not say."""
    from rag.floor import REFUSAL

    return Made("", REFUSAL, 0, "refused", None, None, None)


class AnswerLog:
    """The file, held by one process at a time. Use it as a context."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, Made] = {}
        """What is there, by key."""
        self._file: IO[str] | None = None
        self._lock: sqlite3.Connection | None = None

    def __enter__(self) -> "AnswerLog":
        """Raises InputError where it cannot be opened or another process writes to it."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # SQLite's lock is the portable one that dies with its holder.
            self._lock = sqlite3.connect(self.path.with_name("lock.sqlite"), timeout=0, isolation_level=None)
            self._lock.execute("BEGIN EXCLUSIVE")
            self._file = self.path.open("a+", encoding="ascii")
            self._read(self._file)
        except (sqlite3.OperationalError, OSError) as error:
            self.__exit__()
            why = getattr(error, "strerror", None) or error
            remedy = "wait for the run that writes to it, make room, or give another --name"
            raise InputError(f"{self.path} cannot be used ({why}); {remedy}.") from error
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for held in (self._file, self._lock):
            if held:
                held.close()
        self._file = self._lock = None

    def add(self, answer: Made) -> None:
        """On disk before this returns. Raises InputError for a full disk."""
        assert self._file is not None, "not opened"
        try:
            self._file.write(json.dumps(asdict(answer)) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise InputError(
                f"{self.path} could not be written ({error.strerror}); make room and give the same command again."
            ) from error
        self.answers[answer.key] = answer

    def _read(self, file: IO[str]) -> None:
        """Take what is whole; a line torn by a crash is cut off, lest the next one be written into it."""
        file.seek(0)
        text = file.read()
        whole, newline, torn = text.rpartition("\n")
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                record: dict[str, Any] = json.loads(line)
                self.answers[record["key"]] = Made(**record)
            except (ValueError, TypeError, KeyError) as error:
                raise InputError(f"{self.path}, line {number}: not an answer; remove the line or the file.") from error
        if torn:
            file.truncate(len(whole) + len(newline))
