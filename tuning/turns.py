"""A thread that takes turn after turn, and what other threads ask of it between two turns."""

import atexit
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Turns:
    """Calls `turn` for as long as it says that there is more to do; then waits for a task."""

    def __init__(self, turn: Callable[[], bool], name: str) -> None:
        self._turn, self._name = turn, name
        self._tasks: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._process = 0
        self._closing = False

    @property
    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def between(self, task: Callable[[], T]) -> T:
        """What `task` returns or raises, run by the thread between two turns. Raises RuntimeError if it is closed."""
        done: Future[T] = Future()
        with self._wake:
            if self._closing:
                raise RuntimeError("The engine is closed.")
            self._tasks.append((task, done))
            self._start()
            self._wake.notify_all()
        return done.result()

    def close(self, last: Callable[[], None] = lambda: None) -> None:
        """Take no further turn; the thread ends with `last`."""

        def end() -> None:
            self._closing = True
            last()

        if not self._closing and self._thread:
            self.between(end)
        self._closing = True
        if self._thread and self._process == os.getpid():
            self._thread.join()

    def _start(self) -> None:
        # A thread is not inherited by a forked process, such as that of a lent GPU: each process starts its own.
        if not self.alive or self._process != os.getpid():
            self._process = os.getpid()
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
            atexit.register(self._exit, self._process)

    def _exit(self, process: int) -> None:
        # A daemon thread that comes back from compiled code into a dying interpreter is ended there and then, which
        # aborts the whole process.
        if process == os.getpid() and self.alive:
            self.close()

    def _run(self) -> None:
        more = False
        while not self._closing:
            with self._wake:
                self._wake.wait_for(lambda: more or self._tasks)  # noqa: B023 – called at once
                tasks, self._tasks = self._tasks, deque()
            for task, done in tasks:
                try:
                    done.set_result(task())
                except BaseException as error:
                    done.set_exception(error)
            more = not self._closing and self._turn()
        with self._wake:
            for _, done in self._tasks:
                done.set_exception(RuntimeError("The engine is closed."))
