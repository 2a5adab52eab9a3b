"""How documents are cut: the size of a chunk and what it repeats of the one before."""

import re
from dataclasses import dataclass
from typing import Self

from .errors import InputError

SIZE = 200
"""Tokens that a chunk aims at; the rest of the default embedder's 256 is room for the heading path."""
LEAST = 16
"""Tokens of the smallest size that is taken: smaller ones tear sentences apart."""

_IDENTITY = re.compile(r"size (\d+)(?: overlap (\d+))?( even ends)?")


@dataclass(frozen=True)
class Chunking:
    """Tokens, as the embedder counts them, that a chunk aims at, and how many of them it may repeat.

    A chunk begins with the last whole sentences of the chunk before under the same heading, as many as `overlap`
    tokens hold; they count towards its `size`. `even`: the end of a paragraph under half a chunk is evened out with the
    chunk before; indexes that were made before this was done go on without. Raises InputError where they are no sizes.
    """

    size: int = SIZE
    overlap: int = 0
    even: bool = True

    def __post_init__(self) -> None:
        if self.size < LEAST:
            raise InputError(f"A chunk size of {self.size} tears sentences apart; give at least {LEAST} tokens.")
        if not 0 <= 2 * self.overlap < self.size:
            raise InputError(
                f"An overlap of {self.overlap} does not fit chunks of {self.size} tokens; "
                f"give 0 to {(self.size - 1) // 2}, less than half of the size."
            )

    def within(self, limit: int) -> Self:
        """Itself. Raises InputError where an embedder that reads `limit` tokens could not read a chunk of this size."""
        if self.size > limit:
            raise InputError(
                f"A chunk size of {self.size} is more than the {limit} tokens that the embedder reads; "
                f"give {LEAST} to {limit}."
            )
        return self

    @property
    def identity(self) -> str:
        """What an index notes: its chunks were cut alike where this is equal."""
        parts = [f"size {self.size}", self.overlap and f"overlap {self.overlap}", self.even and "even ends"]
        return " ".join(str(part) for part in parts if part)

    @classmethod
    def of(cls, identity: str) -> Self:
        """What an index noted. Raises InputError where this program cannot cut so."""
        found = _IDENTITY.fullmatch(identity)
        if found is None:
            raise InputError(f"The index was cut in a way that is not known here ({identity!r}); make a new index.")
        return cls(int(found.group(1)), int(found.group(2) or 0), bool(found.group(3)))


CHUNKING = Chunking()
