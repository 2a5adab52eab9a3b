"""A query to ranked passages: FAISS and BM25 as caches over the store, rebuilt whenever they do not match it."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from .adding import Adder, AddReport, Progress
from .chunking import Chunking
from .documents import Document
from .embedder import Embedder
from .errors import InputError
from .folders import Source
from .fusion import Fusion
from .hits import Found, Hit, hits_of
from .labels import Filter, Label, tags_of
from .library import STORE
from .ranking import FUSION, MODE, MODES, Ranked, Ranker
from .reembedding import Reembedding, ReembedReport
from .refining import REFINED, Refining, refine
from .snapshot import Edition, Snapshot, StoredDocument
from .store import Store
from .syncing import Sync, SyncReport
from .vectors import VectorCache
from .words import WordCache

__all__ = ["FUSION", "MODE", "MODES", "Hit", "Index"]

Load = Callable[[Edition], Embedder]
"""What finds the embedder of an edition. Raises InputError where it cannot."""


class Index:
    """The index in `folder`, made if absent. Any thread may use it, and so may other processes at the same time.

    `embedder` and `chunking` are those of a new or empty index. One that holds documents keeps its own: `load` finds
    its embedder where that is another one. Raises InputError where it is another one and there is no `load`, or if
    another chunking than its own is given.
    """

    def __init__(
        self, folder: Path, embedder: Embedder, chunking: Chunking | None = None, load: Load | None = None
    ) -> None:
        if chunking:
            chunking.within(embedder.limit)
        self.folder = folder
        self.store = Store(folder / STORE)
        self._embedder = embedder
        self._load = load
        self._others: dict[str, Embedder] = {}
        self._lock = threading.Lock()
        with self.store.snapshot() as snapshot:
            if load and not snapshot.empty and snapshot.edition.embedder != embedder.identity:
                self._embedder = load(snapshot.edition)
        self.store.adopt(self._embedder.identity, self._embedder.name, chunking)
        self._vectors = VectorCache(folder, self.store.uuid, self._embedder.dimension)
        self._words = WordCache(folder, self.store.uuid)

    @property
    def embedder(self) -> Embedder:
        """What the passages are embedded with. Raises InputError where it is not found since another took its place."""
        with self.store.snapshot() as snapshot:
            edition = snapshot.edition
        if self._embedder.identity != edition.embedder:
            with self._lock, self.store.snapshot() as snapshot:
                self._serve(snapshot.edition)
        return self._embedder

    def add(
        self,
        files: Iterable[Source],
        progress: Progress | None = None,
        found: Callable[[int], None] | None = None,
        tags: Sequence[str] = (),
    ) -> AddReport:
        """Hold files, each under its name and with these tags, in place of what the name stood for before.

        A bad file is reported and never stops the rest. `found` is told how many more files an archive amounts to.
        """
        return Adder(self.store, self.embedder, progress, found, tags_of(tags)).run(files)

    def sync(
        self,
        folder: Path,
        progress: Progress | None = None,
        found: Callable[[int], None] | None = None,
        allow_empty: bool = False,
    ) -> SyncReport:
        """Hold what is in the folder and below it, each file under its path, and nothing else from there.

        The folder is remembered. Raises InputError where it cannot be listed, and where nothing is left of all that
        the index holds from there, unless `allow_empty`.
        """
        run = Sync(self.store, folder, allow_empty)
        if found:
            found(len(run.folder.files))
        return run.run(Adder(self.store, self.embedder, progress, found), progress, found)

    def folders(self) -> list[str]:
        """The folders that are synced, in order."""
        with self.store.snapshot() as snapshot:
            return snapshot.folders()

    def tag(self, name: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> bool:
        """Put tags on a document and take tags off it; False where that changes nothing. Raises InputError."""
        if self.store.content_of(name) is None:
            raise InputError(f"The index holds no document {name!r}; `python -m rag list` prints those that it holds.")
        return self.store.label(name, Label(tags=tags_of(add)), tags_of(remove))

    def reembed(
        self,
        embedder: Embedder | None = None,
        chunking: Chunking | None = None,
        progress: Progress | None = None,
        found: Callable[[int], None] | None = None,
    ) -> ReembedReport:
        """Cut and embed anew what is held, with what is given in place of its own; searches go on meanwhile.

        Raises InputError where the chunks are larger than the embedder reads, or another run does the same.
        """
        wanted = embedder or self.embedder
        if chunking:
            chunking.within(wanted.limit)
        self._others[wanted.identity] = wanted
        return Reembedding(self.store, wanted, chunking or self.chunking, progress, found).run()

    def remove(self, name: str) -> None:
        """Drop a document: no later search finds it. Raises InputError if there is none of that name."""
        if not self.store.remove(name):
            raise InputError(f"The index holds no document {name!r}; `python -m rag list` prints those that it holds.")

    def documents(self, where: Filter | None = None) -> list[StoredDocument]:
        """All documents in the order of their names, or those that a filter lets through."""
        with self.store.snapshot() as snapshot:
            return snapshot.documents(where)

    def document(self, name: str) -> Document:
        """The text of a document. Raises InputError if there is none of that name."""
        with self.store.snapshot() as snapshot:
            return snapshot.document(name)

    @property
    def chunking(self) -> Chunking:
        """How the documents are cut."""
        with self.store.snapshot() as snapshot:
            return Chunking.of(snapshot.edition.chunking)

    @property
    def generation(self) -> int:
        """Number of changes of the passages so far."""
        with self.store.snapshot() as snapshot:
            return snapshot.generation

    @property
    def changes(self) -> int:
        """Number of changes so far, those of tags and days too."""
        with self.store.snapshot() as snapshot:
            return snapshot.changes

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
        self,
        query: str,
        k: int = 5,
        mode: str = MODE,
        fusion: Fusion = FUSION,
        refining: Refining = REFINED,
        where: Filter | None = None,
    ) -> list[Hit]:
        """The hits of `find`."""
        return self.find(query, k, mode, fusion, refining, where).hits

    def find(
        self,
        query: str,
        k: int = 5,
        mode: str = MODE,
        fusion: Fusion = FUSION,
        refining: Refining = REFINED,
        where: Filter | None = None,
    ) -> Found:
        """The k best passages for a query, best first; fewer where the index holds fewer or no word matches (bm25).

        `fusion` says how `hybrid` joins the two others, `refining` what is done to the ranking before it is cut at k,
        `where` in which documents to look.

        Raises InputError for an empty query, k below 1 or an unknown mode.
        """
        if not query.strip():
            raise InputError("The question is empty; type one.")
        if k < 1:
            raise InputError(f"k is {k}; ask for at least 1 passage.")
        if mode not in MODES:
            raise InputError(f"There is no search mode {mode!r}; choose one of {', '.join(MODES)}.")
        start = time.perf_counter()
        how = fusion if mode == "hybrid" else mode
        while True:
            embedder = self._embedder
            (vector,) = embedder.encode([query], query=True)
            with self._lock, self.store.snapshot() as snapshot:  # in this order, so that the caches never go back
                self._serve(snapshot.edition)
                if self._embedder is not embedder:  # another edition serves: its vectors are others
                    continue
                only = snapshot.chunk_ids(where) if where else None
                ranked = self._rank(snapshot, query, vector, refining.depth(k), how, only)
                chunks = snapshot.chunks(ranked.ids.tolist(), where)
                vectors = self._vectors.of(ranked.ids)
                break
        texts = [stored.chunk.text for stored in chunks]
        chosen = refine(query, texts, ranked.scores, vectors, k, refining)  # a slow reranker keeps nobody waiting
        return Found(hits_of(chunks, ranked, chosen), time.perf_counter() - start, chosen.read, chosen.seconds)

    def _rank(
        self,
        snapshot: Snapshot,
        query: str,
        vector: np.ndarray,
        k: int,
        how: str | Fusion,
        only: np.ndarray | None,
    ) -> Ranked:
        self._vectors.follow(snapshot)
        ranker = Ranker(self._vectors, self._words, only)
        if how == "dense":
            return ranker.dense(vector, k)
        self._words.follow(snapshot)
        return ranker.hybrid(query, vector, k, how) if isinstance(how, Fusion) else ranker.bm25(query, vector, k)

    def _serve(self, edition: Edition) -> None:
        """Have the embedder of the edition, and a cache of its vectors."""
        if self._embedder.identity != edition.embedder:
            self._embedder = self._embedder_of(edition)
            self._vectors = VectorCache(self.folder, self.store.uuid, self._embedder.dimension)

    def _embedder_of(self, edition: Edition) -> Embedder:
        """The embedder of an edition that serves since this index was opened. Raises InputError."""
        if edition.embedder in self._others:
            return self._others[edition.embedder]
        if self._load is None:
            raise InputError(
                f"The index {self.folder.name!r} was re-embedded with {edition.embedder} meanwhile; open it anew."
            )
        return self._load(edition)
