"""Search by words: BM25 over postings that follow the store, kept in parts so that a change costs what it changes."""

import contextlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import bm25s
import numpy as np
import Stemmer

from .postings import Postings, build, load, merge
from .snapshot import Snapshot

_K1, _B = 1.5, 0.75
_FORMAT = 1  # of the files, and of what is taken for a word: files of another one are not read


@dataclass(frozen=True)
class WordScores:
    """Scores of one query, float32 (n,), with the chunks of those ids, ascending int64 (n,)."""

    ids: np.ndarray
    scores: np.ndarray

    def best(self, k: int) -> tuple[list[int], list[float]]:
        """Ids of the k best chunks that share a word with the query, and their scores, best first."""
        found = np.flatnonzero(self.scores > 0)
        if len(found) > k:  # the k-th best and all that tie with it
            least = np.partition(self.scores[found], len(found) - k)[len(found) - k]
            found = found[self.scores[found] >= least]
        best = found[np.lexsort((self.ids[found], -self.scores[found]))][:k]
        return self.ids[best].tolist(), self.scores[best].tolist()

    def of(self, ids: np.ndarray) -> np.ndarray:
        """Scores of the given ids."""
        return self.scores[np.searchsorted(self.ids, ids)]


class WordCache:
    """BM25 (Lucene's variant, k1 1.5, b 0.75) with English stop words and stems. Not for two threads at once.

    Each file in `folder` holds the postings of a run of chunk ids of one store. Chunks never change and ids are never
    used again, so a file stays true for ever; what was removed from the store is masked, and dropped when parts merge.
    """

    def __init__(self, folder: Path, store: str) -> None:
        self.generation = -1
        self._folder = folder
        self._store = store
        self._parts: list[Postings] = []
        self._alive: list[np.ndarray] = []
        self._stemmer = Stemmer.Stemmer("english")

    def follow(self, snapshot: Snapshot) -> None:
        """Hold exactly the words that the snapshot holds."""
        if snapshot.generation == self.generation:
            return
        ids = snapshot.chunk_ids()
        if self.generation < 0:
            self._parts = self._read()
        held = self._held()
        new = np.setdiff1d(ids, held)
        if len(new) and len(held) and new[0] < held[-1]:  # a part was lost: ids must ascend from part to part
            self._parts, new = [], ids
        if len(new):
            self._parts.append(build(new, self._tokens(snapshot.texts(new))))
        self._alive = [np.isin(part.ids, ids, assume_unique=True) for part in self._parts]
        self._tidy()
        self._write()
        self.generation = snapshot.generation

    def scored(self, query: str) -> WordScores:
        """BM25 of the query with every chunk; zero where no word is shared."""
        (tokens,) = self._tokens([query])
        total = sum(int(live.sum()) for live in self._alive)
        length = sum(int(part.lengths[live].sum()) for part, live in zip(self._parts, self._alive, strict=True))
        scores = [np.zeros(len(part.ids), np.float32) for part in self._parts]
        for word, times in Counter(tokens).items():
            found = [part.of(word) for part in self._parts]
            chunks = sum(int(live[rows].sum()) for live, (rows, _) in zip(self._alive, found, strict=True))
            rarity = times * np.log(1 + (total - chunks + 0.5) / (chunks + 0.5))
            for part, score, (rows, counts) in zip(self._parts, scores, found, strict=True):
                damping = _K1 * (1 - _B + _B * part.lengths[rows] * (total / max(length, 1)))
                score[rows] += (rarity * (counts / (counts + damping))).astype(np.float32)
        masked = [score * live for score, live in zip(scores, self._alive, strict=True)]
        return WordScores(self._held(), np.concatenate([*masked, np.empty(0, np.float32)]))

    def _held(self) -> np.ndarray:
        return np.concatenate([*(part.ids for part in self._parts), np.empty(0, np.int64)])

    def _tidy(self) -> None:
        """Merge parts so that each is over twice the next, and drop the removed where they are half of a part."""
        for place in range(len(self._parts) - 1, -1, -1):
            following = self._parts[place + 1 : place + 2]
            last = place + 1 + bool(following and len(self._parts[place].ids) <= 2 * len(following[0].ids))
            if last == place + 1 and 2 * self._alive[place].sum() > len(self._alive[place]):
                continue
            whole = merge(self._parts[place:last], self._alive[place:last])
            self._parts[place:last] = [whole] if len(whole.ids) else []
            self._alive[place:last] = [np.ones(len(whole.ids), bool)] if len(whole.ids) else []

    def _path(self, part: Postings) -> Path:
        return self._folder / f"{self._prefix()}{part.ids[0]}-{part.ids[-1]}-{len(part.ids)}.npz"

    def _prefix(self) -> str:
        return f"words-{self._store[:12]}-{_FORMAT}-"

    def _read(self) -> list[Postings]:
        """Parts on disk that do not overlap, in order; of two that do, the one that was merged from more."""
        files = self._folder.glob(f"{self._prefix()}*.npz")
        parts = sorted(filter(None, map(load, files)), key=lambda part: int(part.ids[0] - part.ids[-1]))
        chosen: list[Postings] = []
        for part in parts:
            if all(part.ids[-1] < other.ids[0] or other.ids[-1] < part.ids[0] for other in chosen):
                chosen.append(part)
        return sorted(chosen, key=lambda part: int(part.ids[0]))

    def _write(self) -> None:
        """Save what is not on disk, then delete what it replaces."""
        paths = [self._path(part) for part in self._parts]
        with contextlib.suppress(OSError):  # a cache: a full disk or a read-only folder costs time, nothing else
            for path, part in zip(paths, self._parts, strict=True):
                if not path.exists():
                    part.save(path)
            for old in self._folder.glob("words-*.npz"):
                if old not in paths:
                    old.unlink(missing_ok=True)

    def _tokens(self, texts: list[str]) -> list[list[str]]:
        return list(bm25s.tokenize(texts, stopwords="en", stemmer=self._stemmer, return_ids=False, show_progress=False))
