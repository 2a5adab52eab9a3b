"""The statements that change a store, each within a transaction that is open."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import astuple

import numpy as np

from .chunks import Chunk
from .documents import Document
from .labels import Label
from .schema import now


def count(connection: sqlite3.Connection, changes: str) -> None:
    """Count a change of the chunks that serve ("generation") or of what is known of documents ("labels")."""
    connection.execute("UPDATE meta SET value = value + 1 WHERE key = ?", (changes,))


def write_chunks(
    connection: sqlite3.Connection,
    edition: int,
    identity: int,
    document: Document,
    chunks: Sequence[Chunk],
    vectors: np.ndarray,
) -> None:
    """Write the chunks of a document, with their vectors, float32 (len(chunks), dimension), into an edition."""
    connection.executemany(
        "INSERT INTO chunks (edition, document, first, last, page, heading, prefix, text, vector) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (edition, identity, c.start, c.end, document.page_at(c.start), c.heading, c.prefix, c.text, v.tobytes())
            for c, v in zip(chunks, np.asarray(vectors, np.float32), strict=True)
        ),
    )


def held(connection: sqlite3.Connection, sha256: str, media_type: str) -> int | None:
    row = connection.execute(
        "SELECT id FROM documents WHERE sha256 = ? AND media_type = ?", (sha256, media_type)
    ).fetchone()
    return None if row is None else int(row[0])


def insert(connection: sqlite3.Connection, document: Document) -> int:
    values = (
        document.sha256,
        document.media_type,
        document.text,
        json.dumps(document.pages),
        json.dumps([astuple(heading) for heading in document.headings]),
        document.dated,
        now(),
    )
    identity = connection.execute(
        "INSERT INTO documents (sha256, media_type, text, pages, headings, dated, added) VALUES (?, ?, ?, ?, ?, ?, ?)",
        values,
    ).lastrowid
    assert identity is not None
    return identity


def name_it(connection: sqlite3.Connection, name: str, document: int, label: Label) -> None:
    """Let a name stand for a document. What it stood for goes, its tags stay."""
    before = connection.execute("SELECT document FROM names WHERE name = ?", (name,)).fetchone()
    connection.execute(
        "INSERT INTO names (name, document, modified, added) VALUES (?, ?, ?, ?) ON CONFLICT (name) "
        "DO UPDATE SET document = excluded.document, modified = excluded.modified, added = excluded.added",
        (name, document, label.modified, now()),
    )
    tag(connection, name, label.tags)
    if before is not None and before[0] != document:
        retire(connection, before[0])
    count(connection, "generation")


def tag(connection: sqlite3.Connection, name: str, tags: Sequence[str]) -> None:
    connection.executemany("INSERT OR IGNORE INTO tags (name, tag) VALUES (?, ?)", ((name, tag) for tag in tags))


def retire(connection: sqlite3.Connection, document: int) -> None:
    """Delete a document that no name stands for, and with it its chunks of every edition."""
    connection.execute(
        "DELETE FROM documents WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM names WHERE document = ?1)", (document,)
    )
