"""Files that are written whole or not at all."""

import os
import tempfile
from pathlib import Path

from eval.errors import InputError


def write_bytes(path: Path, content: bytes) -> None:
    """`path` then holds `content`, synced, or what it held before. Raises InputError with the reason and the remedy."""
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)  # mkstemp's files are for their owner only
        Path(temporary).replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise InputError(
            f"{path} could not be written ({error.strerror}); give a file in a folder that exists and has room."
        ) from error
