"""An index by what its store says of itself, for which no embedder is needed."""

import os
from dataclasses import dataclass

from .cachefiles import lacking
from .store import Store


@dataclass(frozen=True)
class Filling:
    """What a re-embedding that goes on, or was cut short, is to end in, and how many `documents` it has done."""

    embedder: str
    chunking: str
    documents: int


@dataclass(frozen=True)
class Summary:
    """An index by what its store says of itself. `bytes` are those of the store and its caches on disk."""

    name: str
    documents: int
    chunks: int
    bytes: int
    embedder: str
    chunking: str
    tags: dict[str, int]
    """Number of documents with each tag."""
    folders: list[str]
    """Those that are synced."""
    filling: Filling | None
    generation: int
    """Number of changes of the passages so far."""
    lacking: dict[str, int]
    """For each kind of cache, how many chunks the next search must build it for."""


def summary(store: Store) -> Summary:
    """What an index holds. Raises InputError where its store cannot be read."""
    folder = store.path.parent
    with store.snapshot() as snapshot:
        filling = snapshot.filling
        return Summary(
            name=folder.name,
            documents=snapshot.documents_until(None),
            chunks=snapshot.count(),
            bytes=sum(entry.stat().st_size for entry in os.scandir(folder) if entry.is_file()),
            embedder=snapshot.edition.embedder,
            chunking=snapshot.edition.chunking,
            tags=snapshot.tags(),
            folders=snapshot.folders(),
            filling=Filling(filling[0].embedder, filling[0].chunking, filling[1]) if filling else None,
            generation=snapshot.generation,
            lacking=lacking(folder, snapshot),
        )
