"""The bytes of a file of this machine, if it is one and not too large."""

import stat
from pathlib import Path

from .archive import MOST_BYTES
from .errors import InputError


def bytes_of(name: str, path: Path) -> tuple[bytes, float]:
    """What a file holds, and when it was changed in seconds since 1970; `name` is what errors call it.

    Raises InputError for a device, a folder, too much, or what cannot be read.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a device or a pipe may never end
            raise InputError(f"{name} is no file; give files or folders.")
        if status.st_size > MOST_BYTES:
            raise InputError(f"{name} has {status.st_size >> 20} MB, and {MOST_BYTES >> 20} are read; split it.")
        return path.read_bytes(), status.st_mtime
    except OSError as error:
        raise InputError(f"{name} cannot be read ({error.strerror or error}); check the path.") from error
