"""A query to ranked passages: FAISS and BM25 as caches over the store, rebuilt whenever they do not match it."""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .adding import Adder, AddReport, Progress, Source
from .chunking import CHUNKING
from .documents import Document
from .embedder import Embedder
from .errors import InputError
from .fusion import Fusion, convex_fusion, reciprocal_rank_fusion
from .library import STORE
from .snapshot import Snapshot, StoredDocument
from .store import Store
from .vectors import VectorCache
from .words import WordCache

MODES = ("dense", "bm25", "hybrid")
MODE = "hybrid"
FUSION = Fusion()
_DEPTH = 200  # candidates of each kind that the fusion sees, at least


@dataclass(frozen=True)
class Hit:
    """A passage that was found.

    `score` is what the mode ranks by (cosine, BM25 or both fused); `cosine` is always the cosine of query and passage.
    `start` and `end` are offsets into the document's text, `chunk` is the chunk's id, `page` None without pages.
    """

    document: str
    chunk: int
    text: str
    score: float
    cosine: float
    page: int | None
    start: int
    end: int
    heading: str


class Index:
    """The index in `folder`, made if absent. Any thread may use it, and so may other processes at the same time.

    Raises InputError if the index belongs to another embedder.
    """

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        self.folder = folder
        self.embedder = embedder
        self.store = Store(folder / STORE, embedder.identity, CHUNKING.identity)
        self._vectors = VectorCache(folder, self.store.uuid, embedder.dimension)
        self._words = WordCache(folder, self.store.uuid)
        self._lock = threading.Lock()

    def add(
        self,
        files: Iterable[Source],
        progress: Progress | None = None,
        found: Callable[[int], None] | None = None,
    ) -> AddReport:
        """Hold files, each under its name, in place of what the name stood for before.

        A bad file is reported and never stops the rest. `found` is told how many more files an archive amounts to.
        """
        return Adder(self.store, self.embedder, progress, found).run(files)

    def remove(self, name: str) -> None:
        """Drop a document: no later search finds it. Raises InputError if there is none of that name."""
        if not self.store.remove(name):
            raise InputError(f"The index holds no document {name!r}; `python -m rag list` prints those that it holds.")

    def documents(self) -> list[StoredDocument]:
        """All documents in the order of their names."""
        with self.store.snapshot() as snapshot:
            return snapshot.documents()

    def document(self, name: str) -> Document:
        """The text of a document. Raises InputError if there is none of that name."""
        with self.store.snapshot() as snapshot:
            return snapshot.document(name)

    @property
    def generation(self) -> int:
        """Number of changes so far."""
        with self.store.snapshot() as snapshot:
            return snapshot.generation

    @property
    def digest(self) -> str:
        """Hash of the contents: equal for two indexes that were given the same files and embedder."""
        with self.store.snapshot() as snapshot:
            return snapshot.digest()

    @property
    def bytes_on_disk(self) -> int:
        """Size of the store and its caches."""
        return sum(entry.stat().st_size for entry in os.scandir(self.folder) if entry.is_file())

    def search(self, query: str, k: int = 5, mode: str = MODE, fusion: Fusion = FUSION) -> list[Hit]:
        """The k best passages for a query, best first; fewer where the index holds fewer or no word matches (bm25).

        `fusion` says how `hybrid` joins the two others.

        Raises InputError for an empty query, k below 1 or an unknown mode.
        """
        if not query.strip():
            raise InputError("The question is empty; type one.")
        if k < 1:
            raise InputError(f"k is {k}; ask for at least 1 passage.")
        if mode not in MODES:
            raise InputError(f"There is no search mode {mode!r}; choose one of {', '.join(MODES)}.")
        (vector,) = self.embedder.encode([query], query=True)
        with self._lock, self.store.snapshot() as snapshot:  # in this order, so that the caches never go back
            self._vectors.follow(snapshot)
            ids, scores = self._rank(snapshot, query, vector, k, fusion if mode == "hybrid" else mode)
            cosines = scores if mode == "dense" else self._vectors.cosines(vector, np.array(ids, np.int64)).tolist()
            return _hits(snapshot, ids, scores, cosines)

    def _rank(
        self, snapshot: Snapshot, query: str, vector: np.ndarray, k: int, how: str | Fusion
    ) -> tuple[list[int], list[float]]:
        if how == "dense":
            return self._vectors.search(vector, k)
        self._words.follow(snapshot)
        words = self._words.scored(query)
        if not isinstance(how, Fusion):
            return words.best(k)
        depth = max(2 * k, _DEPTH)
        near, _ = self._vectors.search(vector, depth)
        alike, _ = words.best(depth)
        if how.kind == "ranks":
            return reciprocal_rank_fusion([near, alike], k)
        ids = np.union1d(near, alike).astype(np.int64)
        fused = convex_fusion(self._vectors.cosines(vector, ids), words.of(ids), how.weight)
        best = np.lexsort((ids, -fused))[:k]
        return ids[best].tolist(), fused[best].tolist()


def _hits(snapshot: Snapshot, ids: list[int], scores: list[float], cosines: Sequence[float]) -> list[Hit]:
    return [
        Hit(
            document=stored.document,
            chunk=stored.id,
            text=stored.chunk.text,
            score=score,
            cosine=cosine,
            page=stored.page,
            start=stored.chunk.start,
            end=stored.chunk.end,
            heading=stored.chunk.heading,
        )
        for stored, score, cosine in zip(snapshot.chunks(ids), scores, cosines, strict=True)
    ]
