"""The one truth of an index: documents, chunks and float32 vectors in one SQLite file.

What the store holds is a function of the files it was given: content is kept once under its hash, and each name points
at its content. A chunk never changes once written and its id is never used again, so that a cache of vectors can follow
the store by comparing ids alone.
"""

import json
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from .chunks import Chunk
from .documents import Document
from .errors import InputError
from .snapshot import Snapshot, read_meta

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT, sha256 TEXT NOT NULL, media_type TEXT NOT NULL, text TEXT NOT NULL,
    pages TEXT NOT NULL, headings TEXT NOT NULL, added TEXT NOT NULL, UNIQUE (sha256, media_type)
);
CREATE TABLE names (
    name TEXT PRIMARY KEY, document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX names_document ON names (document);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    first INTEGER NOT NULL, last INTEGER NOT NULL, page INTEGER, heading TEXT NOT NULL, prefix TEXT NOT NULL,
    text TEXT NOT NULL, vector BLOB NOT NULL
);
CREATE INDEX chunks_document ON chunks (document);
"""
_VERSION = 1
_WAIT = 60  # seconds that a writer waits for another one


class Store:
    """The store at `path`, made if absent, of vectors by the embedder of that identity.

    Every call opens its own connection, so any thread may call, and several processes may read while one writes.
    Raises InputError if the file is no store or belongs to another embedder; an empty store takes the new embedder.
    """

    def __init__(self, path: Path, embedder: str, chunking: str) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{path.parent} cannot be made ({error.strerror}); choose another folder.") from error
        with self._write("rwc") as connection:
            if _version(connection) == 0:
                self._create(connection)
            if _version(connection) != _VERSION:
                raise InputError(f"{path} was written by another version of this program; make a new index.")
            self._adopt(connection, embedder, chunking)
            self.uuid = read_meta(connection, "uuid")

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """A consistent view; close it soon."""
        with closing(self._connect()) as connection:
            try:
                connection.execute("BEGIN")
                yield Snapshot(connection)
            except sqlite3.DatabaseError as error:
                raise InputError(f"{self.path} cannot be read ({error}); restore or delete it.") from error

    def content_of(self, name: str) -> str | None:
        """Hash of the bytes that a name stands for, or None."""
        with self.snapshot() as snapshot:
            return snapshot.content_of(name)

    def point(self, name: str, sha256: str, media_type: str) -> bool:
        """Let a name stand for content that is already held; False if it is not held."""
        with self._write() as connection:
            row = connection.execute(
                "SELECT id FROM documents WHERE sha256 = ? AND media_type = ?", (sha256, media_type)
            ).fetchone()
            if row is not None:
                self._name(connection, name, row[0])
            return row is not None

    def put(self, document: Document, chunks: Sequence[Chunk], vectors: np.ndarray) -> None:
        """Hold a document under its name in place of what the name stood for before, in one transaction."""
        with self._write() as connection:
            known = connection.execute(
                "SELECT id FROM documents WHERE sha256 = ? AND media_type = ?", (document.sha256, document.media_type)
            ).fetchone()
            identity = known[0] if known else self._insert(connection, document, chunks, vectors)
            self._name(connection, document.name, identity)

    def remove(self, name: str) -> bool:
        """Drop a name, and its content if no other name stands for it; False if there is no such name."""
        with self._write() as connection:
            found = connection.execute("DELETE FROM names WHERE name = ?", (name,)).rowcount > 0
            if found:
                self._retire(connection)
            return found

    def _insert(
        self, connection: sqlite3.Connection, document: Document, chunks: Sequence[Chunk], vectors: np.ndarray
    ) -> int:
        identity = connection.execute(
            "INSERT INTO documents (sha256, media_type, text, pages, headings, added) VALUES (?, ?, ?, ?, ?, ?)",
            (
                document.sha256,
                document.media_type,
                document.text,
                json.dumps(document.pages),
                json.dumps([astuple(heading) for heading in document.headings]),
                _now(),
            ),
        ).lastrowid
        assert identity is not None
        connection.executemany(
            "INSERT INTO chunks (document, first, last, page, heading, prefix, text, vector) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (identity, c.start, c.end, document.page_at(c.start), c.heading, c.prefix, c.text, vector.tobytes())
                for c, vector in zip(chunks, np.asarray(vectors, np.float32), strict=True)
            ),
        )
        return identity

    def _name(self, connection: sqlite3.Connection, name: str, document: int) -> None:
        connection.execute("INSERT OR REPLACE INTO names (name, document) VALUES (?, ?)", (name, document))
        self._retire(connection)

    def _retire(self, connection: sqlite3.Connection) -> None:
        """Delete content that no name stands for, and count the change."""
        connection.execute("DELETE FROM documents WHERE id NOT IN (SELECT document FROM names)")
        connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'generation'")

    def _create(self, connection: sqlite3.Connection) -> None:
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        connection.executemany(
            "INSERT INTO meta VALUES (?, ?)",
            [("generation", "0"), ("uuid", uuid.uuid4().hex), ("embedder", ""), ("chunking", ""), ("created", _now())],
        )
        connection.execute(f"PRAGMA user_version = {_VERSION}")

    def _adopt(self, connection: sqlite3.Connection, embedder: str, chunking: str) -> None:
        for key, wanted in (("embedder", embedder), ("chunking", chunking)):
            held = read_meta(connection, key)
            if held == wanted:
                continue
            if connection.execute("SELECT 1 FROM names LIMIT 1").fetchone():
                raise InputError(
                    f"The index {self.path.parent.name!r} was made with the {key} {held}, not {wanted}; "
                    f"use that {key}, or add the files to a new index."
                )
            connection.execute("UPDATE meta SET value = ? WHERE key = ?", (wanted, key))

    @contextmanager
    def _write(self, mode: str = "rw") -> Iterator[sqlite3.Connection]:
        with closing(self._connect(mode)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
            except sqlite3.DatabaseError as error:
                raise InputError(
                    f"{self.path} cannot be written ({error}), and what it held is unchanged; "
                    f"free some space or end the program that holds it, then try again."
                ) from error

    def _connect(self, mode: str = "rw") -> sqlite3.Connection:
        """A connection; only `mode` "rwc" makes the file, so that a deleted index does not come back empty."""
        try:
            address = f"{self.path.resolve().as_uri()}?mode={mode}"
            connection = sqlite3.connect(address, uri=True, timeout=_WAIT, isolation_level=None)
        except sqlite3.OperationalError as error:
            raise InputError(f"{self.path} cannot be opened ({error}); check that it is there.") from error
        try:
            connection.execute("PRAGMA journal_mode = WAL")  # readers go on while another process writes
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
        except sqlite3.DatabaseError as error:
            connection.close()
            raise InputError(f"{self.path} cannot be opened as an index ({error}); restore or delete it.") from error
        return connection


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
