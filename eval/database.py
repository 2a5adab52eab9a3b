"""The database behind the vote log: SQLite or PostgreSQL, its tables, and how writers take turns and reach the disk.

SQLite runs with a write-ahead log, so that reading never holds a vote up. A writer commits first and then, holding no
lock, waits until the log is on disk: writers that wait at once, threads or processes, are served by one write of the
disk, which is many times faster than one write each. Its locks need a local disk; on a network mount use PostgreSQL.
"""

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from eval.ballot import ballot_of, encode
from eval.campaign_tables import add_tasks
from eval.campaign_tables import create_tables as create_campaigns
from eval.errors import InputError
from eval.vote import from_text

BUSY_SECONDS = 30
"""How long a writer waits for another one."""
CONNECTIONS = 16
"""Kept open in one process; a few more are opened and closed again where that many are in use."""

WRITERS, COMPARISONS = 4_464, 4_465
"""PostgreSQL's advisory locks, by any numbers that every Fourfold shares. Writers share the first one, which is taken
alone by who must know that no event is on its way; of the second, each comparison has a key of its own."""

EVENTS = sa.table(
    "events",
    *(sa.column(name, sa.Integer) for name in ("number", "turn")),
    *(sa.column(name, sa.String) for name in ("id", "kind", "time", "comparison", "rater", "payload")),
)
BALLOTS = sa.table(
    "ballots",
    *(sa.column(name, sa.Integer) for name in ("number", "turn")),
    *(sa.column(name, sa.String) for name in ("comparison", "rater", "payload")),
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


def m002_ballots(connection: sa.Connection) -> None:
    """A second table with what the statistics read of each vote, filled from the events; null: the vote was taken back.

    The events themselves stay as they were written, in the schema of their day.
    """
    sa.Table(
        "ballots",
        sa.MetaData(),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("comparison", sa.String(200), nullable=False),
        sa.Column("rater", sa.String(200), nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("payload", sa.Text, nullable=True),
    ).create(connection)
    last = 0
    while rows := connection.execute(
        sa.select(EVENTS).where(EVENTS.c.kind == "vote", EVENTS.c.number > last).order_by(EVENTS.c.number).limit(500)
    ).all():
        connection.execute(BALLOTS.insert(), [_ballot_row(row) for row in rows])
        last = rows[-1].number


def _ballot_row(event: sa.Row[Any]) -> dict[str, Any]:
    try:
        payload = encode(ballot_of(from_text(event.payload)))
    except ValueError as error:
        raise UnreadableError(event.number, error) from error
    key = {"comparison": event.comparison, "rater": event.rater, "turn": event.turn}
    return {"number": event.number, **key, "payload": payload}


MIGRATIONS: tuple[Callable[[sa.Connection], None], ...] = (m001_events, m002_ballots, create_campaigns, add_tasks)
"""Append only: a released migration is never edited."""


class UnreadableError(ValueError):
    """An event that is not a vote which this version can read."""

    def __init__(self, number: int, reason: Exception) -> None:
        super().__init__(f"event {number} is not a vote that this version can read: {reason}")
        self.number = number


def database_url(home: Path) -> str:
    """The default database of the state folder `home`, which is created when the log is opened."""
    return sa.URL.create("sqlite", database=str(home.resolve() / "votes.sqlite")).render_as_string()


def open_engine(url: str) -> sa.Engine:
    """An engine whose writers take turns. Raises `InputError` for an unusable URL; connects to nothing yet.

    Of its connections' execution options, `writes` is for a transaction that appends; while one with `alone` lasts,
    none that appends is on its way, so that no event with a lower number than the last can still come.
    """
    try:
        place = sa.make_url(url)
        engine = sa.create_engine(place, pool_size=CONNECTIONS, poolclass=sa.QueuePool)
    except (ArgumentError, NoSuchModuleError) as error:
        raise InputError(
            f"The database URL cannot be used ({first_line(error)}); give one such as"
            " sqlite:////folder/votes.sqlite or postgresql+psycopg://user@host/name."
        ) from error
    except ModuleNotFoundError as error:
        raise InputError(
            f"The database URL needs the Python package {error.name}, which is not installed;"
            " install Fourfold with its postgres extra."
        ) from error
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    elif engine.dialect.name == "postgresql":
        sa.event.listen(engine, "begin", _begin_postgresql)
    return engine


def lock_comparison(connection: sa.Connection, comparison: str) -> None:
    """Hold the comparison until the transaction ends: what is read of it stays true. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        lock = sa.text("SELECT pg_advisory_xact_lock(:kind, hashtext(:key))")
        connection.execute(lock, {"kind": COMPARISONS, "key": comparison})


def sync(connection: sa.Connection) -> None:
    """Wait until all that was committed is on disk. Does nothing where the commit itself has waited."""
    path = connection.info.get("log")
    if path is not None:
        _sync_path(path)


def migrate(connection: sa.Connection) -> bool:
    """Bring the tables to this version; False where they are of a newer one, which are left alone."""
    APPLIED.create(connection, checkfirst=True)
    applied = set(connection.execute(sa.select(APPLIED.c.number)).scalars())
    if any(number > len(MIGRATIONS) for number in applied):
        return False
    for number, migration in enumerate(MIGRATIONS, start=1):
        if number not in applied:
            migration(connection)
            connection.execute(APPLIED.insert().values(number=number))
    return True


def first_line(error: Exception) -> str:
    """What the driver said, without the statement."""
    return str(getattr(error, "orig", None) or error).splitlines()[0]


def _prepare_sqlite(connection: sqlite3.Connection, record: Any) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late: after the first read
    connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    (path,) = next(row[2:] for row in connection.execute("PRAGMA database_list"))
    if path and _write_ahead(connection):
        connection.execute("PRAGMA synchronous = NORMAL")  # a commit leaves the waiting to `sync`
        record.info["log"] = f"{path}-wal"
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # creates the log's file
        _sync_path(str(Path(path).parent))  # its entry in the folder
    else:
        connection.execute("PRAGMA synchronous = EXTRA")


def _write_ahead(connection: sqlite3.Connection) -> bool:
    """Whether the file has a write-ahead log now; some file systems cannot."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return bool(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] == "wal")
        except sqlite3.OperationalError as error:  # of two that create the file at once, one is told so at once
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _sync_path(path: str) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    if options.get("alone"):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS})")
    elif options.get("writes"):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock_shared({WRITERS})")
