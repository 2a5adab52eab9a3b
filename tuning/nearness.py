"""Which texts are nearly the same as which: by the share of word pairs that two of them have in common."""

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

NEAR = 0.8
"""Texts that share as much as this (Jaccard, of their word pairs) count as nearly the same."""

WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
"""A word; in scripts that do not part words, a character."""

BANDS, ROWS = 16, 4
"""Of a signature: texts at 0.8 agree in a band of 4 with a chance of 99.98 %, those at 0.4 of 34 %."""

LOOKED_AT = 8
"""Texts of a band that are compared: where more agree, they are nearly the same as these."""

COMMON_SHARE, COMMON_LEAST = 0.2, 20
"""Word pairs in more than this share of texts, and in so many, frame what differs, and do not count."""


@dataclass(frozen=True)
class Likeness:
    """A text, by its number, and how much of it is the same."""

    number: int
    share: float


def nearest(texts: Sequence[str], among: Sequence[str] | None = None) -> list[Likeness | None]:
    """For each text the most alike of `among`, or else of the texts before it; None where none is nearly the same."""
    pairs = [_pairs(text) for text in (*(among or ()), *texts)]
    pairs = _without_frame(pairs)
    first = len(among or ())
    searched: dict[bytes, list[int]] = defaultdict(list)
    found: list[Likeness | None] = []
    for number, own in enumerate(pairs):
        bands = _bands(own)
        if number >= first:
            candidates = {other for band in bands for other in searched[band]}
            best = max((Likeness(other, _alike(own, pairs[other])) for other in candidates), key=_order, default=None)
            found.append(best if best and best.share >= NEAR else None)
        if among is None or number < first:
            for band in bands:
                if len(searched[band]) < LOOKED_AT:
                    searched[band].append(number)
    return found


def _pairs(text: str) -> frozenset[int]:
    """Hashes of the pairs of neighbouring words; of the whole text where it has fewer than two."""
    words = [zlib.crc32(word.encode("utf-8", "replace")) for word in WORD.findall(text.casefold())]
    if len(words) < 2:
        return frozenset(words or [zlib.crc32(text.strip().encode("utf-8", "replace"))])
    return frozenset((one * 31 + two) % 4294967291 for one, two in pairwise(words))


def _without_frame(texts: Sequence[frozenset[int]]) -> list[frozenset[int]]:
    counts = Counter(pair for pairs in texts for pair in pairs)
    most = max(COMMON_LEAST, COMMON_SHARE * len(texts))
    frame = frozenset(pair for pair, count in counts.items() if count > most)
    return [pairs - frame or pairs for pairs in texts]


_FACTORS, _TERMS = np.random.default_rng(7).integers(1, 1 << 63, (2, BANDS * ROWS, 1), np.uint64) | np.uint64(1)


def _bands(pairs: frozenset[int]) -> list[bytes]:
    """The signature: least hashes under 64 hash functions, in bands. Texts with one in common may be alike."""
    values = np.fromiter(pairs, np.uint64, len(pairs))
    least = ((values * _FACTORS + _TERMS) >> np.uint64(32)).min(axis=1).astype(np.uint32)
    return [bytes([band]) + least[band * ROWS : (band + 1) * ROWS].tobytes() for band in range(BANDS)]


def _alike(one: frozenset[int], other: frozenset[int]) -> float:
    both = len(one & other)
    return both / (len(one) + len(other) - both)


def _order(likeness: Likeness) -> tuple[float, int]:
    return likeness.share, -likeness.number
