"""An inverted list: which of some chunks hold a word, and how often. Never changed once built, so files can hold it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from .arrayfile import load as load_arrays
from .arrayfile import save as save_arrays

_ARRAYS = ("ids", "lengths", "starts", "rows", "counts", "text", "ends")


@dataclass(frozen=True)
class Postings:
    """Words of n chunks. Those of word number w are rows[starts[w]:starts[w + 1]], ascending, with their counts.

    `ids` are the chunks', ascending int64 (n,); `lengths` their tokens, int32 (n,). `text` has the words in the order
    of their bytes, UTF-8 without anything between them; word number w ends before text[ends[w]].
    """

    ids: np.ndarray
    lengths: np.ndarray
    starts: np.ndarray
    rows: np.ndarray
    counts: np.ndarray
    text: np.ndarray
    ends: np.ndarray

    def of(self, word: str) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the chunks that hold a word, int32, and how often each does, uint16; empty for an unknown one."""
        wanted, low, high = word.encode(), 0, len(self.ends)
        while low < high:
            middle = (low + high) // 2
            if self._word(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        if low == len(self.ends) or self._word(low) != wanted:
            return self.rows[:0], self.counts[:0]
        first, last = self.starts[low : low + 2]
        return self.rows[first:last], self.counts[first:last]

    def words(self) -> list[bytes]:
        """All words in the order of their numbers."""
        whole, bounds = self.text.tobytes(), [0, *self.ends.tolist()]
        return [whole[low:high] for low, high in pairwise(bounds)]

    def save(self, path: Path, notes: dict[str, str]) -> None:
        """Write the file whole or not at all. Raises OSError where it cannot be written."""
        save_arrays(path, {name: getattr(self, name) for name in _ARRAYS}, notes)

    def _word(self, number: int) -> bytes:
        return self.text[self.ends[number - 1] if number else 0 : self.ends[number]].tobytes()


def load(path: Path, notes: dict[str, str]) -> Postings | None:
    """What `save` wrote, or None where the file is gone, damaged or has other notes."""
    arrays = load_arrays(path, notes)
    return None if arrays is None else Postings(*(arrays[name] for name in _ARRAYS))


def build(ids: np.ndarray, vocabulary: Sequence[str], tokens: Sequence[Sequence[int]]) -> Postings:
    """Postings of the chunks with those ids, whose tokens are numbers of words in the vocabulary."""
    lengths = np.array([len(chunk) for chunk in tokens], np.int32)
    terms = np.fromiter((token for chunk in tokens for token in chunk), np.int64, int(lengths.sum()))
    words = [word.encode() for word in vocabulary]
    order = sorted(set(terms.tolist()), key=words.__getitem__)
    numbers = np.zeros(len(words), np.int64)
    numbers[order] = np.arange(len(order))
    pairs, counts = np.unique(numbers[terms] * len(ids) + np.repeat(np.arange(len(ids)), lengths), return_counts=True)
    terms, rows = np.divmod(pairs, max(len(ids), 1))
    starts = np.searchsorted(terms, np.arange(len(order) + 1))
    return _made(ids, lengths, starts, rows, np.minimum(counts, 65535), [words[number] for number in order])


def merge(parts: Sequence[Postings], alive: Sequence[np.ndarray]) -> Postings:
    """One of several whose ids follow one another, without the rows that are not `alive`, bool (n,) each."""
    words = sorted({word for part in parts for word in part.words()})
    places = {word: number for number, word in enumerate(words)}
    pieces, sizes, before = [], np.zeros((len(parts), len(words)), np.int64), 0
    for number, (part, live) in enumerate(zip(parts, alive, strict=True)):
        kept = live[part.rows]
        terms = np.repeat(np.array([places[word] for word in part.words()], np.int64), np.diff(part.starts))[kept]
        rows = (before + np.cumsum(live) - 1)[part.rows[kept]].astype(np.int32)
        sizes[number] = np.bincount(terms, minlength=len(words))
        pieces.append((terms, rows, part.counts[kept]))
        before += int(live.sum())
    starts = np.concatenate([[0], np.cumsum(sizes.sum(0))])
    rows, counts = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.uint16)
    for number, (terms, some_rows, some_counts) in enumerate(pieces):
        # Within a part postings are in order already: each moves by as much as all of its word.
        shift = starts[:-1] + sizes[:number].sum(0) - np.concatenate([[0], np.cumsum(sizes[number])[:-1]])
        to = np.arange(len(terms)) + shift[terms]
        rows[to], counts[to] = some_rows, some_counts
    used = np.flatnonzero(np.diff(starts))
    return _made(
        np.concatenate([part.ids[live] for part, live in zip(parts, alive, strict=True)]),
        np.concatenate([part.lengths[live] for part, live in zip(parts, alive, strict=True)]),
        np.concatenate([[0], starts[1:][used]]),
        rows,
        counts,
        [words[number] for number in used],
    )


def _made(
    ids: np.ndarray, lengths: np.ndarray, starts: np.ndarray, rows: np.ndarray, counts: np.ndarray, words: list[bytes]
) -> Postings:
    ends = np.cumsum([len(word) for word in words], dtype=np.int64)
    text = np.frombuffer(b"".join(words), np.uint8)
    return Postings(ids, lengths, starts.astype(np.int64), rows.astype(np.int32), counts.astype(np.uint16), text, ends)
