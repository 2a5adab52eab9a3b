"""How a run stands, from its folder and the process table alone: what anybody sees, at any time, after any crash.

`queued` marks a run that waits for its turn; `process.json` says who works on it, `pulse` when that process last did
work, `stop` that it was asked to end; `events.jsonl` has a line for each thing that happened. Imports no model library.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tuning.adapters import CARD
from tuning.checkpoints import latest_whole, step_of
from tuning.process import memory_kills, owner

ENDS = ("done", "stopped", "failed")
POINTS = ("step", "validation")

QUEUED = "queued"
STOP = "stop"
PULSE = "pulse"
EVENTS = "events.jsonl"

SILENT_SECONDS = 60.0
"""A process that neither reported nor computed for so long shows no sign of life: it waits for a disk or a network."""

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Standing:
    """Where a run is in its life."""

    state: str
    """queued, starting, running, stopping, done, stopped or failed."""
    reason: str = ""
    """Why it stopped or failed, what is left of it, and the next step; empty while it goes on and when it is done."""
    resumable: int | None = None
    """The step from which it can go on, 0 for the first; None where there is nothing to resume."""
    silent: float = 0.0
    """Seconds since the last sign of life, where that is longer than `SILENT_SECONDS`; else 0."""
    asked: float = 0.0
    """When it was asked to stop, where it is `stopping`: seconds since the epoch."""


def standing(folder: Path, told: Mapping[str, Any], alive: bool | None, events: Sequence[Event]) -> Standing:
    """`told` is the run's config.json; `alive` must have been asked before `events` were read."""
    recent = since_begun(events)
    end = next((event for event in reversed(recent) if event.get("event") in ENDS), None)
    asked = asked_at(folder)
    if end:
        return _ended(folder, end)
    if (folder / QUEUED).exists():
        if alive is not False:
            return Standing("queued")
        return _lost(folder, told, "failed", "the command that waited for its turn was ended")
    if alive:
        begun = any(event.get("event") == "begin" for event in recent)
        state = "stopping" if asked else "running" if begun else "starting"
        return Standing(state, silent=silence(folder), asked=asked if state == "stopping" else 0.0)
    if asked:
        return _lost(folder, told, "stopped", "it was ended by force before it ended by itself")
    step = next((event["step"] for event in reversed(events) if event.get("event") == "step"), 0)
    return _lost(folder, told, "failed", _vanished(folder, step))


def since_begun(events: Sequence[Event]) -> Sequence[Event]:
    """The events since the run was last put into the queue, or begun; before that, none of its past."""
    marks = (QUEUED, "begin")
    return events[next((at for at in range(len(events) - 1, -1, -1) if events[at].get("event") in marks), 0) :]


def asked_at(folder: Path) -> float:
    """When the run was asked to stop, in seconds since the epoch; 0 if it was not."""
    try:
        return (folder / STOP).stat().st_mtime
    except FileNotFoundError:
        return 0.0


def silence(folder: Path) -> float:
    """Seconds since the run's process last reported or computed, if that is alarming; else 0."""
    seen = 0.0
    for name in (PULSE, EVENTS, "process.json"):
        with contextlib.suppress(FileNotFoundError):
            seen = max(seen, (folder / name).stat().st_mtime)
    silent = time.time() - seen
    return silent if silent >= SILENT_SECONDS else 0.0


def _ended(folder: Path, end: Event) -> Standing:
    state, reason = str(end["event"]), str(end.get("reason", ""))
    if state == "done" or not end.get("resumable", True):
        return Standing(state, reason)
    step = _resumable(folder)
    if not step and "adapter" in end:  # it was stopped, and somebody removed its checkpoints
        return Standing(state, reason)
    return Standing(state, f"{reason}; {_prospect(step)}", step)


def _lost(folder: Path, told: Mapping[str, Any], state: str, reason: str) -> Standing:
    """A run whose process could not say what it leaves behind."""
    step = _resumable(folder)
    prospect = _prospect(step)
    if _saved(folder, told):
        prospect = f"its adapter is saved, and resuming it tells the rest (from step {step})"
    return Standing(state, f"{reason}; {prospect}", step)


def _resumable(folder: Path) -> int:
    newest = latest_whole(folder / "checkpoints", thorough=False)
    return step_of(newest) if newest else 0


def _prospect(step: int) -> str:
    return f"it can be resumed from step {step}" if step else "nothing of it was saved, so resuming begins it anew"


def _saved(folder: Path, told: Mapping[str, Any]) -> bool:
    """Whether this run's adapter is on the disk."""
    try:
        card = json.loads((Path(told["adapters"]) / told["name"] / CARD).read_text(encoding="utf-8"))
        before = json.loads((folder / "before.json").read_text(encoding="utf-8"))
        return bool(card["run"] == before["run"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _vanished(folder: Path, step: int) -> str:
    place = f"after step {step}" if step else "before its first step"
    kills, before = memory_kills(), owner(folder).get("memory_kills")
    if kills is not None and before is not None and kills > before:
        return (
            f"out of memory, it seems: the process vanished {place}, and the system has ended processes for lack of "
            "memory since; close other programs, or begin anew with a smaller batch_size or max_length"
        )
    return f"killed: the process vanished {place} without a word, as when somebody ends it or the machine restarts"


def read_events(folder: Path) -> tuple[Event, ...]:
    """The events; a line that was torn by a crash or is being written is no event.

    Points of curves that a resumed run computed once more are those that it computed last.
    """
    with contextlib.suppress(FileNotFoundError):
        now = (folder / EVENTS).stat()
        return _read_events(folder / EVENTS, now.st_mtime_ns, now.st_size, now.st_ino)
    return ()


@lru_cache(maxsize=64)
def _read_events(path: Path, *stamp: int) -> tuple[Event, ...]:
    """As the file was at that `stamp`, or later; pages look each second, at runs that ended long ago too."""
    return tuple(_without_repeats(list(_parsed(path.read_bytes().split(b"\n")))))


def _parsed(lines: Iterable[bytes]) -> Iterable[Event]:
    for line in lines:
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict):
                yield event


def _without_repeats(events: Sequence[Event]) -> Sequence[Event]:
    kept, first = [], dict.fromkeys(POINTS, float("inf"))
    for event in reversed(events):
        kind = event.get("event")
        if kind in POINTS:
            if event["step"] >= first[kind]:
                continue
            first[kind] = event["step"]
        kept.append(event)
    return kept[::-1]


def append_event(folder: Path, event: Event) -> None:
    """Add an event to those of a run that no process works on."""
    with (folder / EVENTS).open("ab", buffering=0) as log:
        # On a line of its own, whatever a crash has left of the last one.
        log.write(b"\n" + json.dumps({**event, "time": round(time.time(), 2)}).encode() + b"\n")
        os.fsync(log.fileno())
