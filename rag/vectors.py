"""Search by cosine over vectors that follow the store: exact up to a size, above it by FAISS's inverted file."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch  # noqa: F401  both bring an OpenMP runtime, and on macOS loading FAISS's first crashes

import faiss as untyped  # isort: skip

from . import arrayfile
from .cachefiles import VERSIONS
from .parts import PartCache
from .snapshot import Snapshot

faiss: Any = untyped  # its stubs lack half of what is used here

FLAT = 1 << 15
"""Chunks up to which a part is read whole. Above it the inverted file is faster: docs/benchmarks.md, "Search"."""

_PROBES = 100  # lists that are read: recall@10 of .97 at 100,000 and a million made-up chunks, whose clusters are small
_SAMPLE = 40  # vectors a list that train the centroids
_SCATTERED = 8  # vectors that are read in order in the time of copying one from its place
_SPARE = 4  # candidates for each result, since eight bits a number may put them in another order


@dataclass(frozen=True)
class Vectors:
    """Unit vectors of the chunks with these ids: float32 (n, dimension), ids ascending int64 (n,).

    `inverted` is FAISS's inverted file over the rows, serialised, with a byte for each number; empty up to `FLAT` rows.
    """

    ids: np.ndarray
    vectors: np.ndarray
    inverted: np.ndarray

    def save(self, path: Path, notes: dict[str, str]) -> None:
        """Write the file whole or not at all. Raises OSError where it cannot be written."""
        arrayfile.save(path, {"ids": self.ids, "vectors": self.vectors, "inverted": self.inverted}, notes)

    def nearest(self, query: np.ndarray, k: int, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the k nearest, in any order, and their exact cosines; `mask`, bool (n,), says which may be found."""
        rows = np.arange(len(self.ids)) if mask is None else np.flatnonzero(mask)
        if self._index is not None and len(rows) > FLAT:
            found = self._candidates(query, k, mask)
            if len(found) >= k:
                rows = found
        few = _SCATTERED * len(rows) < len(self.ids)
        cosines = self.vectors[rows] @ query if few else (self.vectors @ query)[rows]
        best = np.argpartition(-cosines, k - 1)[:k] if len(rows) > k else np.arange(len(rows))
        return rows[best], cosines[best]

    def _candidates(self, query: np.ndarray, k: int, mask: np.ndarray | None) -> np.ndarray:
        bits = None if mask is None else np.packbits(mask, bitorder="little")
        how = faiss.SearchParametersIVF(
            nprobe=min(_PROBES, self._index.nlist),
            **({} if bits is None else {"sel": faiss.IDSelectorBitmap(bits)}),
        )
        _, rows = self._index.search(query[None], _SPARE * k, params=how)
        return np.sort(rows[0][rows[0] >= 0])

    @cached_property
    def _index(self) -> Any:
        """The inverted file as a view of the file's pages, or None."""
        if not len(self.inverted):
            return None
        return faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(self.inverted), self.inverted.nbytes))


class VectorCache(PartCache[Vectors]):
    """Unit vectors of one store by chunk id. Not for two threads at once."""

    def __init__(self, folder: Path, store: str, dimension: int) -> None:
        super().__init__(folder, "vectors", VERSIONS["vectors"], store)
        self._dimension = dimension

    @property
    def size(self) -> int:
        """Vectors held."""
        return sum(len(part.ids) for part in self.parts)

    def search(self, query: np.ndarray, k: int, only: np.ndarray | None = None) -> tuple[list[int], list[float]]:
        """Ids of the k nearest and their cosines, best first, ties to lower ids; fewer where fewer are held.

        `only`, ascending int64, are the ids that may be found; all where it is None.
        """
        ids, cosines = np.empty(0, np.int64), np.empty(0, np.float32)
        for part, mask in zip(self.parts, self.masks(only), strict=True):
            rows, near = part.nearest(query, k, mask)
            ids, cosines = np.concatenate([ids, part.ids[rows]]), np.concatenate([cosines, near])
        best = np.lexsort((ids, -cosines))[:k]
        return ids[best].tolist(), cosines[best].tolist()

    def cosines(self, query: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Cosines of the query with the given ids, float32 (len(ids),)."""
        return np.asarray(self.of(ids) @ query)

    def of(self, ids: np.ndarray) -> np.ndarray:
        """Vectors of the given ids, float32 (len(ids), dimension)."""
        vectors = np.empty((len(ids), self._dimension), np.float32)
        for part, (places, rows) in zip(self.parts, self.places(ids), strict=True):
            vectors[places] = part.vectors[rows]
        return vectors

    def _build(self, snapshot: Snapshot, ids: np.ndarray) -> Vectors:
        return _made(ids, snapshot.vectors(ids, self._dimension))

    def _merge(self, parts: Sequence[Vectors], alive: Sequence[np.ndarray]) -> Vectors:
        pairs = list(zip(parts, alive, strict=True))
        return _made(
            np.concatenate([part.ids[live] for part, live in pairs]),
            np.concatenate([part.vectors[live] for part, live in pairs]),
        )

    def _load(self, path: Path, notes: dict[str, str]) -> Vectors | None:
        arrays = arrayfile.load(path, notes)
        if arrays is None or arrays["vectors"].shape[1] != self._dimension:  # those of another embedder
            return None
        return Vectors(arrays["ids"], arrays["vectors"], arrays["inverted"])


def _made(ids: np.ndarray, vectors: np.ndarray) -> Vectors:
    inverted = _inverted(vectors) if len(ids) > FLAT else np.empty(0, np.uint8)
    return Vectors(ids, vectors, inverted)


def _inverted(vectors: np.ndarray) -> np.ndarray:
    """An inverted file over the rows (Jégou, Douze and Schmid, TPAMI 2011), serialised, uint8."""
    rows, dimension = vectors.shape
    lists = int(2 * rows**0.5)
    coarse = faiss.IndexFlatIP(dimension)
    index = faiss.IndexIVFScalarQuantizer(
        coarse, dimension, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    index.cp.niter = 8
    index.train(vectors[np.random.default_rng(0).permutation(rows)[: _SAMPLE * lists]])
    index.add(vectors)
    return np.asarray(faiss.serialize_index(index))
