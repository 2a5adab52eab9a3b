"""A view of a store that stands still while others write: what searches and pages read."""

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .chunks import Chunk
from .documents import Document, Heading
from .errors import InputError
from .labels import ENTRY, Entry, Filter, entry


@dataclass(frozen=True)
class Edition:
    """The held texts cut and embedded in one way. `source` is what the embedder was loaded by, "" if unknown."""

    id: int
    embedder: str
    source: str
    chunking: str


@dataclass(frozen=True)
class StoredDocument:
    """A document of the index. `names` are all its names, the same bytes having been added under each.

    `entries` has the day and the tags of each name.
    """

    name: str
    names: tuple[str, ...]
    entries: tuple[Entry, ...]
    sha256: str
    media_type: str
    characters: int
    pages: int
    chunks: int
    added: str


@dataclass(frozen=True)
class StoredChunk:
    """A chunk by its id, with the first name of its document."""

    id: int
    document: str
    chunk: Chunk
    page: int | None


class Snapshot:
    """A view of the store that does not change while it is open, whatever other processes write."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.uuid = read_meta(connection, "uuid")
        self.generation = int(read_meta(connection, "generation"))
        """Number of changes of the chunks that serve: what caches follow."""
        self.changes = self.generation + int(read_meta(connection, "labels"))
        """Number of all changes, those of tags and days too."""
        self.edition = serving(connection)

    def chunk_ids(self, where: Filter | None = None) -> np.ndarray:
        """All ids in ascending order, int64 (n,), or those of the documents that a filter lets through."""
        among, values = (f"AND document IN ({_among(where)})", where.condition()[1]) if where else ("", [])
        statement = f"SELECT id FROM chunks WHERE edition = ? {among} ORDER BY id"
        rows = self._connection.execute(statement, [self.edition.id, *values])
        return np.fromiter((row[0] for row in rows), np.int64)

    def vectors(self, ids: np.ndarray, dimension: int) -> np.ndarray:
        """Vectors of the ids, float32 (len(ids), dimension)."""
        vectors = np.empty((len(ids), dimension), np.float32)
        for row, identity in enumerate(ids.tolist()):
            (blob,) = self._connection.execute("SELECT vector FROM chunks WHERE id = ?", (identity,)).fetchone()
            vectors[row] = np.frombuffer(blob, np.float32)
        return vectors

    def texts(self, ids: np.ndarray) -> list[str]:
        """What the word search reads of the chunks, in the order of their ids."""
        statement = "SELECT prefix || text FROM chunks WHERE id = ?"
        return [self._connection.execute(statement, (identity,)).fetchone()[0] for identity in ids.tolist()]

    def chunks(self, ids: Sequence[int], where: Filter | None = None) -> list[StoredChunk]:
        """The chunks in the order of their ids, each with its document's first name that the filter lets through."""
        condition, values = (where or Filter()).condition()
        statement = (
            "SELECT (SELECT min(names.name) FROM names JOIN documents ON names.document = documents.id "
            f"WHERE documents.id = chunks.document AND {condition}), "
            "first, last, text, heading, prefix, page FROM chunks WHERE id = ?"
        )
        rows = ((identity, self._connection.execute(statement, [*values, identity]).fetchone()) for identity in ids)
        return [StoredChunk(identity, row[0], Chunk(*row[1:6]), row[6]) for identity, row in rows]

    def documents(self, where: Filter | None = None) -> list[StoredDocument]:
        """All documents in the order of their names, or those that a filter lets through, with all their names."""
        among, values = (f"WHERE documents.id IN ({_among(where)})", where.condition()[1]) if where else ("", [])
        statement = (
            f"SELECT json_group_array({ENTRY}), sha256, media_type, length(text), json_array_length(pages), "
            "(SELECT count(*) FROM chunks WHERE chunks.document = documents.id AND edition = ?), documents.added "
            f"FROM documents JOIN names ON names.document = documents.id {among} GROUP BY documents.id"
        )
        found = []
        for row in self._connection.execute(statement, [self.edition.id, *values]):
            entries = tuple(sorted(map(entry, json.loads(row[0])), key=lambda each: each.name))
            names = tuple(each.name for each in entries)
            found.append(StoredDocument(names[0], names, entries, *row[1:]))
        return sorted(found, key=lambda document: document.name)

    def count(self) -> int:
        """Number of chunks."""
        statement = "SELECT count(*) FROM chunks WHERE edition = ?"
        return int(self._connection.execute(statement, (self.edition.id,)).fetchone()[0])

    def tags(self) -> dict[str, int]:
        """Number of documents with each tag, in order of the tags."""
        return dict(self._connection.execute("SELECT tag, count(*) FROM tags GROUP BY tag ORDER BY tag"))

    def names(self, where: Filter | None = None) -> list[str]:
        """All names in order, or those that a filter lets through."""
        condition, values = (where or Filter()).condition()
        statement = "SELECT names.name FROM names JOIN documents ON names.document = documents.id WHERE {} ORDER BY 1"
        return [row[0] for row in self._connection.execute(statement.format(condition), values)]

    @property
    def empty(self) -> bool:
        """Whether there is no document."""
        return self._connection.execute("SELECT 1 FROM names LIMIT 1").fetchone() is None

    def folders(self) -> list[str]:
        """The folders that the index follows, in order."""
        return [row[0] for row in self._connection.execute("SELECT path FROM folders ORDER BY path")]

    def content_of(self, name: str) -> str | None:
        """Hash of the bytes that a name stands for, or None."""
        row = self._connection.execute(
            "SELECT sha256 FROM documents JOIN names ON document = id WHERE name = ?", (name,)
        ).fetchone()
        return None if row is None else str(row[0])

    def document(self, name: str) -> Document:
        """The text of a document. Raises InputError if the index has none of that name."""
        row = self._connection.execute(f"{_DOCUMENT} JOIN names ON document = id WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise InputError(f"The index holds no document {name!r}; `python -m rag list` prints those that it holds.")
        return _document(name, row)

    def documents_after(self, reached: int, characters: int) -> list[tuple[int, Document]]:
        """The next documents with larger ids, in their order with their ids: so many characters, at least one."""
        found: list[tuple[int, Document]] = []
        for row in self._connection.execute(f"{_DOCUMENT} WHERE id > ? ORDER BY id", (reached,)):
            name = "SELECT min(name) FROM names WHERE document = ?"
            found.append((row[0], _document(self._connection.execute(name, row[:1]).fetchone()[0], row)))
            characters -= len(row[1])
            if characters <= 0:
                break
        return found

    def documents_until(self, reached: int | None) -> int:
        """Number of the documents up to this id, or of all."""
        statement = "SELECT count(*) FROM documents WHERE ?1 IS NULL OR id <= ?1"
        return int(self._connection.execute(statement, (reached,)).fetchone()[0])

    @property
    def filling(self) -> tuple[Edition, int] | None:
        """The edition that is to serve next and how many documents it has; None if there is none."""
        row = self._connection.execute(
            "SELECT id, embedder, source, chunking, reached FROM editions WHERE state = 'filling'"
        ).fetchone()
        return None if row is None else (Edition(*row[:4]), self.documents_until(row[4]))

    @property
    def dropped(self) -> bool:
        """Whether there are editions that are to be deleted."""
        return self._connection.execute("SELECT 1 FROM editions WHERE state = 'dropped'").fetchone() is not None

    def chunks_of(self, name: str) -> list[StoredChunk]:
        """The chunks of a document in order; none if there is no document of that name."""
        rows = self._connection.execute(
            "SELECT id FROM chunks JOIN names USING (document) WHERE edition = ? AND name = ? ORDER BY first, id",
            (self.edition.id, name),
        )
        return self.chunks([row[0] for row in rows])

    def digest(self) -> str:
        """Hash of what is held: names, contents and embedder; equal for two indexes built from the same files."""
        rows = self._connection.execute(
            "SELECT name, sha256, media_type FROM names JOIN documents ON document = id ORDER BY name"
        )
        state = [self.edition.embedder, self.edition.chunking, *map(list, rows)]
        return hashlib.sha256(json.dumps(state).encode()).hexdigest()


def read_meta(connection: sqlite3.Connection, key: str) -> str:
    """What the store notes about itself under a key."""
    return str(connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0])


def serving(connection: sqlite3.Connection) -> Edition:
    """The edition that searches read."""
    return Edition(
        *connection.execute("SELECT id, embedder, source, chunking FROM editions WHERE state = 'serving'").fetchone()
    )


_DOCUMENT = "SELECT id, text, sha256, media_type, pages, headings, dated FROM documents"


def _document(name: str, row: Sequence[str]) -> Document:
    _, text, sha256, media_type, pages, headings, dated = row
    return Document(
        name,
        text,
        sha256,
        media_type,
        tuple(tuple(page) for page in json.loads(pages)),
        tuple(Heading(*heading) for heading in json.loads(headings)),
        dated=dated,
    )


def _among(where: Filter) -> str:
    """SQL: the ids of the documents that a filter lets through by one of their names."""
    return (
        f"SELECT names.document FROM names JOIN documents ON names.document = documents.id WHERE {where.condition()[0]}"
    )
