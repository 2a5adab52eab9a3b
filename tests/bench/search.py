"""Search over 10,000 to 1,000,000 chunks: its latency by mode, what the inverted file misses, and what adding costs.

The chunks are made up: vectors of 384 numbers in clusters as those of texts are, texts of Zipf's words without the
commonest, which are stop words. A question has eight words drawn alike. Embedding a question and reading the hits from
the store are not in the times; ranking by both caches is, on as many threads as the machine has cores.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rag import vectors
from rag.fusion import Fusion
from rag.ranking import Ranker
from rag.vectors import VectorCache
from rag.words import WordCache

SIZES = (10_000, 100_000, 1_000_000)
MORE = 10_000
QUERIES = 100
_BLOCK = 10_000
_DIMENSION = 384
_CLUSTERS = 5_000
_NOISE = 0.9  # length of what sets a vector apart from its cluster's centre, whose length is 1
_VOCABULARY, _STOP_WORDS, _LENGTH = 200_000, 30, 90


class Made:
    """Stands for a store's snapshot of the chunks 1 to `size`; each block of them is made anew from its number."""

    def __init__(self, size: int) -> None:
        self.size = self.generation = size
        self._centres = unit(np.random.default_rng(1), _CLUSTERS)
        chances = 1 / (_STOP_WORDS + np.arange(1.0, _VOCABULARY + 1))
        self._chances = np.cumsum(chances / chances.sum())
        self._words = np.array([f"w{number}x" for number in range(_VOCABULARY)], object)

    def chunk_ids(self) -> np.ndarray:
        return np.arange(1, self.size + 1)

    def vectors(self, ids: np.ndarray, dimension: int) -> np.ndarray:
        assert dimension == _DIMENSION
        return np.concatenate([self._block(first)[low:high] for first, low, high in blocks(ids)])

    def texts(self, ids: np.ndarray) -> list[str]:
        texts: list[str] = []
        for first, low, high in blocks(ids):
            words = self.words(np.random.default_rng([2, first]), _BLOCK * _LENGTH).reshape(_BLOCK, _LENGTH)
            texts += [" ".join(row) for row in words[low:high].tolist()]
        return texts

    def words(self, random: np.random.Generator, number: int) -> np.ndarray:
        return self._words[np.searchsorted(self._chances, random.random(number))]

    def near(self, random: np.random.Generator, number: int) -> np.ndarray:
        """Unit vectors of clusters drawn at random, float32 (number, dimension)."""
        mixed = self._centres[random.integers(_CLUSTERS, size=number)] + _NOISE * unit(random, number)
        return np.asarray(mixed / np.linalg.norm(mixed, axis=1, keepdims=True), np.float32)

    def _block(self, first: int) -> np.ndarray:
        return self.near(np.random.default_rng([3, first]), _BLOCK)


def unit(random: np.random.Generator, number: int) -> np.ndarray:
    drawn = random.standard_normal((number, _DIMENSION), np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def blocks(ids: np.ndarray) -> list[tuple[int, int, int]]:
    """Number of each block that ids, one after another, lie in, and from where to where."""
    start, end = int(ids[0]) - 1, int(ids[-1])
    return [
        (number, max(start - number * _BLOCK, 0), min(end - number * _BLOCK, _BLOCK))
        for number in range(start // _BLOCK, (end - 1) // _BLOCK + 1)
    ]


def measure(rounds: int, sizes: tuple[int, ...] = SIZES) -> dict[str, Any]:
    """Milliseconds at the median and at the 95th of 100 searches of each kind, recall@10, and seconds of adding."""
    found: dict[str, Any] = {}
    adding: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        caches = VectorCache(Path(folder), "b" * 32, _DIMENSION), WordCache(Path(folder), "b" * 32)
        for size in sizes:
            building = follow(caches, size)
            found[f"{size} chunks"] = {"building_seconds": building, **searched(Ranker(*caches), size, rounds)}
            if size in (sizes[0], sizes[-1]):
                adding[size] = follow(caches, size + MORE)
        held = sum(path.stat().st_size for path in Path(folder).iterdir())
    largest = found[f"{sizes[-1]} chunks"]
    return {
        "ratios": {
            f"adding {MORE} to {sizes[-1]} / to {sizes[0]}": adding[sizes[-1]] / adding[sizes[0]],
            f"dense, exact / as it is, {sizes[-1]}": largest["exact_dense"]["p95"] / largest["dense"]["p95"],
        },
        "milliseconds": found,
        "adding_seconds": {str(size): seconds for size, seconds in adding.items()},
        "gigabytes_on_disk": held / 1e9,
        "rounds": rounds,
    }


def follow(caches: tuple[VectorCache, WordCache], size: int) -> float:
    """Seconds until both caches hold so many chunks, without the time of making these up."""
    made, spent = Made(size), [0.0]

    def apart(make: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            start = time.perf_counter()
            result = make(*arguments)
            spent[0] += time.perf_counter() - start
            return result

        return timed

    made.vectors, made.texts = apart(made.vectors), apart(made.texts)  # type: ignore[method-assign]
    start = time.perf_counter()
    for cache in caches:
        cache.follow(made)  # type: ignore[arg-type]
    return time.perf_counter() - start - spent[0]


def searched(ranker: Ranker, size: int, rounds: int) -> dict[str, Any]:
    """Latencies of each mode, of an exact dense search, and the recall@10 of the usual one against it."""
    made, random = Made(size), np.random.default_rng(4)
    near = made.near(random, QUERIES)
    questions = [" ".join(made.words(random, 8)) for _ in range(QUERIES)]
    ways: dict[str, Callable[[int], Any]] = {
        "dense": lambda row: ranker.dense(near[row], 10),
        "bm25": lambda row: ranker.bm25(questions[row], near[row], 10),
        "hybrid": lambda row: ranker.hybrid(questions[row], near[row], 10, Fusion()),
        "exact_dense": lambda row: exact(ranker, near[row]),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            for row in range(QUERIES if name != "exact_dense" or number < 2 else 0):
                start = time.perf_counter()
                way(row)
                if number:
                    taken[name].append(1000 * (time.perf_counter() - start))
    same = [set(ranker.dense(one, 10).ids.tolist()) & set(exact(ranker, one).ids.tolist()) for one in near]
    cuts = {name: statistics.quantiles(values, n=20) for name, values in taken.items()}
    figures = {name: {"p50": cut[9], "p95": cut[18]} for name, cut in cuts.items()}
    return {**figures, "recall@10": sum(map(len, same)) / (10 * QUERIES)}


def exact(ranker: Ranker, vector: np.ndarray) -> Any:
    """The ten nearest by reading all vectors."""
    flat, vectors.FLAT = vectors.FLAT, 1 << 62
    try:
        return ranker.dense(vector, 10)
    finally:
        vectors.FLAT = flat
