"""A cache in parts, each a file that is never changed: following the store costs what the store has changed.

Chunks never change and their ids are never used again, so what was once made of a run of ids stays true for ever. What
the store has removed is masked, and dropped when parts merge. Parts merge like the digits of a counter (O'Neil et al.,
"The Log-Structured Merge-Tree", Acta Informatica 1996), up to a size beyond which none is ever written again.
"""

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np

from .snapshot import Snapshot

MOST = 1 << 18
"""Chunks of the largest part: the longest pause that a merge can make, and few enough parts for millions of chunks."""

_WRITING = 600  # seconds after which a temporary file is one that a killed program left


class Part(Protocol):
    """What is kept of some chunks."""

    @property
    def ids(self) -> np.ndarray:
        """Theirs, ascending int64 (n,)."""

    def save(self, path: Path, notes: dict[str, str]) -> None:
        """Write the file whole or not at all. Raises OSError where it cannot be written."""


P = TypeVar("P", bound=Part)


class PartCache(ABC, Generic[P]):
    """Parts of one store in files of `folder` called `kind`. Not for two threads at once."""

    def __init__(self, folder: Path, kind: str, version: int, store: str) -> None:
        self.generation = -1
        self.parts: list[P] = []
        """Their ids ascend from part to part."""
        self.alive: list[np.ndarray] = []
        """For each part, which of its chunks the store still holds, bool (n,)."""
        self._folder = folder
        self._kind = kind
        self._notes = {"kind": kind, "version": str(version), "store": store}

    @abstractmethod
    def _build(self, snapshot: Snapshot, ids: np.ndarray) -> P:
        """A part of these chunks of the store, at least one."""

    @abstractmethod
    def _merge(self, parts: Sequence[P], alive: Sequence[np.ndarray]) -> P:
        """One part of several that follow one another, without what is not alive; at least one chunk is."""

    @abstractmethod
    def _load(self, path: Path, notes: dict[str, str]) -> P | None:
        """What `save` wrote, or None where the file is gone, damaged or has other notes."""

    def follow(self, snapshot: Snapshot) -> None:
        """Hold exactly the chunks that the snapshot holds."""
        if snapshot.generation == self.generation:
            return
        ids = snapshot.chunk_ids()
        if self.generation < 0:
            self.parts = self._read()
        for place, new in self._lacking(ids):
            self.parts.insert(place, self._build(snapshot, new))
        self.alive = [np.isin(part.ids, ids, assume_unique=True) for part in self.parts]
        self._tidy()
        self._write()
        self.generation = snapshot.generation

    def masks(self, only: np.ndarray | None) -> list[np.ndarray | None]:
        """For each part, which chunks may be found: those alive and, if given, among the ids `only`; None if all."""
        pairs = zip(self.parts, self.alive, strict=True)
        masks = self.alive if only is None else [live & np.isin(part.ids, only) for part, live in pairs]
        return [None if mask.all() else mask for mask in masks]

    def places(self, ids: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each part, which of the given ids it holds, by their place there and by their row here."""
        found = []
        for part in self.parts:
            rows = np.minimum(np.searchsorted(part.ids, ids), len(part.ids) - 1)
            places = np.flatnonzero(part.ids[rows] == ids)
            found.append((places, rows[places]))
        return found

    def _lacking(self, ids: np.ndarray) -> list[tuple[int, np.ndarray]]:
        """Runs of ids that no part holds, at most `MOST` long, each with the place of its part, from the last on."""
        held = np.concatenate([*(part.ids for part in self.parts), np.empty(0, np.int64)])
        new = np.setdiff1d(ids, held, assume_unique=True)
        within = [part for part in self.parts if np.searchsorted(new, part.ids[0]) < np.searchsorted(new, part.ids[-1])]
        if within:  # a part that has lost some of its chunks cannot be added to: it is made again
            self.parts = [part for part in self.parts if part not in within]
            return self._lacking(ids)
        places = np.searchsorted([part.ids[0] for part in self.parts], new)
        runs = [(place, new[places == place]) for place in np.unique(places)[::-1].tolist()]
        return [
            (place, run[first : first + MOST])
            for place, run in runs
            for first in range((len(run) - 1) // MOST * MOST, -1, -MOST)
        ]

    def _tidy(self) -> None:
        """Merge parts so that each is over twice the next, and drop the removed where they are half of a part."""
        for place in range(len(self.parts) - 1, -1, -1):
            sizes = [int(live.sum()) for live in self.alive[place : place + 2]]
            together = len(sizes) == 2 and len(self.alive[place]) <= 2 * len(self.alive[place + 1])
            last = place + 1 + (together and sum(sizes) <= MOST)
            if last == place + 1 and 2 * sizes[0] > len(self.alive[place]):
                continue
            some = any(live.any() for live in self.alive[place:last])
            self.parts[place:last] = [self._merge(self.parts[place:last], self.alive[place:last])] if some else []
            self.alive[place:last] = [np.ones(len(self.parts[place].ids), bool)] if some else []

    def _path(self, part: P) -> Path:
        return self._folder / f"{self._prefix()}{part.ids[0]}-{part.ids[-1]}-{len(part.ids)}.safetensors"

    def _prefix(self) -> str:
        return f"{self._kind}-{self._notes['store'][:12]}-{self._notes['version']}-"

    def _read(self) -> list[P]:
        """Parts on disk that do not overlap, in order; of two that do, the one that was merged from more."""
        chosen: list[P] = []
        for path in sorted(self._folder.glob(f"{self._prefix()}*.safetensors"), key=_span, reverse=True):
            part = self._load(path, self._notes)
            if part is None:  # the store still has all of it; while the name is taken, it would not be written again
                with contextlib.suppress(OSError):
                    path.unlink()
            elif all(part.ids[-1] < other.ids[0] or other.ids[-1] < part.ids[0] for other in chosen):
                chosen.append(part)
        return sorted(chosen, key=lambda part: int(part.ids[0]))

    def _write(self) -> None:
        """Save what is not on disk, read it back as pages of its file, then delete what it replaces."""
        paths = [self._path(part) for part in self.parts]
        with contextlib.suppress(OSError):  # a cache: a full disk or a read-only folder costs time, nothing else
            for place, path in enumerate(paths):
                if not path.exists():
                    self.parts[place].save(path, self._notes)
                    self.parts[place] = self._load(path, self._notes) or self.parts[place]
            for old in self._folder.glob(f"{self._kind}-*"):
                if old not in paths and not (old.suffix == ".tmp" and time.time() - old.stat().st_mtime < _WRITING):
                    old.unlink(missing_ok=True)


def _span(path: Path) -> int:
    """How many ids a file spans by its name; 0 for a name that no part was given."""
    numbers = path.stem.rsplit("-", 3)[1:]
    return int(numbers[1]) - int(numbers[0]) if len(numbers) == 3 and all(map(str.isdecimal, numbers)) else 0
