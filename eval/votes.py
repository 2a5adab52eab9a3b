"""The vote log: events are appended and never changed, and a vote is on disk before its `append` returns.

SQLite by default, PostgreSQL by its URL. A re-vote is another event that supersedes the earlier one when the log is
read; nothing is overwritten. SQLite runs with its rollback journal and `synchronous = EXTRA`, so that a commit is on
disk, the folder's entry included, and the log is one file; its locks need a local disk: on a network mount use
PostgreSQL.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from eval.errors import InputError
from eval.vote import Vote, check, from_json, is_key, to_json

__all__ = ["Event", "StoreError", "Vote", "Votes", "database_url"]

BUSY_SECONDS = 30
"""How long a writer waits for another one."""

ADVISORY_LOCK = 4_464
"""Any number that every Fourfold shares: PostgreSQL's name for the writers' queue."""


class StoreError(RuntimeError):
    """The log could not be read or written; a vote that raised it was not saved. One sentence with the remedy."""


@dataclass(frozen=True)
class Event:
    """One line of the log, in the order of appending."""

    number: int
    id: str
    kind: str
    """`vote` or `reveal`."""
    time: str
    comparison: str
    vote: Vote | None
    superseded: bool = False
    """A later vote of the same rater on the same comparison and turn counts instead."""


EVENTS = sa.table(
    "events",
    *(sa.column(name, sa.Integer) for name in ("number", "turn")),
    *(sa.column(name, sa.String) for name in ("id", "kind", "time", "comparison", "rater", "payload")),
)
APPLIED = sa.Table("schema_version", sa.MetaData(), sa.Column("number", sa.Integer, primary_key=True))


def m001_events(connection: sa.Connection) -> None:
    """The table of events. Portable types only.

    The payload is JSON escaped to ASCII in a text column: PostgreSQL refuses the NUL characters and lone surrogates
    that a model can print, and text comes back byte for byte.
    """
    sa.Table(
        "events",
        sa.MetaData(),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(64), nullable=False, unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("time", sa.String(40), nullable=False),
        sa.Column("comparison", sa.String(200), nullable=False, index=True),
        sa.Column("rater", sa.String(200), nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    ).create(connection)


MIGRATIONS = (m001_events,)
"""Append only: a released migration is never edited."""


def database_url(home: Path) -> str:
    """The default database of the state folder `home`, which is created when the log is opened."""
    return sa.URL.create("sqlite", database=str(home.resolve() / "votes.sqlite")).render_as_string()


class Votes:
    """The log behind one database URL. Safe to share between threads; several processes may append at once."""

    def __init__(self, url: str) -> None:
        """Open or create the log. Raises `InputError` for an unusable URL, `StoreError` for an unusable database."""
        try:
            place = sa.make_url(url)
            self._engine = sa.create_engine(place)
        except (ArgumentError, NoSuchModuleError) as error:
            raise InputError(
                f"The database URL cannot be used ({_first_line(error)}); give one such as"
                " sqlite:////folder/votes.sqlite or postgresql+psycopg://user@host/name."
            ) from error
        except ModuleNotFoundError as error:
            raise InputError(
                f"The database URL needs the Python package {error.name}, which is not installed;"
                " install Fourfold with its postgres extra."
            ) from error
        self._place = place.render_as_string(hide_password=True)
        _take_turns(self._engine)
        with self._transaction("opened", "check that it exists and can be written", writes=True) as connection:
            _migrate(connection, self._place)

    def append(self, vote: Vote) -> None:
        """Save one vote in one transaction, synced to disk before this returns.

        Appending the same vote again changes nothing. Another vote of the same rater on the same comparison and turn
        supersedes. Raises `InputError` for an invalid vote and after `reveal`, `StoreError` where it was not saved.
        """
        check(vote)
        payload = _encode(vote)
        with self._transaction("written", "make room or repair it, then vote again", writes=True) as connection:
            kept = connection.execute(sa.select(EVENTS.c.payload).where(EVENTS.c.id == vote.id)).scalar()
            if kept == payload:
                return
            if kept is not None:
                raise InputError(f"The id {vote.id} already holds another event; give each vote an id of its own.")
            if _is_revealed(connection, vote.comparison):
                raise InputError(
                    "The answers of this comparison have been revealed, so its vote can no longer change;"
                    " ask the next question to vote again."
                )
            row = {"id": vote.id, "kind": "vote", "time": vote.time, "comparison": vote.comparison}
            connection.execute(EVENTS.insert().values(**row, rater=vote.rater, turn=vote.turn, payload=payload))

    def reveal(self, comparison: str) -> None:
        """Record that the identities behind `comparison` were shown: from now on its votes are final."""
        if not is_key(comparison):
            raise InputError("The comparison to reveal has no valid id; give the id that its votes carry.")
        with self._transaction("written", "make room or repair it, then try again", writes=True) as connection:
            if not _is_revealed(connection, comparison):
                now = datetime.now(UTC).isoformat(timespec="milliseconds")
                row = {"id": uuid4().hex, "kind": "reveal", "time": now, "comparison": comparison}
                connection.execute(EVENTS.insert().values(**row, rater="", turn=0, payload="{}"))

    def votes(self) -> list[Vote]:
        """The votes that count, oldest first: of each rater, comparison and turn the last one."""
        return [event.vote for event in self.events() if event.vote is not None and not event.superseded]

    def events(self) -> list[Event]:
        """Everything that was ever appended, oldest first."""
        with self._transaction("read", "check that it can be reached") as connection:
            rows = connection.execute(sa.select(EVENTS).order_by(EVENTS.c.number)).all()
        last = {(row.comparison, row.rater, row.turn): row.number for row in rows if row.kind == "vote"}
        return [
            Event(
                number=row.number,
                id=row.id,
                kind=row.kind,
                time=row.time,
                comparison=row.comparison,
                vote=self._decode(row.payload, row.number) if row.kind == "vote" else None,
                superseded=row.kind == "vote" and last[row.comparison, row.rater, row.turn] != row.number,
            )
            for row in rows
        ]

    def count(self) -> int:
        """How many votes count."""
        keys = sa.select(EVENTS.c.comparison, EVENTS.c.rater, EVENTS.c.turn).where(EVENTS.c.kind == "vote").distinct()
        with self._transaction("read", "check that it can be reached") as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(keys.subquery())).scalar_one())

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, done: str, remedy: str, writes: bool = False) -> Iterator[sa.Connection]:
        """One transaction, committed at the end; what fails in the database becomes a `StoreError`."""
        try:
            if self._engine.dialect.name == "sqlite" and writes and self._engine.url.database:
                Path(self._engine.url.database).parent.mkdir(parents=True, exist_ok=True)
            with self._engine.connect().execution_options(writes=writes) as connection, connection.begin():
                yield connection
        except (SQLAlchemyError, OSError) as error:
            raise StoreError(
                f"The votes in {self._place} could not be {done} ({_first_line(error)}); {remedy}."
            ) from error

    def _decode(self, payload: str, number: int) -> Vote:
        try:
            return from_json(json.loads(payload))
        except (ValueError, TypeError, KeyError) as error:
            raise StoreError(
                f"Event {number} of {self._place} is not a vote that this version can read ({error});"
                " use the version that wrote it or restore the file from a copy."
            ) from error


def _encode(vote: Vote) -> str:
    try:
        return json.dumps(to_json(vote), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"The vote cannot be stored as JSON ({error}); keep plain values in its fields.") from error


def _is_revealed(connection: sa.Connection, comparison: str) -> bool:
    found = sa.select(EVENTS.c.number).where(EVENTS.c.comparison == comparison, EVENTS.c.kind == "reveal").limit(1)
    return connection.execute(found).first() is not None


def _migrate(connection: sa.Connection, place: str) -> None:
    APPLIED.create(connection, checkfirst=True)
    applied = set(connection.execute(sa.select(APPLIED.c.number)).scalars())
    if any(number > len(MIGRATIONS) for number in applied):
        raise StoreError(f"The votes in {place} were written by a newer version of Fourfold; update this one.")
    for number, migration in enumerate(MIGRATIONS, start=1):
        if number not in applied:
            migration(connection)
            connection.execute(APPLIED.insert().values(number=number))


def _take_turns(engine: sa.Engine) -> None:
    """Make writers queue at their first statement, so that what they read is still true when they write."""
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    elif engine.dialect.name == "postgresql":
        sa.event.listen(engine, "begin", _begin_postgresql)


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late: after the first read
    connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    connection.execute("PRAGMA synchronous = EXTRA")


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("writes"):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]
