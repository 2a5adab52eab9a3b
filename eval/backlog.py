"""Which events of the vote log a repository does not hold yet, known after a restart too.

Kept in one small file beside the log: up to which event all is there, what stands above that because it came from
there, and which of its files were read. Losing the file loses nothing: events are sent again, and merged by their ids.
"""

import json
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from eval.votes import Votes

PAGE = 500
"""Events read from the log at once."""
PART_BYTES = 4_000_000
"""About how large a file becomes at most."""


@dataclass
class _State:
    repo: str
    pushed: int = 0
    """Up to this event of the log everything is in the repository."""
    last: str = ""
    """The id of that event, by which the log is known again."""
    held: set[str] = field(default_factory=set)
    """Ids of later events that are there too, since they were read from there."""
    parts: set[str] = field(default_factory=set)
    """Files that were read from there or written by this log."""


@dataclass(frozen=True)
class Batch:
    """The next events to send, and how far the log is sent once they are."""

    lines: bytes
    """JSON, one event a line."""
    votes: int
    upto: int
    last: str


class Backlog:
    """Safe to share between threads of one process."""

    def __init__(self, votes: Votes, path: Path, repo: str) -> None:
        self._votes = votes
        self._path = path
        self._lock = threading.RLock()
        self._state = _load(path, repo)
        self._counted, self._waiting = self._state.pushed, 0

    def waiting(self) -> int:
        """How many votes are not there yet. Raises StoreError where the log cannot be read."""
        with self._lock:
            while page := self._votes.records(self._counted, PAGE):
                self._waiting += sum(self._is_new(record) for _, record in page)
                self._counted = page[-1][0]
            return self._waiting

    def next(self) -> Batch | None:
        """The oldest events that are not there yet, as many as fit one file; None where all are."""
        with self._lock:
            lines, votes, size, upto, last = [], 0, 0, self._state.pushed, self._state.last
            while size < PART_BYTES and (page := self._votes.records(upto, PAGE)):
                for number, record in page:
                    upto, last = number, record["id"]
                    if last not in self._state.held:
                        lines.append(json.dumps(record).encode("ascii") + b"\n")
                        size += len(lines[-1])
                        votes += self._is_new(record)
                    if size >= PART_BYTES:
                        break
            if lines:
                return Batch(b"".join(lines), votes, upto, last)
            if upto > self._state.pushed:
                self._advance(upto, last)
            return None

    def sent(self, batch: Batch, part: str) -> None:
        """Remember that the batch is in the repository, in its file `part`."""
        with self._lock:
            self._state.parts.add(part)
            self._waiting = self._waiting - batch.votes if self._counted >= batch.upto else 0
            self._counted = max(self._counted, batch.upto)
            self._advance(batch.upto, batch.last)

    def unread(self, parts: Iterable[str]) -> list[str]:
        """Those of the repository's files that this log has neither read nor written."""
        with self._lock:
            return [part for part in parts if part not in self._state.parts]

    def hold(self, ids: Iterable[str]) -> None:
        """Remember, before they are merged into the log, that these events need not be sent."""
        with self._lock:
            self._state.held.update(ids)
            self._recount()
            self._save()

    def was_read(self, part: str) -> None:
        with self._lock:
            self._state.parts.add(part)
            self._save()

    def forget_parts(self) -> None:
        """Take every file of the repository for unread."""
        with self._lock:
            self._state.parts.clear()
            self._save()

    def match_log(self) -> None:
        """Take what other processes wrote, or begin anew where the file speaks of events that the log does not have."""
        with self._lock:
            kept = _load(self._path, self._state.repo)
            if kept != self._state:
                self._state = kept
                self._recount()
            found = self._votes.records(self._state.pushed - 1, 1) if self._state.pushed else []
            if self._state.pushed and (not found or found[0][1]["id"] != self._state.last):
                self._state = _State(self._state.repo)
                self._recount()
                self._save()

    def _is_new(self, record: dict[str, Any]) -> bool:
        return record["kind"] == "vote" and record["id"] not in self._state.held

    def _advance(self, upto: int, last: str) -> None:
        self._state.pushed, self._state.last = upto, last
        if not self._votes.records(upto, 1):  # nothing stands above, so nothing there can be held
            self._state.held.clear()
        self._save()

    def _recount(self) -> None:
        self._counted, self._waiting = self._state.pushed, 0

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(f".{self._path.name}-{uuid4().hex}")
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(vars(self._state), file, default=sorted)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)


def _load(path: Path, repo: str) -> _State:
    """What the file says of `repo`; nothing where it is absent, damaged, or of another repository."""
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        state = _State(**kept | {name: set(kept[name]) for name in ("held", "parts")})
    except (OSError, ValueError, TypeError, KeyError):
        return _State(repo)
    return state if state.repo == repo else _State(repo)
