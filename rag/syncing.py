"""A folder and an index brought to agree: what was added, changed or deleted in the one is so in the other."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .adding import Adder, AddReport, Progress
from .errors import InputError
from .folders import Folder
from .labels import Filter
from .store import Store


@dataclass(frozen=True)
class SyncReport(AddReport):
    """What became of the files, and which documents were `removed` since their files are gone."""

    removed: list[dict[str, str]] = field(default_factory=list)


class Sync:
    """What a sync of `folder` would do to a store; looked at before anything is changed.

    Raises InputError where the folder cannot be listed, and where nothing is left of all that the index holds from
    there, unless `allow_empty`: what cannot be seen, on a disk that is not there say, must not be taken for deleted.
    """

    def __init__(self, store: Store, folder: Path, allow_empty: bool = False) -> None:
        self.folder = Folder(folder)
        self._store = store
        with store.snapshot() as snapshot:
            self._before = snapshot.names(Filter(folder=str(self.folder.path)))
        if self._before and not allow_empty and not any(map(self._left, self._before)):
            raise InputError(
                f"{folder} holds nothing of the {len(self._before)} documents that the index has from there; connect "
                "the disk that it is on, or say --allow-empty to remove them."
            )

    def run(
        self, adder: Adder, progress: Progress | None = None, found: Callable[[int], None] | None = None
    ) -> SyncReport:
        """Add what is new or changed, then remove the documents whose files are gone, and remember the folder.

        In this order, so that a file that was only moved is not embedded again. A file that cannot be read keeps what
        the index holds of it. `progress` and `found` are told of what `adder` does not tell.
        """
        tell = progress or (lambda name, outcome, reason: None)
        report = adder.run(self.folder.files)
        unreadable = sorted(self.folder.unreadable.items())
        gone = self._gone(report)
        if found:
            found(len(unreadable) + len(gone))
        for path, reason in unreadable:
            sentence = f"{path} cannot be read ({reason}); check its permissions."
            report.failed.append({"path": path, "reason": sentence})
            tell(path, "failed", sentence)
        self._store.remove(*gone)
        for name in gone:
            tell(name, "removed", "")
        self._store.remember(str(self.folder.path))
        left_out = dict(sorted((self.folder.left_out + Counter(report.left_out)).items()))
        return SyncReport(**{**vars(report), "left_out": left_out}, removed=[{"path": name} for name in gone])

    def _gone(self, report: AddReport) -> list[str]:
        """Names below the folder whose files are not there any more, in order."""
        walked = {name for name, _ in self.folder.files}
        outcomes = (report.added, report.updated, report.unchanged, report.failed)
        seen = {entry["path"] for outcome in outcomes for entry in outcome}
        unsure = {entry["path"] for entry in report.failed} | set(self.folder.unreadable)
        return [name for name in self._before if name not in seen and self._is_gone(name, walked, unsure)]

    def _is_gone(self, name: str, walked: set[str], unsure: set[str]) -> bool:
        """Whether neither the file is there nor, where it was in an archive, one that might still hold it."""
        for path in self._below(name):
            if str(path) in unsure:
                return False
            if os.path.lexists(path) and not path.is_dir():
                return str(path) != name and str(path) in walked
        return True

    def _left(self, name: str) -> bool:
        """Whether the file, the archive that it was in, or a folder that cannot be looked into is still there."""
        unreadable = self.folder.unreadable
        return any(
            str(path) in unreadable or (os.path.lexists(path) and not path.is_dir()) for path in self._below(name)
        )

    def _below(self, name: str) -> list[Path]:
        """The path of that name and those above it, up to the folder."""
        return [path for path in (Path(name), *Path(name).parents) if path.is_relative_to(self.folder.path)][:-1]
