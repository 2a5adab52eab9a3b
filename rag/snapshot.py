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


@dataclass(frozen=True)
class StoredDocument:
    """A document of the index. `names` are all its names, the same bytes having been added under each."""

    name: str
    names: tuple[str, ...]
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
        self.generation = int(read_meta(connection, "generation"))

    def chunk_ids(self) -> np.ndarray:
        """All ids in ascending order, int64 (n,)."""
        rows = self._connection.execute("SELECT id FROM chunks ORDER BY id")
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

    def chunks(self, ids: Sequence[int]) -> list[StoredChunk]:
        """The chunks in the order of their ids."""
        statement = (
            "SELECT (SELECT min(name) FROM names WHERE names.document = chunks.document), first, last, text, heading, "
            "prefix, page FROM chunks WHERE id = ?"
        )
        rows = ((identity, self._connection.execute(statement, (identity,)).fetchone()) for identity in ids)
        return [StoredChunk(identity, row[0], Chunk(*row[1:6]), row[6]) for identity, row in rows]

    def documents(self) -> list[StoredDocument]:
        """All documents in the order of their names."""
        statement = (
            "SELECT json_group_array(name), sha256, media_type, length(text), json_array_length(pages), "
            "(SELECT count(*) FROM chunks WHERE chunks.document = documents.id), added "
            "FROM documents JOIN names ON names.document = documents.id GROUP BY documents.id"
        )
        found = []
        for names, *rest in self._connection.execute(statement):
            ordered = tuple(sorted(json.loads(names)))
            found.append(StoredDocument(ordered[0], ordered, *rest))
        return sorted(found, key=lambda document: document.name)

    def content_of(self, name: str) -> str | None:
        """Hash of the bytes that a name stands for, or None."""
        row = self._connection.execute(
            "SELECT sha256 FROM documents JOIN names ON document = id WHERE name = ?", (name,)
        ).fetchone()
        return None if row is None else str(row[0])

    def document(self, name: str) -> Document:
        """The text of a document. Raises InputError if the index has none of that name."""
        row = self._connection.execute(
            "SELECT text, sha256, media_type, pages, headings FROM documents "
            "JOIN names ON document = id WHERE name = ?",
            (name,),
        ).fetchone()
        if row is None:
            raise InputError(f"The index holds no document {name!r}; `python -m rag list` prints those that it holds.")
        text, sha256, media_type, pages, headings = row
        return Document(
            name,
            text,
            sha256,
            media_type,
            tuple(tuple(page) for page in json.loads(pages)),
            tuple(Heading(*heading) for heading in json.loads(headings)),
        )

    def digest(self) -> str:
        """Hash of what is held: names, contents and embedder; equal for two indexes built from the same files."""
        rows = self._connection.execute(
            "SELECT name, sha256, media_type FROM names JOIN documents ON document = id ORDER BY name"
        )
        state = [read_meta(self._connection, "embedder"), read_meta(self._connection, "chunking"), *map(list, rows)]
        return hashlib.sha256(json.dumps(state).encode()).hexdigest()


def read_meta(connection: sqlite3.Connection, key: str) -> str:
    """What the store notes about itself under a key."""
    return str(connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0])
