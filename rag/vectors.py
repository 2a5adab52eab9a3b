"""Exact search by cosine: a flat FAISS index that follows the store, kept on disk as a cache."""

import contextlib
import os
from pathlib import Path

import numpy as np
import torch  # noqa: F401  both bring an OpenMP runtime, and on macOS loading FAISS's first crashes

import faiss  # isort: skip

from .snapshot import Snapshot


class VectorCache:
    """Unit vectors of one store by chunk id.

    The file's name carries the store's identity and generation. A file of an older generation is brought up to date
    by comparing ids, since chunks never change and ids are never used again. Not for two threads at once.
    """

    def __init__(self, folder: Path, store: str, dimension: int) -> None:
        self._folder = folder
        self._store = store
        self._dimension = dimension
        self._index = self._empty()
        self.generation = -1

    def follow(self, snapshot: Snapshot) -> None:
        """Hold exactly the vectors that the snapshot holds."""
        if snapshot.generation == self.generation:
            return
        if self.generation < 0:
            self._index = self._read(snapshot.generation)
        ids = snapshot.chunk_ids()
        held = faiss.vector_to_array(self._index.id_map)
        gone, new = np.setdiff1d(held, ids), np.setdiff1d(ids, held)
        if len(gone):
            self._index.remove_ids(faiss.IDSelectorBatch(gone))
        if len(new):
            self._index.add_with_ids(snapshot.vectors(new, self._dimension), new)
        self.generation = snapshot.generation
        if not self._path(snapshot.generation).exists():
            self._write()

    def search(self, query: np.ndarray, k: int) -> tuple[list[int], list[float]]:
        """Ids of the k nearest and their cosines, best first; fewer where fewer are held."""
        k = min(k, self._index.ntotal)
        if k == 0:
            return [], []
        cosines, ids = self._index.search(query[None], k)
        return ids[0].tolist(), cosines[0].tolist()

    def cosines(self, query: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Cosines of the query with the given ids, float32 (len(ids),)."""
        if len(ids) == 0:
            return np.empty(0, np.float32)
        return np.asarray(self._index.reconstruct_batch(ids) @ query)

    def _empty(self) -> faiss.IndexIDMap2:
        return faiss.IndexIDMap2(faiss.IndexFlatIP(self._dimension))

    def _path(self, generation: int) -> Path:
        return self._folder / f"vectors-{self._store[:12]}-{generation}.faiss"

    def _read(self, generation: int) -> faiss.IndexIDMap2:
        path = self._path(generation)
        if path.exists():
            with contextlib.suppress(RuntimeError):  # damaged from outside: the store still has every vector
                index = faiss.read_index(str(path))
                if isinstance(index, faiss.IndexIDMap2) and index.d == self._dimension:
                    return index
        return self._empty()

    def _write(self) -> None:
        path = self._path(self.generation)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                file.write(faiss.serialize_index(self._index).data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)  # a cache: a full disk or a read-only folder costs time, nothing else
            return
        for old in self._folder.glob("vectors-*.faiss"):
            if old != path:
                old.unlink(missing_ok=True)
