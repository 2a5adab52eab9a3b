"""Files into a store, one bad file never stopping the rest."""

import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .chunks import Chunk, split
from .documents import Document, content_hash
from .embedder import Embedder
from .errors import InputError
from .mediatypes import EXTENSIONS, PDF, PPTX, XLSX, media_type
from .reading import READER
from .store import Store

Source = tuple[str, bytes | Path]
"""A document's name, and its bytes or the file to read them from when its turn comes."""

Progress = Callable[[str, str, str], None]
"""Called with each file's name, outcome ("added", "updated", "unchanged", "failed") and reason or ""."""

MOST_BYTES = 200 << 20
"""Size of the largest file that is read."""

_TOGETHER = 64  # chunks embedded together: enough that batches hold texts of like length, few enough to see progress


@dataclass(frozen=True)
class AddReport:
    """What became of the files: lists of {"path", "reason"?}. `chunks` were written, in `seconds`."""

    added: list[dict[str, str]] = field(default_factory=list)
    updated: list[dict[str, str]] = field(default_factory=list)
    unchanged: list[dict[str, str]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)
    chunks: int = 0
    seconds: float = 0.0


def files_under(paths: Iterable[Path]) -> Iterator[Source]:
    """The files at the paths and in folders below them, in order, named by their absolute path.

    Of a folder, hidden files and those of types that are not read are left out; a path given itself is not.
    """
    for path in paths:
        if path.is_dir():
            for below in sorted(path.rglob("*")):
                visible = not any(part.startswith(".") for part in below.relative_to(path).parts)
                if visible and below.suffix.lower() in EXTENSIONS and below.is_file():
                    yield str(below.resolve()), below
        else:
            yield str(path.resolve()), path


class Adder:
    """One run over files; holds the documents that wait to be embedded together."""

    def __init__(self, store: Store, embedder: Embedder, progress: Progress | None) -> None:
        self._store = store
        self._embedder = embedder
        self._progress = progress or (lambda name, outcome, reason: None)
        self._waiting: list[tuple[Document, list[Chunk], bool]] = []
        self._outcomes: dict[str, list[dict[str, str]]] = {
            outcome: [] for outcome in ("added", "updated", "unchanged", "failed")
        }
        self._chunks = 0

    def run(self, files: Iterable[Source]) -> AddReport:
        """Read, chunk, embed and store. Each document is stored whole or not at all."""
        started = time.perf_counter()
        for name, source in files:
            try:
                self._take(name, source if isinstance(source, bytes) else _bytes_of(name, source))
            except InputError as error:
                self._report("failed", name, str(error))
            if sum(len(chunks) for _, chunks, _ in self._waiting) >= _TOGETHER:
                self._store_waiting()
        self._store_waiting()
        return AddReport(**self._outcomes, chunks=self._chunks, seconds=round(time.perf_counter() - started, 3))

    def _take(self, name: str, data: bytes) -> None:
        digest = content_hash(data)
        if any(name == document.name or digest == document.sha256 for document, _, _ in self._waiting):
            self._store_waiting()  # the same name or content again must find the first one stored
        held = self._store.content_of(name)
        if held == digest:
            self._report("unchanged", name)
            return
        kind = media_type(name, data)
        if self._store.point(name, digest, kind):
            self._report("unchanged" if held is None else "updated", name, "this content is held already")
            return
        document = READER.read(name, data)
        chunks = split(document, self._embedder.tokenizer, self._embedder.limit)
        self._waiting.append((document, chunks, held is not None))

    def _store_waiting(self) -> None:
        if not self._waiting:
            return
        texts = [chunk.embedded for _, chunks, _ in self._waiting for chunk in chunks]
        vectors = self._embedder.encode(texts)
        first = 0
        for document, chunks, known in self._waiting:
            self._store.put(document, chunks, vectors[first : first + len(chunks)])
            first += len(chunks)
            self._chunks += len(chunks)
            self._report("updated" if known else "added", document.name, _remark(document))
        self._waiting.clear()

    def _report(self, outcome: str, name: str, reason: str = "") -> None:
        self._outcomes[outcome].append({"path": name, "reason": reason} if reason else {"path": name})
        self._progress(name, outcome, reason)


def _bytes_of(name: str, path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a device or a pipe may never end
            raise InputError(f"{name} is no file; give files or folders.")
        if status.st_size > MOST_BYTES:
            raise InputError(f"{name} has {status.st_size >> 20} MB, and {MOST_BYTES >> 20} are read; split it.")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{name} cannot be read ({error.strerror or error}); check the path.") from error


_PAGES = {PDF: "page", PPTX: "slide", XLSX: "sheet"}


def _remark(document: Document) -> str:
    remarks = list(document.remarks)
    if blank := document.pages_without_text:
        scans = ": scanned pages need OCR" if document.media_type == PDF else ""
        remarks.insert(0, f"no text on {_PAGES[document.media_type]} {', '.join(map(str, blank))}{scans}")
    return "; ".join(remarks)
