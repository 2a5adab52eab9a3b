"""A run's progress on standard error."""

import sys
import time
from collections.abc import Mapping
from typing import Any


class Meter:
    """A line that is written over, on a terminal only."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = 0.0

    def __call__(self, event: Mapping[str, Any]) -> None:
        kind = event["event"]
        if not self._terminal:
            return
        if kind == "note":
            self._say(f"{event['text']}\n")
        elif kind == "rows":
            for what in ("dropped", "cut"):
                for finding in event[what]:
                    self._say(f"{what}: {finding['place']}: {finding['reason']}\n")
        elif kind == "validation":
            self._say(f"step {event['step']}: validation loss {event['loss']:.3f}\n")
        elif kind == "step" and time.monotonic() - self._last > 0.2:
            self._last = time.monotonic()
            line = f"step {event['step']}/{event['steps']}  loss {event['loss']:.3f}  "
            line += f"{event['answer_tokens_per_second']:.0f} answer tokens/s  {event['seconds_left']:.0f} s left"
            self._say(line)
        elif kind == "assessing":
            self._say(f"measuring it beside its base: {event['done']} of {event['rows']} rows")
        elif kind in ("done", "stopped", "failed"):
            self._say("")

    def _say(self, text: str) -> None:
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()
