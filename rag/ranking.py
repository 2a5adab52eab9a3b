"""A question to ranked chunks: by meaning, by words, or by both."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from .fusion import Fusion, convex_fusion, reciprocal_rank_fusion
from .vectors import FLAT, VectorCache
from .words import WordCache

MODES = ("dense", "bm25", "hybrid")
MODE = "hybrid"
FUSION = Fusion()
_DEPTH = 200  # candidates of each kind that the fusion sees, at least


@dataclass(frozen=True)
class Ranked:
    """Chunks, best first. `words` and `fused` are None where the mode does without them.

    `ids` are int64 (n,); `scores`, what the mode ranks by, `cosines`, `words` (BM25) and `fused` float (n,).
    """

    ids: np.ndarray
    scores: np.ndarray
    cosines: np.ndarray
    words: np.ndarray | None = None
    fused: np.ndarray | None = None

    def bm25_of(self, place: int) -> float | None:
        """BM25 of the chunk at a place, where it is known."""
        return None if self.words is None else float(self.words[place])

    def fused_of(self, place: int) -> float | None:
        """The fused score of the chunk at a place, where the mode fuses."""
        return None if self.fused is None else float(self.fused[place])


@dataclass(frozen=True)
class Ranker:
    """Caches that follow one snapshot, and which ids they may find: ascending int64, None for all."""

    vectors: VectorCache
    words: WordCache
    only: np.ndarray | None = None

    def dense(self, vector: np.ndarray, k: int) -> Ranked:
        """The k nearest to the question's vector."""
        ids, cosines = map(np.array, self.vectors.search(vector, k, self.only))
        return Ranked(ids.astype(np.int64), cosines, cosines)

    def bm25(self, question: str, vector: np.ndarray, k: int) -> Ranked:
        """The k best by the question's words; fewer where fewer share one."""
        ids, scores = map(np.array, self.words.scored(question).best(k, self.only))
        return Ranked(ids.astype(np.int64), scores, self.vectors.cosines(vector, ids.astype(np.int64)), scores)

    def hybrid(self, question: str, vector: np.ndarray, k: int, fusion: Fusion) -> Ranked:
        """The k best by both, among the best of either."""
        depth = max(2 * k, _DEPTH)
        words = self.words.scored(question)
        near, alike = _both(
            lambda: self.vectors.search(vector, depth, self.only)[0],
            lambda: words.best(depth, self.only)[0],
            at_once=self.vectors.size > FLAT,
        )
        if fusion.kind == "ranks":
            ids, fused = map(np.array, reciprocal_rank_fusion([near, alike], k))
            ids = ids.astype(np.int64)
            return Ranked(ids, fused, self.vectors.cosines(vector, ids), words.of(ids), fused)
        ids = np.union1d(near, alike).astype(np.int64)
        cosines, scores = self.vectors.cosines(vector, ids), words.of(ids)
        fused = convex_fusion(cosines, scores, fusion.weight)
        best = np.lexsort((ids, -fused))[:k]
        return Ranked(ids[best], fused[best], cosines[best], scores[best], fused[best])


def _both(
    first: Callable[[], list[int]], second: Callable[[], list[int]], at_once: bool
) -> tuple[list[int], list[int]]:
    """What both return. At once, they take the longer of their times instead of the sum, and that of starting a thread,
    which is the longest of all where the caches are small."""
    if not at_once:
        return first(), second()
    with ThreadPoolExecutor(1) as beside:
        waiting = beside.submit(first)
        found = second()
        return waiting.result(), found
