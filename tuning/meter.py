"""A run's progress on standard error."""

import sys
import time
from collections.abc import Mapping
from typing import Any

from tuning.progress import TimeLeft, duration, estimated


class Meter:
    """A line that is written over, and others that stay, on a terminal only."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = 0.0
        self._left = TimeLeft()

    def __call__(self, event: Mapping[str, Any]) -> None:
        if not self._terminal:
            return
        self._left.hear(event)
        for line in _lines(event):
            self._say(line + "\n")
        if event["event"] in ("step", "assessing") and time.monotonic() - self._last > 0.2:
            self._last = time.monotonic()
            self._say(self._now(event))
        elif event["event"] in ("done", "stopped", "failed"):
            self._say("")

    def _now(self, event: Mapping[str, Any]) -> str:
        if event["event"] == "assessing":
            return f"measuring it against its base: row {event['done']} of {event['rows']}"
        return (
            f"step {event['step']}/{event['steps']}  loss {event['loss']:.3f}  "
            f"{event['answer_tokens_per_second']:.0f} answer tokens/s  {duration(self._left.seconds() or 0.0)} left"
        )

    def _say(self, text: str) -> None:
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


def _lines(event: Mapping[str, Any]) -> list[str]:
    """What stays on the terminal."""
    kind = event["event"]
    if kind == "note":
        return [event["text"]]
    if kind == "rows":
        return [f"{what}: {one['place']}: {one['reason']}" for what in ("dropped", "cut") for one in event[what]]
    if kind == "estimate":
        return [f"training takes {estimated(event)}"]
    if kind == "validation":
        return [f"step {event['step']}: validation loss {event['loss']:.3f}"]
    if kind == "saving":
        return ["asked to stop: what is best until now is measured and saved"]
    return []
