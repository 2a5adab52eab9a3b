"""Search by words: BM25 over the store's chunks, held in memory and rebuilt when the store has changed."""

import bm25s
import numpy as np
import Stemmer

from .snapshot import Snapshot


class WordCache:
    """BM25 (Lucene's variant, k1 1.5, b 0.75) with English stop words and stems. Not for two threads at once."""

    def __init__(self) -> None:
        self.generation = -1
        self._ids = np.empty(0, np.int64)
        self._scorer: bm25s.BM25 | None = None
        self._stemmer = Stemmer.Stemmer("english")

    def follow(self, snapshot: Snapshot) -> None:
        """Hold exactly the words that the snapshot holds."""
        if snapshot.generation == self.generation:
            return
        self._ids = snapshot.chunk_ids()
        tokens = self._tokens(snapshot.texts())
        self._scorer = None
        if any(tokens):
            self._scorer = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
            self._scorer.index(tokens, show_progress=False)
        self.generation = snapshot.generation

    def search(self, query: str, k: int) -> tuple[list[int], list[float]]:
        """Ids of the k best chunks that share a word with the query, and their scores, best first."""
        (tokens,) = self._tokens([query])
        known = [] if self._scorer is None else [token for token in tokens if token in self._scorer.vocab_dict]
        if self._scorer is None or not known:
            return [], []
        scores = self._scorer.get_scores(known)
        k = min(k, int(np.count_nonzero(scores > 0)))
        best = np.lexsort((self._ids, -scores))[:k]
        return self._ids[best].tolist(), scores[best].tolist()

    def _tokens(self, texts: list[str]) -> list[list[str]]:
        return list(bm25s.tokenize(texts, stopwords="en", stemmer=self._stemmer, return_ids=False, show_progress=False))
