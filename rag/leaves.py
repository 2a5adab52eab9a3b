"""A stored document as one looks at it: leaf by leaf, each with the chunks that stand on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .documents import Document
    from .snapshot import StoredChunk

LONGEST = 6_000
"""Characters of a leaf, unless one chunk is longer: a page of the browser holds some of them, never a whole book."""


@dataclass(frozen=True)
class Leaf:
    """Chunks of one page that follow one another. `first` is the number of the first one in its document, from 1."""

    number: int
    total: int
    page: int | None
    first: int
    chunks: "tuple[StoredChunk, ...]"


def leaves(chunks: "Sequence[StoredChunk]") -> list[Leaf]:
    """The leaves of a document, whose chunks are given in order."""
    groups: list[list[StoredChunk]] = []
    for chunk in chunks:
        group = groups[-1] if groups else []
        if not group or chunk.page != group[0].page or chunk.chunk.end - group[0].chunk.start > LONGEST:
            groups.append(group := [])
        group.append(chunk)
    found, first = [], 1
    for number, group in enumerate(groups, 1):
        found.append(Leaf(number, len(groups), group[0].page, first, tuple(group)))
        first += len(group)
    return found


def leaf_of(found: "Sequence[Leaf]", chunk: int) -> Leaf | None:
    """The leaf on which the chunk of that id stands."""
    return next((leaf for leaf in found if any(each.id == chunk for each in leaf.chunks)), None)


def headings_of(document: "Document", leaf: Leaf) -> tuple[str, ...]:
    """Titles of the headings that stand on a leaf."""
    start, end = leaf.chunks[0].chunk.start, leaf.chunks[-1].chunk.end
    return tuple(heading.title for heading in document.headings if start <= heading.start < end)
