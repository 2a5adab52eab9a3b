"""The one truth of an index: documents, chunks and float32 vectors in one SQLite file.

What the store holds is a function of the files it was given: content is kept once under its hash, and each name points
at its content. A chunk never changes once written and its id is never used again, so that a cache of vectors can follow
the store by comparing ids alone.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from . import statements
from .chunking import CHUNKING, Chunking
from .chunks import Chunk
from .documents import Document
from .errors import InputError
from .labels import UNKNOWN, Label
from .schema import VERSION, now, upgrade, version_of
from .snapshot import Snapshot, serving

_WAIT = 60  # seconds that a writer waits for another one


class StoreError(InputError):
    """The store could not be written, whatever the file was that was to be written into it."""


class Outdated(StoreError):
    """The vectors are of an edition that no longer serves."""


class Store:
    """The store at `path`, made if absent.

    Every call opens its own connection, so any thread may call, and several processes may read while one writes.
    Raises InputError if the file is no store, or of a later version of this program.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{path.parent} cannot be made ({error.strerror}); choose another folder.") from error
        with closing(self._connect("rwc")) as connection:  # looks first: opening must not wait for a writer
            current = version_of(connection) == VERSION
        if not current:
            with self.writing() as connection:
                if version_of(connection) > VERSION:
                    raise InputError(f"{path} was written by a later version of this program; update the program.")
                upgrade(connection)
        with self.snapshot() as snapshot:
            self.uuid = snapshot.uuid

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """A consistent view; close it soon."""
        with closing(self._connect()) as connection:
            try:
                connection.execute("BEGIN")
                yield Snapshot(connection)
            except sqlite3.DatabaseError as error:
                raise InputError(f"{self.path} cannot be read ({error}); restore or delete it.") from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all that is done in it, or nothing. Raises StoreError where it cannot be written."""
        with closing(self._connect()) as connection:
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
                raise StoreError(
                    f"{self.path} cannot be written ({error}), and what it held is unchanged; "
                    f"free some space or end the program that holds it, then try again."
                ) from error

    def adopt(self, embedder: str, source: str, chunking: Chunking | None = None) -> None:
        """See that the vectors are those of this embedder, and the chunks cut so; an empty store takes both.

        `source` is what the embedder was loaded by. Raises InputError for what other vectors and chunks are held.
        """
        with self.snapshot() as snapshot:
            held, empty = snapshot.edition, snapshot.empty
        cut = chunking.identity if chunking else held.chunking or CHUNKING.identity
        differences = [
            (noun, have, want)
            for noun, have, want in (("embedder", held.embedder, embedder), ("chunking", held.chunking, cut))
            if have != want
        ]
        if differences and not empty:
            noun, have, want = differences[0]
            name = self.path.parent.name
            raise InputError(
                f"The index {name!r} was made with the {noun} {have}, not {want}; use that {noun}, or embed what it "
                f"holds anew by `python -m rag reembed --index {name}`."
            )
        if differences:
            with self.writing() as connection:
                connection.execute(
                    "UPDATE editions SET embedder = ?, source = ?, chunking = ? "
                    "WHERE state = 'serving' AND NOT EXISTS (SELECT 1 FROM names)",
                    (embedder, source, cut),
                )

    def content_of(self, name: str) -> str | None:
        """Hash of the bytes that a name stands for, or None."""
        with self.snapshot() as snapshot:
            return snapshot.content_of(name)

    def point(self, name: str, sha256: str, media_type: str, label: Label = UNKNOWN) -> bool:
        """Let a name stand for content that is already held; False if it is not held."""
        with self.writing() as connection:
            identity = statements.held(connection, sha256, media_type)
            if identity is not None:
                statements.name_it(connection, name, identity, label)
            return identity is not None

    def put(
        self,
        document: Document,
        chunks: Sequence[Chunk],
        vectors: np.ndarray,
        edition: int | None = None,
        label: Label = UNKNOWN,
    ) -> None:
        """Hold a document under its name in place of what the name stood for before, in one transaction.

        Raises Outdated if the chunks and vectors were made for another edition than the one that serves.
        """
        with self.writing() as connection:
            now_serving = serving(connection).id
            if edition not in (None, now_serving):
                raise Outdated(f"The index {self.path.parent.name!r} was re-embedded meanwhile; add the rest again.")
            identity = statements.held(connection, document.sha256, document.media_type)
            if identity is None:
                identity = statements.insert(connection, document)
                statements.write_chunks(connection, now_serving, identity, document, chunks, vectors)
            statements.name_it(connection, document.name, identity, label)

    def remove(self, *names: str) -> int:
        """Drop names, and their content where no other name stands for it. Returns how many there were."""
        with self.writing() as connection:
            found = 0
            for name in names:
                row = connection.execute("DELETE FROM names WHERE name = ? RETURNING document", (name,)).fetchone()
                if row is not None:
                    found += 1
                    statements.retire(connection, row[0])
            if found:
                statements.count(connection, "generation")
            return found

    def label(self, name: str, label: Label, remove: Sequence[str] = ()) -> bool:
        """Note the day and add the tags of a label, and take tags off; False where that changes nothing."""
        with self.writing() as connection:
            before = connection.total_changes
            connection.execute(
                "UPDATE names SET modified = ?1 WHERE name = ?2 AND ?1 NOT IN ('', modified)", (label.modified, name)
            )
            statements.tag(connection, name, label.tags)
            connection.executemany("DELETE FROM tags WHERE name = ? AND tag = ?", ((name, tag) for tag in remove))
            changed = connection.total_changes > before
            if changed:
                statements.count(connection, "labels")
            return changed

    def remember(self, folder: str) -> None:
        """Note a folder that the index follows."""
        with self.writing() as connection:
            connection.execute("INSERT OR IGNORE INTO folders (path, added) VALUES (?, ?)", (folder, now()))

    def forget(self, folder: str) -> bool:
        """Follow a folder no longer; what it held stays. False if it was not followed."""
        with self.writing() as connection:
            return connection.execute("DELETE FROM folders WHERE path = ?", (folder,)).rowcount > 0

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
