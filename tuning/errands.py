"""Commands of `python -m tuning` that a page has done by a process of their own: what needs a model loaded anew.

The engine of a running app changes its base's layers, so that a second measurement or a merge cannot use that base; and
a page must not hold still, nor lose its memory to them.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from tuning.errors import InputError
from tuning.process import PATIENT_THREADS

PROGRAM = (sys.executable, "-m", "tuning")
POLL_SECONDS = 0.5


class Errands:
    """The errands of one app. Each goes on when its page is closed; the same one is not run twice at a time."""

    def __init__(self, home: Path, program: Sequence[str] = PROGRAM) -> None:
        self._home, self._program = home, program
        self._running: set[tuple[str, ...]] = set()
        self._lock = threading.Lock()

    def run(self, *arguments: str) -> Iterator[float]:
        """Yields the seconds since its start, again and again, until the command has ended.

        Raises InputError with what the command said if it failed, or if the same one is under way.
        """
        with self._lock:
            if arguments in self._running:
                raise InputError(f"{' '.join(arguments)} is under way already; wait for it")
            self._running.add(arguments)
        said = TemporaryFile()  # noqa: SIM115 - closed by whoever sees the process end
        try:
            process = self._start(arguments, said)
        except BaseException:
            self._ended(arguments)
            said.close()
            raise
        done = threading.Event()

        def wait() -> None:
            process.wait()
            self._ended(arguments)
            done.set()

        threading.Thread(target=wait, name=f"errand {arguments[0]}", daemon=True).start()
        began = time.monotonic()
        with said:
            while not done.wait(POLL_SECONDS):
                yield time.monotonic() - began
            if process.returncode:
                said.seek(0)
                lines = [line for line in said.read().decode("utf-8", "replace").splitlines() if line.strip()]
                named = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
                raise InputError((named or lines or [f"it ended with status {process.returncode}"])[-1])

    def _start(self, arguments: tuple[str, ...], said: IO[bytes]) -> "subprocess.Popen[bytes]":
        # Without a base of the app's own: an adapter is measured beside the base that it was trained on.
        environment = {name: value for name, value in os.environ.items() if name != "FOURFOLD_BASE"}
        return subprocess.Popen(
            [*self._program, *arguments],
            cwd=Path(__file__).resolve().parent.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env={**environment, **PATIENT_THREADS, "FOURFOLD_HOME": str(self._home.resolve())},
        )

    def _ended(self, arguments: tuple[str, ...]) -> None:
        with self._lock:
            self._running.discard(arguments)
