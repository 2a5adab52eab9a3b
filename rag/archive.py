"""The files of a zip archive, one after another in memory: nothing is ever written under a name that it holds."""

import re
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePosixPath

from .errors import InputError
from .mediatypes import EXTENSIONS, ZIP

MOST_BYTES = 200 << 20
"""Size of the largest file that is read."""
MOST_FILES = 10_000
MOST_UNPACKED = 1 << 30
"""Bytes of all the files of an archive together."""

_HARMLESS = 100 << 20  # unpacked bytes up to which no ratio is suspicious
_RATIO = 100  # logs shrink to a thirtieth, bombs to a thousandth
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True)
class Member:
    """A file of an archive, or why it is not read."""

    name: str
    data: bytes = b""
    error: str = ""


class Archive:
    """The archive `name`. Raises InputError where it is damaged, empty, or would unpack to too much."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        try:
            self._zip = zipfile.ZipFile(BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
            raise InputError(f"{name} is damaged or cut off; pack or download it again.") from error
        self.left_out: Counter[str] = Counter()
        """Number of files of each type that is not read."""
        self._entries = [entry for entry in self._zip.infolist() if self._wanted(entry)]
        if not self._entries:
            raise InputError(f"{name} holds no file that is read; pack documents, tables, books or e-mails.")
        unpacked = sum(entry.file_size for entry in self._entries)
        if len(self._entries) > MOST_FILES or unpacked > MOST_UNPACKED:
            raise InputError(
                f"{name} holds {len(self._entries):,} files of {unpacked >> 20:,} MB, and {MOST_FILES:,} of "
                f"{MOST_UNPACKED >> 20:,} MB are taken; split it."
            )
        if unpacked > max(_HARMLESS, _RATIO * len(data)):
            times = f"{unpacked // max(1, len(data)):,} times its size, as only archives made to do harm do"
            raise InputError(f"{name} would unpack to {times}; unpack it yourself and add what it holds.")

    def __len__(self) -> int:
        return len(self._entries)

    def members(self) -> Iterator[Member]:
        """The files in order, each with its content or the reason why not."""
        seen: set[str] = set()
        for entry in self._entries:
            shown = _CONTROL.sub("\ufffd", entry.filename)
            error = _unsafe(entry) or ("stands twice in the archive; rename one of them" if shown in seen else "")
            seen.add(shown)
            if not error:
                try:
                    yield Member(shown, self._zip.read(entry))
                    continue
                except (RuntimeError, NotImplementedError):
                    error = "is packed in a way that is not read; pack it anew"
                except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError):
                    error = "is damaged in the archive; pack or download it again"
            yield Member(shown, error=f"{self.name}/{shown} {error}.")

    def _wanted(self, entry: zipfile.ZipInfo) -> bool:
        """Neither a folder nor hidden nor of a type that is not read, as when a folder is added."""
        parts = PurePosixPath(entry.filename).parts
        if entry.is_dir() or any(part == "__MACOSX" or (part.startswith(".") and part != "..") for part in parts):
            return False
        suffix = PurePosixPath(entry.filename).suffix.lower()
        if suffix not in EXTENSIONS:
            self.left_out[suffix] += 1
            return False
        return True


def _unsafe(entry: zipfile.ZipInfo) -> str:
    name = entry.filename.replace("\\", "/")
    if name.startswith("/") or _DRIVE.match(name) or ".." in name.split("/"):
        return "has a name that leads out of the archive; pack it anew"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "is a link to another file; pack that file itself"
    if EXTENSIONS[PurePosixPath(entry.filename).suffix.lower()] == ZIP:
        return "is an archive within an archive; unpack it first"
    if entry.flag_bits & 1:
        return "is protected by a password; pack it without one"
    if entry.file_size > MOST_BYTES:
        return f"has {entry.file_size >> 20} MB, and {MOST_BYTES >> 20} are read; split it"
    return ""
