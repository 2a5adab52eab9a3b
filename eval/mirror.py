"""Votes on the Hub as well, where the disk does not last: pushed in the background, read back at the start.

A vote is confirmed by the local log alone. What follows happens in one thread that touches nothing of a voter's: it
sends what is new as a file with a name that only this process uses, tries again later and later where that fails, and
says in `status` what still waits and why.
"""

import json
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from eval.backlog import Backlog
from eval.vote import SCHEMA, from_text
from eval.vote_rules import check
from eval.votes import StoreError, Votes
from eval.votes_repo import FOLDER, RepoError, VotesRepo

EVERY = 20.0
"""Seconds from one look at the log to the next."""
LONGEST_WAIT = 900.0
"""Seconds between two attempts, after many that failed."""
FLUSH_SECONDS = 10.0
"""How long the end of the program waits for the last votes to be sent."""
MERGED_AT_ONCE = 200
"""Events in one transaction, which a voter may have to wait for: milliseconds."""


@dataclass(frozen=True)
class Status:
    """How the mirror stands."""

    repo: str
    waiting: int
    """Votes that the repository does not hold yet."""
    trouble: str = ""
    """Why the last attempt failed, as a clause; empty where it did not."""
    retry_seconds: float | None = None
    """Until the next attempt; None where nothing runs in the background."""
    pushed_at: float | None = None
    """Unix time of the last file that was sent."""
    read_back: int = 0
    """Events that came from the repository."""
    unreadable: int = 0
    """Lines of its files that are no events of this version's."""


class Mirror:
    """The log beside its repository."""

    def __init__(self, votes: Votes, repo: VotesRepo, home: Path) -> None:
        self._votes = votes
        self._repo = repo
        self._backlog = Backlog(votes, home / "mirror.json", repo.name)
        self._status = Status(repo.name, 0)
        self._pass = threading.Lock()
        self._wake, self._ended = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._next_try = 0.0
        self._pulled = False
        self._part = 1
        self._name = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:12]}"

    def start(self) -> None:
        """Read back and push in the background until `close`."""
        self._thread = threading.Thread(target=self._run, name="mirror", daemon=True)
        self._thread.start()

    def close(self, seconds: float = FLUSH_SECONDS) -> None:
        """Send what waits, for at most `seconds`; what is left is sent after the next start."""
        self._ended.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def status(self) -> Status:
        """How it stands now. Never raises."""
        trouble = self._status.trouble
        try:
            waiting = self._backlog.waiting()
        except StoreError as error:
            waiting, trouble = self._status.waiting, str(error)
        retry = max(0.0, self._next_try - time.monotonic()) if self._thread else None
        return replace(self._status, waiting=waiting, trouble=trouble, retry_seconds=retry)

    def pull(self, everything: bool = False) -> int:
        """Merge what the repository holds and the log does not; how many events. Raises RepoError and StoreError.

        Files that were read before are left out, unless `everything` is asked for.
        """
        with self._pass:
            if everything:
                self._backlog.forget_parts()
            self._backlog.match_log()
            self._repo.prepare()
            merged = 0
            for part, content in self._repo.read(self._backlog.unread(self._repo.parts())):
                merged += self._merge(content)
                self._backlog.was_read(part)
            self._pulled = True
            return merged

    def push(self) -> int:
        """Send all that waits; how many votes. Raises RepoError and StoreError."""
        sent = 0
        with self._pass:
            self._backlog.match_log()
            while batch := self._backlog.next():
                self._repo.prepare()
                part = f"{FOLDER}/{self._name}/{self._part:05d}.jsonl"
                self._repo.write(part, batch.lines)
                self._backlog.sent(batch, part)
                self._part += 1
                self._status = replace(self._status, pushed_at=time.time())
                sent += batch.votes
        return sent

    def _run(self) -> None:
        failures = 0
        while True:
            last = self._ended.is_set()
            failures = failures + 1 if self._attempt(last) else 0
            if last:
                return
            wait = EVERY if not failures else min(LONGEST_WAIT, EVERY * 2.0**failures) * random.uniform(0.7, 1.0)
            self._next_try = time.monotonic() + wait
            self._wake.wait(wait)
            self._wake.clear()

    def _attempt(self, last: bool) -> str:
        """One round. Returns what went wrong, which is also kept for the page; nothing is raised."""
        trouble = ""
        for step in [self.push] if self._pulled or last else [self.pull, self.push]:
            try:
                step()
            except (RepoError, StoreError, OSError) as error:
                trouble = trouble or str(error)
        if trouble and trouble != self._status.trouble:
            sys.stderr.write(f"Votes are not pushed to {self._repo.name}: {trouble}.\n")
        self._status = replace(self._status, trouble=trouble)
        return trouble

    def _merge(self, content: bytes) -> int:
        lines = [line for line in content.split(b"\n") if line.strip()]
        records = [record for record in map(_record, lines) if record is not None]
        merged = 0
        for start in range(0, len(records), MERGED_AT_ONCE):
            some = records[start : start + MERGED_AT_ONCE]
            self._backlog.hold(record["id"] for record in some)
            merged += self._votes.merge(some)
        self._status = replace(
            self._status,
            read_back=self._status.read_back + merged,
            unreadable=self._status.unreadable + len(lines) - len(records),
        )
        return merged


def _record(line: bytes) -> dict[str, Any] | None:
    """The event of a line, or None where it is torn, foreign or of a newer version: one must not stop the rest."""
    try:
        record: dict[str, Any] = json.loads(line)
        _check(record)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return record


def _check(record: Mapping[str, Any]) -> None:
    texts = ("id", "kind", "time", "comparison", "rater", "payload")
    if not all(isinstance(record[name], str) for name in texts) or type(record["turn"]) is not int:
        raise ValueError("its parts are not those of an event")
    if record["kind"] not in ("vote", "undo", "reveal"):
        raise ValueError(f"{record['kind']!r} is no kind of event")
    if record["kind"] == "vote":
        vote = from_text(record["payload"])
        check(replace(vote, schema=SCHEMA))
        if any(getattr(vote, name) != record[name] for name in ("id", "comparison", "rater", "turn")):
            raise ValueError("its vote is that of another event")


def mirror_of(votes: Votes, home: Path, environment: Mapping[str, str]) -> Mirror | None:
    """The mirror that FOURFOLD_VOTES_REPO asks for; None where it is unset. Raises InputError for an unusable name."""
    name = environment.get("FOURFOLD_VOTES_REPO", "").strip()
    if not name:
        return None
    public = environment.get("FOURFOLD_VOTES_PUBLIC", "") not in ("", "0")
    return Mirror(votes, VotesRepo(name, public), home)


def in_words(status: Status) -> str:
    """How the mirror stands, for people."""
    votes = "1 vote is" if status.waiting == 1 else f"{status.waiting or 'no'} votes are"
    if status.trouble:
        retry = "" if status.retry_seconds is None else f" Next attempt in {status.retry_seconds:.0f} s."
        return (
            f"All votes are on this machine's disk; {votes} not yet pushed to {status.repo}: {status.trouble}.{retry}"
        )
    words = f"Votes are also kept in {status.repo}; {votes} not yet pushed."
    if status.unreadable:
        words += f" {status.unreadable} lines there are no votes that this version can read."
    return words
