"""Files read in a process of its own, so that one that crashes, loops or swells costs itself and not the program."""

import atexit
import os
import threading
from collections.abc import Iterator
from typing import Any

from .archive import Member
from .confined import Confined, Ended, Limits
from .documents import Document, Heading
from .errors import InputError


class Reader:
    """A process that reads one file after another; started when first needed, and anew after it was killed.

    Any thread may call; files are read one at a time.
    """

    def __init__(self, limits: Limits | None = None, module: str = "rag.reader_process") -> None:
        self._module = module
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._process: Confined | None = None

    def read(self, name: str, data: bytes) -> Document:
        """The text of a file, as `rag.documents.read_document`.

        Raises InputError, one sentence, for all that it refuses, and for a file that passes the limits.
        """
        with self._lock:
            if self._process is None or self._process.owner != os.getpid():  # a fork must not share its parent's pipes
                self._process = Confined(self._module, self._limits)
            try:
                answer, text = self._process.ask({"name": name}, data)
            except Ended as ended:
                self._process = None
                raise InputError(f"{name} {ended}; split it, or save it anew in another format.") from ended
            except BaseException:  # an interrupt: what is still to come would be taken for the next file's answer
                self._end()
                raise
            if answer["last"]:
                self._end()
        if "error" in answer:
            raise InputError(answer["error"])
        return _document(name, text.decode(), answer["document"])

    def close(self) -> None:
        """End the process; a later call starts another."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._process is not None and self._process.owner == os.getpid():
            self._process.close()
        self._process = None


class Unpacker:
    """A process that unpacks one archive while its members are read by another. Raises InputError."""

    def __init__(self, name: str, data: bytes, limits: Limits | None = None) -> None:
        self.name = name
        self._process = Confined("rag.reader_process", limits or Limits())
        try:
            answer, _ = self._process.ask({"name": name, "unpack": True}, data)
        except BaseException as error:
            self._process.close()
            raise self._ended(error) from error
        if "error" in answer:
            self._process.close()
            raise InputError(answer["error"])
        self.members: int = answer["members"]
        self.left_out: dict[str, int] = answer["left_out"]

    def __iter__(self) -> Iterator[Member]:
        """The members, once. A failure in between is raised as InputError; those before it stand."""
        try:
            for _ in range(self.members):
                answer, data = self._process.more()
                yield Member(answer["name"], data, answer["error"])
        except Ended as ended:
            raise self._ended(ended) from ended
        finally:
            self._process.close()

    def _ended(self, error: BaseException) -> BaseException:
        if isinstance(error, Ended):
            return InputError(f"{self.name} {error}; unpack it yourself and add what it holds.")
        return error


def _document(name: str, text: str, structure: dict[str, Any]) -> Document:
    return Document(
        name,
        text,
        structure["sha256"],
        structure["media_type"],
        tuple(tuple(page) for page in structure["pages"]),
        tuple(Heading(*heading) for heading in structure["headings"]),
        tuple(structure["remarks"]),
        structure["dated"],
    )


READER = Reader()
"""The one that all runs of this program share: starting it takes longer than reading a page."""
atexit.register(READER.close)
