"""How far a benchmark is, and how long it will still take by the answers that it has computed so far."""

import time
from collections.abc import Mapping
from typing import Any


class Pace:
    """Follows the events of `eval.benchmark.run`."""

    def __init__(self) -> None:
        self._before, self._began = 0, time.monotonic()

    def left(self, event: Mapping[str, Any]) -> float | None:
        """Seconds that are left; None while no answer has been computed."""
        if "before" in event:
            self._before, self._began = event["before"], time.monotonic()
        fresh, missing = event["done"] - self._before, event["answers"] - event["done"]
        return (time.monotonic() - self._began) / fresh * missing if fresh else None


def in_words(done: int, answers: int, left: float | None) -> str:
    """So many of how many, and the time that is left in the unit that suits it."""
    more = "" if left is None else f", {left / 60:.0f} min left" if left > 90 else f", {left:.0f} s left"
    return f"{done} of {answers} answers and scores{more}"
