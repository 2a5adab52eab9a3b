"""Files into a store, one bad file never stopping the rest."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from .chunking import Chunking
from .chunks import Chunk, split
from .documents import Document, content_hash
from .embedder import Embedder
from .errors import InputError
from .files import bytes_of
from .folders import Source
from .labels import Label, day_of
from .mediatypes import PDF, PPTX, XLSX, ZIP, media_type
from .reading import READER, Unpacker
from .snapshot import Edition
from .store import Outdated, Store, StoreError

Progress = Callable[[str, str, str], None]
"""Called with each file's name, its outcome and a reason or "".

Outcomes are "added", "updated", "unchanged" and "failed", and "removed" in a sync.
"""

_TOGETHER = 64  # chunks embedded together: enough that batches hold texts of like length, few enough to see progress


@dataclass(frozen=True)
class AddReport:
    """What became of the files: lists of {"path", "reason"?}. `chunks` were written, in `seconds`.

    `left_out` counts the files in archives whose type is not read, by type.
    """

    added: list[dict[str, str]] = field(default_factory=list)
    updated: list[dict[str, str]] = field(default_factory=list)
    unchanged: list[dict[str, str]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    chunks: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class _Waiting:
    """A document that waits to be embedded together with others."""

    document: Document
    chunks: list[Chunk]
    label: Label
    known: bool
    """Whether its name stands for something already."""


class Adder:
    """One run over files, all of which get the tags; holds the documents that wait to be embedded together."""

    def __init__(
        self,
        store: Store,
        embedder: Embedder,
        progress: Progress | None = None,
        found: Callable[[int], None] | None = None,
        tags: tuple[str, ...] = (),
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._progress = progress or (lambda name, outcome, reason: None)
        self._found = found or (lambda more: None)
        self._tags = tags
        self._edition = self._serving()
        self._waiting: list[_Waiting] = []
        self._outcomes: dict[str, list[dict[str, str]]] = {
            outcome: [] for outcome in ("added", "updated", "unchanged", "failed")
        }
        self._left_out: Counter[str] = Counter()
        self._inside = False
        self._chunks = 0

    def run(self, files: Iterable[Source]) -> AddReport:
        """Read, chunk, embed and store. Each document is stored whole or not at all."""
        started = time.perf_counter()
        for name, source in files:
            self._file(name, source)
        self._store_waiting()
        return AddReport(
            **self._outcomes,
            left_out=dict(sorted(self._left_out.items())),
            chunks=self._chunks,
            seconds=round(time.perf_counter() - started, 3),
        )

    def _file(self, name: str, source: bytes | Path, label: Label | None = None) -> None:
        try:
            if (valid := name.encode("utf-8", "replace").decode()) != name:
                name = valid
                raise InputError(f"{name} has a name that is no text; rename it.")
            data, modified = (source, "") if isinstance(source, bytes) else _read(name, source)
            self._take(name, data, label or Label(modified, self._tags))
        except StoreError:  # not the file's fault, and no better with the next one
            raise
        except InputError as error:
            self._report("failed", name, str(error))
        if sum(len(waiting.chunks) for waiting in self._waiting) >= _TOGETHER:
            self._store_waiting()

    def _take(self, name: str, data: bytes, label: Label) -> None:
        digest = content_hash(data)
        if any(name == each.document.name or digest == each.document.sha256 for each in self._waiting):
            self._store_waiting()  # the same name or content again must find the first one stored
        held = self._store.content_of(name)
        if held == digest:
            self._store.label(name, label)
            self._report("unchanged", name)
            return
        kind = media_type(name, data)
        if kind == ZIP and not self._inside:
            self._unpack(name, data, label)
            return
        if self._store.point(name, digest, kind, label):
            self._report("unchanged" if held is None else "updated", name, "this content is held already")
            return
        document = READER.read(name, data)
        self._waiting.append(_Waiting(document, self._cut(document), label, held is not None))

    def _cut(self, document: Document) -> list[Chunk]:
        chunking = Chunking.of(self._edition.chunking)
        return split(document, self._embedder.tokenizer, self._embedder.limit, chunking)

    def _serving(self) -> Edition:
        """The edition that the documents go into. Raises Outdated where it needs another embedder."""
        with self._store.snapshot() as snapshot:
            edition = snapshot.edition
        if edition.embedder != self._embedder.identity:
            raise Outdated(
                f"The index {self._store.path.parent.name!r} was re-embedded with {edition.embedder} meanwhile; "
                "start again to add the rest."
            )
        return edition

    def _unpack(self, name: str, data: bytes, label: Label) -> None:
        """Take the members of an archive as files of their own, named below it."""
        archive = Unpacker(name, data)
        self._found(archive.members - 1)  # in place of the archive itself
        self._left_out.update(archive.left_out)
        done = 0
        self._inside = True  # no archive within it is opened: READER refuses it
        try:
            for member in archive:
                done += 1
                if member.error:
                    self._report("failed", f"{name}/{member.name}", member.error)
                else:
                    self._file(f"{name}/{member.name}", member.data, label)
        except InputError:
            self._found(1 + done - archive.members)  # the rest is not to come, and the archive fails for it
            raise
        finally:
            self._inside = False

    def _store_waiting(self) -> None:
        texts = [chunk.embedded for waiting in self._waiting for chunk in waiting.chunks]
        vectors = self._embedder.encode(texts) if texts else np.empty((0, 0), np.float32)
        first = 0
        while self._waiting:
            waiting = self._waiting[0]
            some = vectors[first : first + len(waiting.chunks)]
            try:
                self._store.put(waiting.document, waiting.chunks, some, self._edition.id, waiting.label)
            except Outdated:  # other chunks serve from now on: cut and embed anew what is not stored yet
                self._edition = self._serving()
                self._waiting = [replace(each, chunks=self._cut(each.document)) for each in self._waiting]
                self._store_waiting()
                return
            first += len(waiting.chunks)
            self._chunks += len(waiting.chunks)
            self._waiting.pop(0)
            self._report("updated" if waiting.known else "added", waiting.document.name, _remark(waiting.document))

    def _report(self, outcome: str, name: str, reason: str = "") -> None:
        self._outcomes[outcome].append({"path": name, "reason": reason} if reason else {"path": name})
        self._progress(name, outcome, reason)


def _read(name: str, path: Path) -> tuple[bytes, str]:
    """The bytes of a file, and the day when it was last changed."""
    data, changed = bytes_of(name, path)
    return data, day_of(changed)


_PAGES = {PDF: "page", PPTX: "slide", XLSX: "sheet"}


def _remark(document: Document) -> str:
    remarks = list(document.remarks)
    if blank := document.pages_without_text:
        scans = ": scanned pages need OCR" if document.media_type == PDF else ""
        remarks.insert(0, f"no text on {_PAGES[document.media_type]} {', '.join(map(str, blank))}{scans}")
    return "; ".join(remarks)
