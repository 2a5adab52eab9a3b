"""Search by words: BM25 over postings that follow the store, kept in parts so that a change costs what it changes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bm25s
import numpy as np
import Stemmer
from bm25s.stopwords import STOPWORDS_EN_PLUS

from . import postings
from .cachefiles import VERSIONS
from .maxscore import Term, best_rows, sums_of
from .parts import PartCache
from .postings import Postings
from .snapshot import Snapshot

_K1, _B = 1.5, 0.75
WORD = r"(?u)\b\w+\b"  # single letters and digits too: IL-2, type 2, vitamin D
STOP_WORDS = sorted({*STOPWORDS_EN_PLUS} - {*"dmoy"})
"""Joining words and what is left of "don't" and "it's"; the letters taken out are rather names of something."""
_TOGETHER = 8192  # chunks that are cut into words at once


class WordCache(PartCache[Postings]):
    """BM25 (Lucene's variant, k1 1.5, b 0.75) with English stop words and stems. Not for two threads at once."""

    def __init__(self, folder: Path, store: str) -> None:
        super().__init__(folder, "words", VERSIONS["words"], store)
        self._stemmer = Stemmer.Stemmer("english")
        self._damping: list[np.ndarray] = []
        self._total = 0

    def follow(self, snapshot: Snapshot) -> None:
        """Hold exactly the words that the snapshot holds."""
        if snapshot.generation == self.generation:
            return
        super().follow(snapshot)
        pairs = list(zip(self.parts, self.alive, strict=True))
        self._total = sum(int(live.sum()) for _, live in pairs)
        tokens = sum(int(part.lengths[live].sum()) for part, live in pairs)
        mean = max(tokens, 1) / max(self._total, 1)
        self._damping = [(_K1 * (1 - _B + _B * part.lengths / mean)).astype(np.float32) for part in self.parts]

    def scored(self, query: str) -> "WordScores":
        """BM25 of the query with the chunks, computed for those that are asked for."""
        (tokens,) = self._cut([query]).words()
        terms: list[list[Term]] = [[] for _ in self.parts]
        masks = self.masks(None)
        for word, times in Counter(tokens).items():
            found = [part.of(word) for part in self.parts]
            chunks = sum(
                len(rows) if mask is None else int(mask[rows].sum())
                for mask, (rows, _) in zip(masks, found, strict=True)
            )
            rarity = times * float(np.log(1 + (self._total - chunks + 0.5) / (chunks + 0.5)))
            for part, (rows, counts) in zip(terms, found, strict=True):
                part.append(Term(rarity, rows, counts))
        return WordScores(self, terms, self._damping)

    def _build(self, snapshot: Snapshot, ids: np.ndarray) -> Postings:
        pieces = []
        for first in range(0, len(ids), _TOGETHER):
            some = ids[first : first + _TOGETHER]
            cut = self._cut(snapshot.texts(some))
            pieces.append(postings.build(some, cut.vocabulary, cut.tokens))
        return (
            pieces[0] if len(pieces) == 1 else self._merge(pieces, [np.ones(len(piece.ids), bool) for piece in pieces])
        )

    def _merge(self, parts: Sequence[Postings], alive: Sequence[np.ndarray]) -> Postings:
        return postings.merge(parts, alive)

    def _load(self, path: Path, notes: dict[str, str]) -> Postings | None:
        return postings.load(path, notes)

    def _cut(self, texts: list[str]) -> "_Cut":
        options = {"token_pattern": WORD, "stopwords": STOP_WORDS, "show_progress": False}
        found = bm25s.tokenize(texts, stemmer=self._stemmer, **options)
        words = sorted(found.vocab, key=found.vocab.__getitem__)
        return _Cut(words, found.ids)


@dataclass(frozen=True)
class _Cut:
    """Texts as numbers of words in their common vocabulary."""

    vocabulary: list[str]
    tokens: list[list[int]]

    def words(self) -> list[list[str]]:
        return [[self.vocabulary[number] for number in text] for text in self.tokens]


@dataclass(frozen=True)
class WordScores:
    """Scores of one query; good until the cache follows another snapshot."""

    cache: WordCache
    terms: list[list[Term]]
    damping: list[np.ndarray]

    def best(self, k: int, only: np.ndarray | None = None) -> tuple[list[int], list[float]]:
        """Ids of the k best chunks that share a word with the query, and their scores, best first, ties to lower ids.

        `only`, ascending int64, are the ids that may be found; all where it is None.
        """
        ids, scores, floor = np.empty(0, np.int64), np.empty(0, np.float32), 0.0
        for part, terms, damping, mask in zip(
            self.cache.parts, self.terms, self.damping, self.cache.masks(only), strict=True
        ):
            rows, sums = best_rows(terms, damping, k, mask, floor)
            ids, scores = np.concatenate([ids, part.ids[rows]]), np.concatenate([scores, sums])
            best = np.lexsort((ids, -scores))[:k]
            ids, scores = ids[best], scores[best]
            floor = float(scores[-1]) if len(scores) == k else 0.0
        return ids.tolist(), scores.tolist()

    def of(self, ids: np.ndarray) -> np.ndarray:
        """Scores of the given ids, float32; zero where no word is shared."""
        scores = np.zeros(len(ids), np.float32)
        for (places, rows), terms, damping in zip(self.cache.places(ids), self.terms, self.damping, strict=True):
            scores[places] = sums_of(terms, damping, rows)
        return scores
