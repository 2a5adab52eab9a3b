"""Another embedder, another size of chunks: the held texts are cut and embedded anew while the old vectors serve.

The new vectors are an edition of their own. It grows in the order of the documents' ids, which are never used again, so
that the last id it has reached is all that a run which was killed needs to go on from. One transaction lets it serve.
"""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import statements
from .adding import Progress
from .chunking import Chunking
from .chunks import split
from .schema import now
from .store import Outdated, Store

if TYPE_CHECKING:
    from .embedder import Embedder

_TOGETHER = 100_000  # characters that are embedded together, some 100 chunks; a longer document is so by itself
_SWEPT = 5000  # chunks deleted in one transaction: others may write in between


@dataclass(frozen=True)
class ReembedReport:
    """`documents` and `chunks` that this run embedded, after `resumed` documents of an earlier one; `seconds` taken.

    `changed` is False where the index was so already.
    """

    changed: bool
    embedder: str
    chunking: str
    documents: int
    resumed: int
    chunks: int
    seconds: float


class Reembedding:
    """A run over all that a store holds; tells `found` how many documents that are, and `progress` each that is done.

    Raises Outdated where another run takes its place, and StoreError; what served before goes on serving, and the next
    run with the same embedder and chunking goes on from there.
    """

    def __init__(
        self,
        store: Store,
        embedder: "Embedder",
        chunking: Chunking,
        progress: Progress | None = None,
        found: Callable[[int], None] | None = None,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._chunking = chunking
        self._progress = progress or (lambda name, outcome, reason: None)
        self._found = found or (lambda more: None)
        self._documents = self._chunks = 0

    def run(self) -> ReembedReport:
        """Embed what is held, let it serve, and drop what served before."""
        started = time.perf_counter()
        edition, reached = self._begin()
        with self._store.snapshot() as snapshot:
            resumed = snapshot.documents_until(reached)
            self._found(snapshot.documents_until(None) - resumed if edition else 0)
        while edition is not None and not self._switch(edition, reached):
            reached = self._extend(edition, reached)
        sweep(self._store)
        return ReembedReport(
            edition is not None,
            self._embedder.identity,
            self._chunking.identity,
            self._documents,
            resumed,
            self._chunks,
            round(time.perf_counter() - started, 3),
        )

    def _begin(self) -> tuple[int | None, int]:
        """The edition to fill and how far it is, left by a run that was cut short or new; None if it serves already."""
        wanted = (self._embedder.identity, self._chunking.identity)
        with self._store.writing() as connection:
            rows = connection.execute("SELECT state, embedder, chunking, id, reached FROM editions").fetchall()
            found = {row[0]: (int(row[3]), int(row[4])) for row in rows if row[1:3] == wanted}
            if "filling" in found and "serving" not in found:
                return found["filling"]
            connection.execute("UPDATE editions SET state = 'dropped' WHERE state = 'filling'")
            if "serving" in found:
                return None, 0
            (made,) = connection.execute(
                "INSERT INTO editions (state, embedder, source, chunking, reached, begun) "
                "VALUES ('filling', ?, ?, ?, 0, ?) RETURNING id",
                (wanted[0], self._embedder.name, wanted[1], now()),
            ).fetchone()
            return int(made), 0

    def _extend(self, edition: int, reached: int) -> int:
        """Embed the next documents and write them; returns the id of the last."""
        with self._store.snapshot() as snapshot:
            documents = snapshot.documents_after(reached, _TOGETHER)
        if not documents:  # the last ones were removed meanwhile
            return reached
        tokenizer, limit = self._embedder.tokenizer, self._embedder.limit
        pieces = [split(document, tokenizer, limit, self._chunking) for _, document in documents]
        vectors = self._embedder.encode([chunk.embedded for chunks in pieces for chunk in chunks])
        last, first = documents[-1][0], 0
        with self._store.writing() as connection:
            self._advance(connection, edition, reached, last)
            for (identity, document), chunks in zip(documents, pieces, strict=True):
                if connection.execute("SELECT 1 FROM documents WHERE id = ?", (identity,)).fetchone():
                    some = vectors[first : first + len(chunks)]
                    statements.write_chunks(connection, edition, identity, document, chunks, some)
                first += len(chunks)
        self._documents += len(documents)
        self._chunks += first
        for _, document in documents:
            self._progress(document.name, "embedded", "")
        return last

    def _advance(self, connection: sqlite3.Connection, edition: int, reached: int, last: int) -> None:
        """Note how far the edition is. Raises Outdated if another run has done so in between."""
        if not connection.execute(
            "UPDATE editions SET reached = ? WHERE id = ? AND state = 'filling' AND reached = ?",
            (last, edition, reached),
        ).rowcount:
            name = self._store.path.parent.name
            raise Outdated(f"Another program re-embeds the index {name!r} at this moment; wait until it is done.")

    def _switch(self, edition: int, reached: int) -> bool:
        """Let the edition serve in place of the other, if it has all documents."""
        with self._store.writing() as connection:
            if connection.execute("SELECT 1 FROM documents WHERE id > ? LIMIT 1", (reached,)).fetchone():
                return False
            self._advance(connection, edition, reached, reached)
            connection.execute("UPDATE editions SET state = 'dropped' WHERE state = 'serving'")
            connection.execute("UPDATE editions SET state = 'serving' WHERE id = ?", (edition,))
            statements.count(connection, "generation")
            return True


def sweep(store: Store) -> None:
    """Delete the chunks of editions that serve no more, a part at a time; what a killed run left of them too."""
    while True:
        with store.snapshot() as snapshot:
            if not snapshot.dropped:
                return
        with store.writing() as connection:
            swept = connection.execute(
                "DELETE FROM chunks WHERE id IN (SELECT chunks.id FROM editions JOIN chunks ON edition = editions.id "
                "WHERE state = 'dropped' LIMIT ?)",
                (_SWEPT,),
            ).rowcount
            if swept < _SWEPT:
                connection.execute("DELETE FROM editions WHERE state = 'dropped'")
