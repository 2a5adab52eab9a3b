"""A query to ranked passages: FAISS and BM25 as caches over the store, rebuilt whenever they do not match it."""

import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from .adding import Adder, AddReport, Progress, Source
from .chunking import CHUNKING
from .documents import Document
from .embedder import Embedder
from .errors import InputError
from .fusion import Fusion
from .hits import Found, Hit, hits_of
from .library import STORE
from .ranking import FUSION, MODE, MODES, Ranked, Ranker
from .refining import REFINED, Refining, refine
from .snapshot import Snapshot, StoredDocument
from .store import Store
from .vectors import VectorCache
from .words import WordCache

__all__ = ["FUSION", "MODE", "MODES", "Hit", "Index"]


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

    def search(
        self, query: str, k: int = 5, mode: str = MODE, fusion: Fusion = FUSION, refining: Refining = REFINED
    ) -> list[Hit]:
        """The hits of `find`."""
        return self.find(query, k, mode, fusion, refining).hits

    def find(
        self, query: str, k: int = 5, mode: str = MODE, fusion: Fusion = FUSION, refining: Refining = REFINED
    ) -> Found:
        """The k best passages for a query, best first; fewer where the index holds fewer or no word matches (bm25).

        `fusion` says how `hybrid` joins the two others, `refining` what is done to the ranking before it is cut at k.

        Raises InputError for an empty query, k below 1 or an unknown mode.
        """
        if not query.strip():
            raise InputError("The question is empty; type one.")
        if k < 1:
            raise InputError(f"k is {k}; ask for at least 1 passage.")
        if mode not in MODES:
            raise InputError(f"There is no search mode {mode!r}; choose one of {', '.join(MODES)}.")
        start = time.perf_counter()
        (vector,) = self.embedder.encode([query], query=True)
        with self._lock, self.store.snapshot() as snapshot:  # in this order, so that the caches never go back
            ranked = self._rank(snapshot, query, vector, refining.depth(k), fusion if mode == "hybrid" else mode)
            chunks = snapshot.chunks(ranked.ids.tolist())
            vectors = self._vectors.of(ranked.ids)
        texts = [stored.chunk.text for stored in chunks]
        chosen = refine(query, texts, ranked.scores, vectors, k, refining)  # a slow reranker keeps nobody waiting
        return Found(hits_of(chunks, ranked, chosen), time.perf_counter() - start, chosen.read, chosen.seconds)

    def _rank(self, snapshot: Snapshot, query: str, vector: np.ndarray, k: int, how: str | Fusion) -> Ranked:
        self._vectors.follow(snapshot)
        ranker = Ranker(self._vectors, self._words)
        if how == "dense":
            return ranker.dense(vector, k)
        self._words.follow(snapshot)
        return ranker.hybrid(query, vector, k, how) if isinstance(how, Fusion) else ranker.bm25(query, vector, k)
