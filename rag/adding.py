"""Files into a store, one bad file never stopping the rest."""

import stat
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .archive import MOST_BYTES
from .chunks import Chunk, split
from .documents import Document, content_hash
from .embedder import Embedder
from .errors import InputError
from .mediatypes import EXTENSIONS, PDF, PPTX, XLSX, ZIP, media_type
from .reading import READER, Unpacker
from .store import Store

Source = tuple[str, bytes | Path]
"""A document's name, and its bytes or the file to read them from when its turn comes."""

Progress = Callable[[str, str, str], None]
"""Called with each file's name, outcome ("added", "updated", "unchanged", "failed") and reason or ""."""

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


def files_under(paths: Iterable[Path], left_out: "Counter[str] | None" = None) -> Iterator[Source]:
    """The files at the paths and in folders below them, in order, named by their absolute path.

    Of a folder, hidden files and those of types that are not read are left out; a path given itself is not. `left_out`
    counts the latter by type.
    """
    for path in paths:
        if path.is_dir():
            for below in sorted(path.rglob("*")):
                visible = not any(part.startswith(".") for part in below.relative_to(path).parts)
                if not visible or not below.is_file():
                    continue
                if (suffix := below.suffix.lower()) in EXTENSIONS:
                    yield str(below.resolve()), below
                elif left_out is not None:
                    left_out[suffix] += 1
        else:
            yield str(path.resolve()), path


class Adder:
    """One run over files; holds the documents that wait to be embedded together."""

    def __init__(
        self, store: Store, embedder: Embedder, progress: Progress | None, found: Callable[[int], None] | None = None
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._progress = progress or (lambda name, outcome, reason: None)
        self._waiting: list[tuple[Document, list[Chunk], bool]] = []
        self._outcomes: dict[str, list[dict[str, str]]] = {
            outcome: [] for outcome in ("added", "updated", "unchanged", "failed")
        }
        self._found = found or (lambda more: None)
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

    def _file(self, name: str, source: bytes | Path) -> None:
        try:
            if (valid := name.encode("utf-8", "replace").decode()) != name:
                name = valid
                raise InputError(f"{name} has a name that is no text; rename it.")
            self._take(name, source if isinstance(source, bytes) else _bytes_of(name, source))
        except InputError as error:
            self._report("failed", name, str(error))
        if sum(len(chunks) for _, chunks, _ in self._waiting) >= _TOGETHER:
            self._store_waiting()

    def _take(self, name: str, data: bytes) -> None:
        digest = content_hash(data)
        if any(name == document.name or digest == document.sha256 for document, _, _ in self._waiting):
            self._store_waiting()  # the same name or content again must find the first one stored
        held = self._store.content_of(name)
        if held == digest:
            self._report("unchanged", name)
            return
        kind = media_type(name, data)
        if kind == ZIP and not self._inside:
            self._unpack(name, data)
            return
        if self._store.point(name, digest, kind):
            self._report("unchanged" if held is None else "updated", name, "this content is held already")
            return
        document = READER.read(name, data)
        chunks = split(document, self._embedder.tokenizer, self._embedder.limit)
        self._waiting.append((document, chunks, held is not None))

    def _unpack(self, name: str, data: bytes) -> None:
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
                    self._file(f"{name}/{member.name}", member.data)
        except InputError:
            self._found(1 + done - archive.members)  # the rest is not to come, and the archive fails for it
            raise
        finally:
            self._inside = False

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
