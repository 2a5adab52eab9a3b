"""The named indexes of a folder, and the run that adds files to one of them while everything else goes on."""

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError

if TYPE_CHECKING:  # these pull in torch, whose import takes seconds that a page or --help should not
    from .adding import AddReport, Source
    from .embedder import Embedder
    from .index import Index

STORE = "store.sqlite"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass
class Adding:
    """A run that adds `total` files to the index called `index`; grows while it runs, read by any thread."""

    index: str
    total: int
    outcomes: list[tuple[str, str, str]] = field(default_factory=list)
    """(name, "added" | "updated" | "unchanged" | "failed", reason or "") of each file that is done."""
    report: "AddReport | None" = None
    """Set at the end."""
    error: str = ""
    """What stopped the run, in words; documents stored before that are kept."""

    def grow(self, more: int) -> None:
        """An archive turned out to hold so many files more."""
        self.total += more

    @property
    def finished(self) -> bool:
        return self.report is not None or bool(self.error)


class Library:
    """Indexes below `folder`, each under a name of letters, digits, dashes and underscores."""

    def __init__(self, folder: Path, embedder: "Callable[[], Embedder]") -> None:
        self.folder = folder
        self.adding: Adding | None = None
        """The run that goes on, or the last one."""
        self._embedder = embedder
        self._open: dict[str, Index] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Names of the indexes on disk, in order."""
        return sorted(path.parent.name for path in self.folder.glob(f"*/{STORE}") if _NAME.fullmatch(path.parent.name))

    def open(self, name: str, make: bool = False) -> "Index":
        """The index of that name. Raises InputError for a bad name, or where there is none and `make` is not set."""
        from .index import Index

        if not _NAME.fullmatch(name):
            raise InputError(f"{name!r} is no name for an index; use 1 to 64 letters, digits, dashes or underscores.")
        if not make and not (self.folder / name / STORE).exists():
            raise InputError(f"There is no index {name!r}; make it by adding documents to it.")
        embedder = self._embedder()
        with self._lock:
            if name not in self._open or not self._open[name].store.path.exists():
                self._open[name] = Index(self.folder / name, embedder)
            return self._open[name]

    def add(self, name: str, files: "Sequence[Source]") -> Adding:
        """Add files in the background, whatever becomes of the page that asked.

        Raises InputError if a run goes on, there are no files, or two of them have the same name.
        """
        names = [file for file, _ in files]
        if not names:
            raise InputError("No files were chosen; choose some to add.")
        if twice := sorted({file for file in names if names.count(file) > 1}):
            raise InputError(f"Two of the files are called {twice[0]!r}; rename one of them.")
        index = self.open(name, make=True)
        with self._lock:
            if self.adding and not self.adding.finished:
                now = self.adding
                raise InputError(
                    f"Files are being added to {now.index!r} ({len(now.outcomes)} of {now.total} done); "
                    "wait until they are."
                )
            adding = self.adding = Adding(name, len(files))
        threading.Thread(target=_run, args=(adding, index, files), name="adding", daemon=True).start()
        return adding


def _run(adding: Adding, index: "Index", files: "Sequence[Source]") -> None:
    try:
        adding.report = index.add(files, lambda *outcome: adding.outcomes.append(outcome), adding.grow)
    except InputError as error:
        adding.error = str(error)
    except Exception as error:
        adding.error = f"Adding stopped ({error!r}); what was stored before is kept, add the rest again."
        raise
