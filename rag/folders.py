"""The files of folders: which of them are read, and which cannot be seen."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from .errors import InputError
from .mediatypes import EXTENSIONS

LINKED = "linked folders"
Source = tuple[str, bytes | Path]
"""A document's name, and its bytes or the file to read them from when its turn comes."""


class Folder:
    """The files in a folder and below it, in order, named by their absolute path; looked at once.

    Hidden files, those of types that are not read, and folders that are only linked to are left out.

    Raises InputError where it cannot be listed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        if not self.path.is_dir():
            raise InputError(f"{path} is no folder; give one that is there, or connect the disk that it is on.")
        self.left_out: Counter[str] = Counter()
        """Number of files of each type that is not read, and of folders that are only linked to."""
        self.unreadable: dict[str, str] = {}
        """Folders below that cannot be looked into, and why."""
        self.files: list[Source] = [(str(file), file) for file in self._walk()]
        if reason := self.unreadable.get(str(self.path)):
            raise InputError(f"{path} cannot be read ({reason}); check its permissions.")

    def _walk(self) -> Iterator[Path]:
        for folder, below, files in os.walk(self.path, onerror=self._refuse):
            seen = sorted(name for name in below if not name.startswith("."))
            # A folder that is linked to may lie above, and be walked for ever.
            below[:] = [name for name in seen if not Path(folder, name).is_symlink()]
            if len(below) < len(seen):
                self.left_out[LINKED] += len(seen) - len(below)
            for file in (Path(folder, name) for name in sorted(files) if not name.startswith(".")):
                try:
                    if not file.is_file():
                        continue
                except OSError as error:
                    error.filename = folder
                    self._refuse(error)
                    break
                if (suffix := file.suffix.lower()) in EXTENSIONS:
                    yield file
                else:
                    self.left_out[suffix] += 1

    def _refuse(self, error: OSError) -> None:
        self.unreadable[str(error.filename)] = error.strerror or str(error)


def files_under(paths: Iterable[Path], left_out: "Counter[str] | None" = None) -> Iterator[Source]:
    """The files at the paths and in folders below them, as `Folder` takes them; a path given itself is always taken.

    `left_out` counts the files of types that are not read, by type.
    """
    for path in paths:
        if path.is_dir():
            folder = Folder(path)
            yield from folder.files
            if left_out is not None:
                left_out.update(folder.left_out)
        else:
            yield str(path.resolve()), path
