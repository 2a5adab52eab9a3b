"""Give a folder a name that another folder has: at any moment, and after any kill, the name has one of the two."""

import contextlib
import shutil
import uuid
from pathlib import Path

ASIDE = ".old"


def give(written: Path, target: Path, replace: bool) -> None:
    """Rename the folder `written` to `target`; with `replace`, what had that name is removed afterwards.

    No portable call exchanges two folders. So the old one stands aside for a moment under a name from which `restore`
    brings it back; where somebody did that in this very moment, it steps aside again.
    """
    while True:
        if replace and target.exists():
            _remove(_aside(target))
            with contextlib.suppress(FileNotFoundError):
                target.rename(_aside(target))
        try:
            written.rename(target)
            break
        except OSError:
            if not (replace and target.exists()):
                raise
    _remove(_aside(target))


def restore(folder: Path) -> None:
    """Bring back what stood aside when a kill came, and remove what was replaced by then."""
    if not folder.is_dir():
        return
    for aside in folder.glob(f".*{ASIDE}"):
        target = folder / aside.name[1 : -len(ASIDE)]
        with contextlib.suppress(OSError):  # somebody else does it, or the folder can only be read
            if target.exists():
                _remove(aside)
            else:
                aside.rename(target)


def remove(target: Path) -> None:
    """Remove a folder. It is renamed first, so that nobody can load half of it; and what stood aside for it, before."""
    _remove(_aside(target))
    doomed = _doomed(target)
    target.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)  # what is left is swept up later


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}{ASIDE}")


def _doomed(path: Path) -> Path:
    return path.with_name(f".{path.name.strip('.')}.{uuid.uuid4().hex}.tmp")


def _remove(aside: Path) -> None:
    """Under yet another name, so that what a kill leaves of it is not brought back."""
    doomed = _doomed(aside)
    with contextlib.suppress(FileNotFoundError):
        aside.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
