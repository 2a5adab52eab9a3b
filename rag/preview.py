"""How a document would be cut, before it is added: every chunk with its tokens and what it repeats."""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from .chunks import Chunk, split
from .documents import Document
from .units import BATCH, batches, count

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from .chunking import Chunking


@dataclass(frozen=True)
class Cut:
    """A chunk as it would be embedded. The first `repeated` characters of its text stand in the chunk before too.

    `tokens` are those of its text, `embedded` those of all that the embedder reads: heading and special tokens too.
    """

    chunk: Chunk
    page: int | None
    repeated: int
    tokens: int
    embedded: int


def preview(document: Document, tokenizer: "Tokenizer", limit: int, chunking: "Chunking") -> list[Cut]:
    """The chunks of a document in order, as `rag.chunks.split` makes them."""
    chunks = split(document, tokenizer, limit, chunking)
    special = tokenizer.num_special_tokens_to_add(False)
    tokens = [number for batch in batches(chunks, BATCH) for number in count(tokenizer, [c.text for c in batch])]
    embedded = [number for batch in batches(chunks, BATCH) for number in count(tokenizer, [c.embedded for c in batch])]
    repeated = [0, *(max(0, one.end - two.start) for one, two in pairwise(chunks))]
    return [
        Cut(chunk, document.page_at(chunk.start), again, own, all_ + special)
        for chunk, again, own, all_ in zip(chunks, repeated, tokens, embedded, strict=False)
    ]
