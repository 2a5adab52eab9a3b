"""The tables of a store, and the steps that bring an earlier one up to date. Steps are only ever appended."""

import sqlite3
import uuid
from datetime import UTC, datetime

_FIRST = """
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
INSERT INTO meta VALUES ('generation', '0'), ('embedder', ''), ('chunking', ''), ('uuid', :uuid), ('created', :now);
"""

_EDITIONS_AND_LABELS = """
CREATE TABLE editions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, state TEXT NOT NULL, embedder TEXT NOT NULL, source TEXT NOT NULL,
    chunking TEXT NOT NULL, reached INTEGER NOT NULL, begun TEXT NOT NULL
);
INSERT INTO editions (id, state, embedder, source, chunking, reached, begun)
    SELECT 1, 'serving', (SELECT value FROM meta WHERE key = 'embedder'), '',
    (SELECT value FROM meta WHERE key = 'chunking'), 0, :now;
ALTER TABLE chunks ADD COLUMN edition INTEGER NOT NULL DEFAULT 1;
CREATE INDEX chunks_edition ON chunks (edition);
DELETE FROM meta WHERE key IN ('embedder', 'chunking');
INSERT INTO meta VALUES ('labels', '0');
ALTER TABLE documents ADD COLUMN dated TEXT NOT NULL DEFAULT '';
ALTER TABLE names ADD COLUMN modified TEXT NOT NULL DEFAULT '';
ALTER TABLE names ADD COLUMN added TEXT NOT NULL DEFAULT '';
UPDATE names SET added = (SELECT added FROM documents WHERE documents.id = names.document);
CREATE TABLE tags (
    name TEXT NOT NULL REFERENCES names ON DELETE CASCADE, tag TEXT NOT NULL, PRIMARY KEY (name, tag)
) WITHOUT ROWID;
CREATE TABLE folders (path TEXT PRIMARY KEY, added TEXT NOT NULL) WITHOUT ROWID;
"""

_STEPS = (_FIRST, _EDITIONS_AND_LABELS)
VERSION = len(_STEPS)


def version_of(connection: sqlite3.Connection) -> int:
    """The version of a store: the number of steps that it has had, 0 for an empty file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def upgrade(connection: sqlite3.Connection) -> None:
    """Apply the steps that a store lacks, within the transaction that is open."""
    values = {"uuid": uuid.uuid4().hex, "now": now()}
    for step in _STEPS[version_of(connection) :]:
        for statement in step.split(";"):
            connection.execute(statement, {key: values[key] for key in values if f":{key}" in statement})
    connection.execute(f"PRAGMA user_version = {VERSION}")


def now() -> str:
    """The time as the store notes it: ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
