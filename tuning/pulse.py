"""A run's sign of life: a thread beside the work that notes when its process last computed."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tuning.process import kill
from tuning.queue import overdue
from tuning.standing import PULSE

SECONDS = 2.0
BUSY = 0.01
"""Share of the time that a process computes at least, unless it hangs."""


@contextlib.contextmanager
def pulse(folder: Path) -> Iterator[None]:
    """While the body computes, touch `pulse` in the folder; and end the process if it does not stop when asked.

    A thread that only said that the process lives would say so of one that waits for a dead disk, too.
    """
    over = threading.Event()

    def beat() -> None:
        busy = time.process_time()
        while not over.wait(SECONDS):
            computed, busy = time.process_time() - busy, time.process_time()
            with contextlib.suppress(OSError):  # on a full disk, say, which the run itself will name
                if computed > BUSY * SECONDS:
                    (folder / PULSE).touch()
                if overdue(folder):
                    kill(folder)

    thread = threading.Thread(target=beat, name="pulse", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
