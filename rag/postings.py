"""An inverted list: which of some chunks hold a word, and how often. Never changed once built, so files can hold it."""

import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Postings:
    """Words of n chunks. Those of word number w are rows[starts[w]:starts[w + 1]], ascending, with their counts.

    `ids` are the chunks', ascending int64 (n,); `lengths` their tokens, int32 (n,). `words` maps a word to its number.
    """

    ids: np.ndarray
    lengths: np.ndarray
    words: dict[str, int]
    starts: np.ndarray
    rows: np.ndarray
    counts: np.ndarray

    def of(self, word: str) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the chunks that hold a word, int32, and how often each does, uint16; empty for an unknown one."""
        number = self.words.get(word)
        first, last = (0, 0) if number is None else self.starts[number : number + 2]
        return self.rows[first:last], self.counts[first:last]

    def save(self, path: Path) -> None:
        """Write the file whole or not at all. Raises OSError where it cannot be written."""
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        words = np.frombuffer("\n".join(self.words).encode(), np.uint8)
        try:
            with temporary.open("wb") as file:
                np.savez(
                    file,
                    words=words,
                    ids=self.ids,
                    lengths=self.lengths,
                    starts=self.starts,
                    rows=self.rows,
                    counts=self.counts,
                )
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def load(path: Path) -> Postings | None:
    """What `save` wrote, or None where the file is gone or damaged; every byte is covered by a checksum."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            words = held["words"].tobytes().decode()
            arrays = [held[name] for name in ("ids", "lengths", "starts", "rows", "counts")]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    ids, lengths, starts, rows, counts = arrays
    numbers = {word: number for number, word in enumerate(words.split("\n") if words else [])}
    return Postings(ids, lengths, numbers, starts, rows, counts)


def build(ids: np.ndarray, tokens: Sequence[Sequence[str]]) -> Postings:
    """Postings of the chunks with those ids and tokens. No token holds a line break."""
    words: dict[str, int] = {}
    terms = np.array([words.setdefault(token, len(words)) for chunk in tokens for token in chunk], np.int64)
    lengths = np.array([len(chunk) for chunk in tokens], np.int32)
    rows = np.repeat(np.arange(len(tokens)), lengths)
    pairs, counts = np.unique(terms * max(len(tokens), 1) + rows, return_counts=True)
    terms, rows = np.divmod(pairs, max(len(tokens), 1))
    return _of_pairs(ids, lengths, words, terms, rows, np.minimum(counts, 65535))


def merge(parts: Sequence[Postings], alive: Sequence[np.ndarray]) -> Postings:
    """One of several whose ids follow one another, without the rows that are not `alive`, bool (n,) each."""
    words: dict[str, int] = {}
    terms, rows, counts, before = [], [], [], 0
    for part, live in zip(parts, alive, strict=True):
        numbers = np.array([words.setdefault(word, len(words)) for word in part.words], np.int64)
        kept = live[part.rows]
        terms.append(np.repeat(numbers, np.diff(part.starts))[kept])
        rows.append((before + np.cumsum(live) - 1)[part.rows[kept]])
        counts.append(part.counts[kept])
        before += int(live.sum())
    term, row = np.concatenate(terms), np.concatenate(rows)
    order = np.lexsort((row, term))
    ids = np.concatenate([part.ids[live] for part, live in zip(parts, alive, strict=True)])
    lengths = np.concatenate([part.lengths[live] for part, live in zip(parts, alive, strict=True)])
    return _of_pairs(ids, lengths, words, term[order], row[order], np.concatenate(counts)[order])


def _of_pairs(
    ids: np.ndarray, lengths: np.ndarray, words: dict[str, int], terms: np.ndarray, rows: np.ndarray, counts: np.ndarray
) -> Postings:
    starts = np.concatenate([[0], np.cumsum(np.bincount(terms, minlength=len(words)))]).astype(np.int64)
    return Postings(ids, lengths, words, starts, rows.astype(np.int32), counts.astype(np.uint16))
