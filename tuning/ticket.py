"""What a caller of the engine holds: the states of its answers, handed from the thread that computes them."""

import threading
from collections.abc import Callable, Iterator, Sequence

from tuning.request import Answer


class Ticket:
    """The answers to one call. The engine's thread notes, the caller's thread reads; neither waits for the other."""

    def __init__(self, user: str, count: int, stop: threading.Event | None) -> None:
        self.user = user
        self._answers = [Answer() for _ in range(count)]
        self._changed = threading.Condition()
        self._version = 0
        self._stop = stop
        self._closed = False

    @property
    def stopped(self) -> bool:
        """Whether nobody wants the answers any more."""
        return self._closed or (self._stop is not None and self._stop.is_set())

    def note(self, number: int, answer: Answer) -> None:
        self._answers[number] = answer

    def publish(self) -> None:
        """Wake the reader: what was noted is a state worth seeing."""
        with self._changed:
            self._version += 1
            self._changed.notify_all()

    def close(self) -> None:
        self._closed = True

    def states(self, alive: Callable[[], bool], patience: float = 1.0) -> Iterator[list[Answer]]:
        """The newest state whenever there is a newer one, until all answers are finished.

        Raises RuntimeError if `alive`, asked every `patience` seconds, says that nobody computes any more.
        """
        seen = 0
        while True:
            with self._changed:
                while self._version == seen:
                    if not self._changed.wait(patience) and self._version == seen and not alive():
                        raise RuntimeError("The engine has stopped; start the app again.")
                seen, answers = self._version, list(self._answers)
            yield answers
            if finished(answers):
                return


def finished(answers: Sequence[Answer]) -> bool:
    return all(answer.finished for answer in answers)
