"""The vote log: events are appended and never changed, and a vote is on disk before its `append` returns.

A re-vote is another event that supersedes the earlier one when the log is read; so is taking a vote back. Nothing is
overwritten. What the statistics read of each vote stands in a table of its own, written in the same transaction.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from eval import ballot, database
from eval.ballot import Ballot, ballot_of
from eval.database import BALLOTS, EVENTS, UnreadableError, database_url, first_line
from eval.errors import InputError
from eval.vote import Vote, from_text, to_text
from eval.vote_rules import check, is_key

T = TypeVar("T")

__all__ = ["Event", "StoreError", "Vote", "Votes", "database_url"]

RECORD = ("id", "kind", "time", "comparison", "rater", "turn", "payload")
"""The columns of an event that mean the same in every log; its number is the log's own."""


class StoreError(RuntimeError):
    """The log could not be read or written; a vote that raised it was not saved. One sentence with the remedy."""


@dataclass(frozen=True)
class Event:
    """One line of the log, in the order of appending."""

    number: int
    id: str
    kind: str
    """`vote`, `undo` (the vote was taken back) or `reveal`."""
    time: str
    comparison: str
    vote: Vote | None
    superseded: bool = False
    """A later vote of the same rater on the same comparison and turn counts instead, or none does."""


class Votes:
    """The log behind one database URL. Safe to share between threads; several processes may append at once."""

    def __init__(self, url: str) -> None:
        """Open or create the log. Raises `InputError` for an unusable URL, `StoreError` for an unusable database."""
        self._engine = database.open_engine(url)
        self._place = self._engine.url.render_as_string(hide_password=True)
        self._reading = threading.Lock()
        self._read: dict[tuple[str, str, int], Ballot] = {}
        self._read_to = 0
        try:
            self._bring_up()
        except BaseException:
            self.close()
            raise

    def append(self, vote: Vote) -> None:
        """Save one vote in one transaction, synced to disk before this returns.

        Appending the same vote again changes nothing. Another vote of the same rater on the same comparison and turn
        supersedes. Raises `InputError` for an invalid vote and after `reveal`, `StoreError` where it was not saved.
        """
        check(vote)
        payload, lean = to_text(vote), ballot.encode(ballot_of(vote))
        with self._writing(vote.comparison) as connection:
            kept = connection.execute(sa.select(EVENTS.c.payload).where(EVENTS.c.id == vote.id)).scalar()
            if kept == payload:
                return
            if kept is not None:
                raise InputError(f"The id {vote.id} already holds another event; give each vote an id of its own.")
            _refuse_revealed(connection, vote.comparison)
            key = {"comparison": vote.comparison, "rater": vote.rater, "turn": vote.turn}
            _insert(connection, {"id": vote.id, "kind": "vote", "time": vote.time, **key, "payload": payload}, lean)

    def undo(self, comparison: str, rater: str, turn: int = 0) -> None:
        """Take the rater's vote back, if there is one. Raises `InputError` after `reveal`."""
        key = {"comparison": comparison, "rater": rater, "turn": turn}
        mine = [EVENTS.c[name] == value for name, value in key.items()]
        with self._writing(comparison) as connection:
            _refuse_revealed(connection, comparison)
            last = sa.select(EVENTS.c.kind).where(*mine).order_by(EVENTS.c.number.desc()).limit(1)
            if connection.execute(last).scalar() == "vote":
                _insert(connection, {"id": uuid4().hex, "kind": "undo", "time": _now(), **key, "payload": "{}"}, None)

    def reveal(self, comparison: str) -> None:
        """Record that the identities behind `comparison` were shown: from now on its votes are final."""
        if not is_key(comparison):
            raise InputError("The comparison to reveal has no valid id; give the id that its votes carry.")
        with self._writing(comparison) as connection:
            if not _is_revealed(connection, comparison):
                row = {"id": uuid4().hex, "kind": "reveal", "time": _now(), "comparison": comparison}
                _insert(connection, {**row, "rater": "", "turn": 0, "payload": "{}"}, None)

    def ballots(self) -> list[Ballot]:
        """What the statistics read of the votes that count, oldest first. Only what is new is read from the disk."""
        with self._reading:
            with self._transaction("read", "check that it can be reached", alone=True) as connection:
                new = BALLOTS.c.number > self._read_to
                rows = connection.execute(sa.select(BALLOTS).where(new).order_by(BALLOTS.c.number)).all()
            for row in rows:
                key = (row.comparison, row.rater, row.turn)
                self._read.pop(key, None)
                if row.payload is not None:
                    self._read[key] = self._decode(ballot.decode, row.payload, row.number)
                self._read_to = row.number
            return list(self._read.values())

    def read_ahead(self) -> threading.Thread:
        """Read the ballots in the background, so that the first page about them need not; that tells what fails."""

        def read() -> None:
            with suppress(StoreError):
                self.ballots()

        thread = threading.Thread(target=read, name="ballots", daemon=True)
        thread.start()
        return thread

    def votes(self) -> list[Vote]:
        """The votes that count, whole, oldest first: of each rater, comparison and turn the last one."""
        return [event.vote for event in self.events() if event.vote is not None and not event.superseded]

    def events(self) -> list[Event]:
        """Everything that was ever appended, oldest first."""
        with self._transaction("read", "check that it can be reached") as connection:
            rows = connection.execute(sa.select(EVENTS).order_by(EVENTS.c.number)).all()
        last = {(row.comparison, row.rater, row.turn): row.number for row in rows if row.kind != "reveal"}
        return [
            Event(
                number=row.number,
                id=row.id,
                kind=row.kind,
                time=row.time,
                comparison=row.comparison,
                vote=self._decode(from_text, row.payload, row.number) if row.kind == "vote" else None,
                superseded=row.kind == "vote" and last[row.comparison, row.rater, row.turn] != row.number,
            )
            for row in rows
        ]

    def count(self) -> int:
        """How many votes count."""
        return len(self.ballots())

    def records(self, after: int = 0, most: int = 1000) -> list[tuple[int, dict[str, Any]]]:
        """The next events after number `after`, with their numbers, as `RECORD` names their parts; `merge` takes them.

        Every value is a number or ASCII text, so that a record is a line of JSON.
        """
        with self._transaction("read", "check that it can be reached", alone=True) as connection:
            new = sa.select(EVENTS).where(EVENTS.c.number > after).order_by(EVENTS.c.number).limit(most)
            return [(row.number, {key: getattr(row, key) for key in RECORD}) for row in connection.execute(new)]

    def merge(self, records: Iterable[dict[str, Any]]) -> int:
        """Append the events of another log that this one lacks, by their ids, in the order given; how many they were.

        They happened as they happened: votes of older schemas and of revealed comparisons are taken too. All or none
        is written. Raises `InputError` for a record that is no event.
        """
        checked = [_checked(record) for record in records]
        merged = 0
        with self._transaction("written", "make room or repair it, then try again", writes=True) as connection:
            for record, lean in checked:
                if connection.execute(sa.select(EVENTS.c.number).where(EVENTS.c.id == record["id"])).first() is None:
                    _insert(connection, record, lean)
                    merged += 1
        return merged

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def _bring_up(self) -> None:
        remedy = "check that it exists and can be written"
        with self._transaction("opened", remedy, writes=True, alone=True) as connection:
            if not database.migrate(connection):
                raise StoreError(
                    f"The votes in {self._place} were written by a newer version of Fourfold; update this one."
                )

    @contextmanager
    def _writing(self, comparison: str) -> Iterator[sa.Connection]:
        """A transaction that has the comparison to itself."""
        with self._transaction("written", "make room or repair it, then try again", writes=True) as connection:
            database.lock_comparison(connection, comparison)
            yield connection

    @contextmanager
    def _transaction(self, done: str, remedy: str, **options: bool) -> Iterator[sa.Connection]:
        """One transaction, at the end committed and on disk; what fails in the database becomes a `StoreError`."""
        try:
            if self._engine.dialect.name == "sqlite" and options.get("writes") and self._engine.url.database:
                Path(self._engine.url.database).parent.mkdir(parents=True, exist_ok=True)
            with self._engine.connect().execution_options(**options) as connection:
                with connection.begin():
                    yield connection
                if options.get("writes"):
                    database.sync(connection)
        except (SQLAlchemyError, OSError) as error:
            raise StoreError(
                f"The votes in {self._place} could not be {done} ({first_line(error)}); {remedy}."
            ) from error
        except UnreadableError as error:
            raise self._unreadable(error.number, error) from error

    def _decode(self, read: Callable[[str], T], payload: str, number: int) -> T:
        try:
            return read(payload)
        except (KeyError, TypeError, ValueError) as error:
            raise self._unreadable(number, error) from error

    def _unreadable(self, number: int, error: Exception) -> StoreError:
        return StoreError(
            f"Event {number} of {self._place} is not a vote that this version can read ({error});"
            " use the version that wrote it or restore the file from a copy."
        )


def _insert(connection: sa.Connection, record: dict[str, Any], lean: str | None) -> None:
    """The event and, unless it is a reveal, its ballot."""
    number = connection.execute(EVENTS.insert().values(**record).returning(EVENTS.c.number)).scalar_one()
    if record["kind"] != "reveal":
        key = {name: record[name] for name in ("comparison", "rater", "turn")}
        connection.execute(BALLOTS.insert().values(number=number, **key, payload=lean))


def _checked(record: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """An event of another log and its ballot."""
    try:
        event = {name: record[name] for name in RECORD}
        texts = all(type(event[name]) is str for name in RECORD if name != "turn")
        if not (texts and event["kind"] in ("vote", "undo", "reveal") and type(event["turn"]) is int):
            raise ValueError("its parts are not those of an event")
        vote = from_text(event["payload"]) if event["kind"] == "vote" else None
        if vote and any(getattr(vote, name) != event[name] for name in ("id", "comparison", "rater", "turn")):
            raise ValueError("its vote is that of another event")
        return event, ballot.encode(ballot_of(vote)) if vote else None
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"A record to merge is no event ({error}); give the records that a vote log wrote.") from error


def _refuse_revealed(connection: sa.Connection, comparison: str) -> None:
    if _is_revealed(connection, comparison):
        raise InputError(
            "The answers of this comparison have been revealed, so its vote can no longer change;"
            " ask the next question to vote again."
        )


def _is_revealed(connection: sa.Connection, comparison: str) -> bool:
    found = sa.select(EVENTS.c.number).where(EVENTS.c.comparison == comparison, EVENTS.c.kind == "reveal").limit(1)
    return connection.execute(found).first() is not None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
