"""Arrays in one file: written whole or not at all, mapped into memory when read, every byte under a checksum."""

import os
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

_CHECKSUM = "crc32"


def save(path: Path, arrays: Mapping[str, np.ndarray], notes: Mapping[str, str]) -> None:
    """Write arrays and notes in the safetensors format. Raises OSError where they cannot be written."""
    held = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        save_file(held, temporary, {**notes, _CHECKSUM: _checksum(held, notes)})
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except SafetensorError as error:
        raise OSError(f"{path} cannot be written: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def load(path: Path, notes: Mapping[str, str]) -> dict[str, np.ndarray] | None:
    """Read-only arrays of a file that has these notes, or None where it is gone, damaged or has others.

    The arrays are pages of the file and stay readable after it is deleted; only what is used takes up memory.
    """
    try:
        with safe_open(path, "pt") as file:  # as numpy it would copy every array
            held = {name: file.get_tensor(name).numpy() for name in file.keys()}  # noqa: SIM118  no mapping
            written = file.metadata() or {}
    except (OSError, SafetensorError, RuntimeError, ValueError):
        return None
    if written != {**notes, _CHECKSUM: _checksum(held, notes)}:
        return None
    for array in held.values():
        array.flags.writeable = False
    return held


def _checksum(arrays: Mapping[str, np.ndarray], notes: Mapping[str, str]) -> str:
    value = zlib.crc32(repr(sorted(notes.items())).encode())
    for name, array in sorted(arrays.items()):
        value = zlib.crc32(f"{name} {array.dtype} {array.shape}".encode(), value)
        value = zlib.crc32(array.reshape(-1).view(np.uint8).data, value)
    return f"{value:08x}"
