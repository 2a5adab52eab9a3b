"""The named indexes of a folder, and the run that fills one of them while everything else goes on."""

import re
import shutil
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .background import Adding
from .errors import InputError
from .folders import Folder, Source
from .labels import tags_of

if TYPE_CHECKING:  # these pull in torch, whose import takes seconds that a page or --help should not
    from .adding import AddReport
    from .chunking import Chunking
    from .embedder import Embedder
    from .index import Index
    from .reembedding import ReembedReport
    from .snapshot import Edition
    from .store import Store

__all__ = ["STORE", "Adding", "Library"]

STORE = "store.sqlite"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Library:
    """Indexes below `folder`, each under a name of letters, digits, dashes and underscores.

    `embedder` is that of new indexes; those that hold documents keep theirs, which are loaded when they are opened.
    With `strict` they are refused instead.
    """

    def __init__(self, folder: Path, embedder: "Callable[[], Embedder]", strict: bool = False) -> None:
        self.folder = folder
        self.adding: Adding | None = None
        """The run that goes on, or the last one."""
        self.embedder = embedder
        """That of new indexes."""
        self._load = None if strict else self._loaded
        self._others: dict[str, Embedder] = {}
        self._open: dict[str, Index] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Names of the indexes on disk, in order."""
        return sorted(path.parent.name for path in self.folder.glob(f"*/{STORE}") if _NAME.fullmatch(path.parent.name))

    def open(self, name: str, make: bool = False, chunking: "Chunking | None" = None) -> "Index":
        """The index of that name. Raises InputError for a bad name, or where there is none and `make` is not set.

        `chunking` is that of a new or empty one, and refused for one that holds documents cut in another way.
        """
        from .index import Index

        path = self._path(name)
        if not make and not path.exists():
            raise InputError(f"There is no index {name!r}; make it by adding documents to it.")
        embedder = self.embedder()
        with self._lock:
            if name not in self._open or not path.exists() or chunking:
                self._open[name] = Index(self.folder / name, embedder, chunking, self._load)
            return self._open[name]

    def store(self, name: str) -> "Store":
        """The store of an index, for which no embedder is needed. Raises InputError where there is none."""
        from .store import Store

        path = self._path(name)
        if not path.exists():
            raise InputError(f"There is no index {name!r}; make it by adding documents to it.")
        return Store(path)

    def drop(self, name: str) -> None:
        """Delete an index with all that it holds; the files that it was made from stay. Raises InputError."""
        folder = self._path(name).parent
        if not folder.is_dir():
            raise InputError(f"There is no index {name!r}; `python -m rag indexes` prints those that there are.")
        with self._lock:
            self._refuse_while_adding()
            gone = folder.with_name(f".{name}.{uuid.uuid4().hex}")  # at once, or not at all
            try:
                folder.rename(gone)
            except OSError as error:
                raise InputError(f"{folder} cannot be deleted ({error.strerror}); check its permissions.") from error
            self._open.pop(name, None)
        shutil.rmtree(gone, ignore_errors=True)

    def add(self, name: str, files: Sequence[Source], tags: Sequence[str] = ()) -> Adding:
        """Add files in the background, whatever becomes of the page that asked.

        Raises InputError if a run goes on, there are no files, or two of them have the same name.
        """
        names = [file for file, _ in files]
        if not names:
            raise InputError("No files were chosen; choose some to add.")
        if twice := sorted({file for file in names if names.count(file) > 1}):
            raise InputError(f"Two of the files are called {twice[0]!r}; rename one of them.")
        index = self.open(name, make=True)
        wanted = tags_of(tags)
        return self._start(Adding(name, len(files)), lambda run: index.add(files, run.tell, run.grow, wanted))

    def sync(self, name: str, folder: Path, allow_empty: bool = False) -> Adding:
        """Bring the index and a folder of this machine to agree, in the background.

        Raises InputError if a run goes on or the folder cannot be listed. The run ends in an error where
        nothing is left of all that the index holds from there, unless `allow_empty`.
        """
        Folder(folder)  # one that is not there makes no index
        index = self.open(name, make=True)
        adding = Adding(name, 0, folder=str(folder.resolve()))
        return self._start(adding, lambda run: index.sync(folder, run.tell, run.grow, allow_empty))

    def reembed(self, name: str, chunking: "Chunking", embedder: str | None = None) -> Adding:
        """Cut what an index holds anew, and embed it, in the background; what it held serves meanwhile.

        `embedder` is the name of another embedder, or None to keep it. Raises InputError if a run goes on or the
        embedder cannot read chunks of that size.
        """
        from .embedder import Embedder

        index = self.open(name)
        chunking.within(index.embedder.limit)
        other = None if embedder is None else Embedder(embedder)
        return self._start(Adding(name, 0), lambda run: index.reembed(other, chunking, run.tell, run.grow))

    def _start(self, adding: Adding, run: "Callable[[Adding], AddReport | ReembedReport]") -> Adding:
        with self._lock:
            self._refuse_while_adding()
            self.adding = adding
        adding.start(run)
        return adding

    def _refuse_while_adding(self) -> None:
        if (now := self.adding) and not now.finished:
            raise InputError(
                f"Files are being added to {now.index!r} ({len(now.outcomes)} of {now.total} done); "
                "wait until they are."
            )

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise InputError(f"{name!r} is no name for an index; use 1 to 64 letters, digits, dashes or underscores.")
        return self.folder / name / STORE

    def _loaded(self, edition: "Edition") -> "Embedder":
        """The embedder of an edition. Raises InputError where there is none that makes the same vectors."""
        from .embedder import Embedder

        if edition.embedder not in self._others:
            found = Embedder(edition.source or None)
            if found.identity != edition.embedder:
                raise InputError(
                    f"The index was made with the embedder {edition.embedder}, and {found.name} is {found.identity} "
                    "now; embed it anew by `python -m rag reembed`."
                )
            self._others[edition.embedder] = found
        return self._others[edition.embedder]
