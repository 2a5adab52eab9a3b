"""What a search finds."""

from collections.abc import Sequence
from dataclasses import dataclass

from .ranking import Ranked
from .refining import Selection
from .snapshot import StoredChunk


@dataclass(frozen=True)
class Hit:
    """A passage that was found.

    `score` is what the mode ranks by (cosine, BM25 or both fused); `cosine` is always the cosine of query and passage.
    `start` and `end` are offsets into the document's text, `chunk` is the chunk's id, `page` None without pages.
    """

    document: str
    chunk: int
    text: str
    score: float
    cosine: float
    page: int | None
    start: int
    end: int
    heading: str
    bm25: float | None = None
    """BM25 of query and passage; None where the mode does without words."""
    fused: float | None = None
    """Both in one; None where the mode is not hybrid."""
    rerank: float | None = None
    """What the reranker gave; None where it did not read the passage."""
    same: tuple[str, ...] = ()
    """Documents whose passages say the same and were merged into this one, best first, each once."""


@dataclass(frozen=True)
class Found:
    """What a search found, best first, and what that took: seconds in all, and for the reranker to read `read` hits."""

    hits: list[Hit]
    seconds: float
    read: int = 0
    rerank_seconds: float = 0.0


def hits_of(chunks: Sequence[StoredChunk], ranked: Ranked, selection: Selection) -> list[Hit]:
    """The chunks, in the order of their ranking, to the hits that were selected from them."""
    hits = []
    for one in selection.passages:
        stored, place = chunks[one.place], one.place
        hits.append(
            Hit(
                document=stored.document,
                chunk=stored.id,
                text=stored.chunk.text,
                score=float(ranked.scores[place]),
                cosine=float(ranked.cosines[place]),
                page=stored.page,
                start=stored.chunk.start,
                end=stored.chunk.end,
                heading=stored.chunk.heading,
                bm25=ranked.bm25_of(place),
                fused=ranked.fused_of(place),
                rerank=one.rerank,
                same=tuple(dict.fromkeys(chunks[other].document for other in one.same)),
            )
        )
    return hits
