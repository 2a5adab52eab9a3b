"""What a run that goes on says of itself, in words: how far it is, how long it takes, what a stop is waiting for."""

import time
from collections.abc import Mapping
from typing import Any

from tuning.jobs import Job
from tuning.queue import GRACE_SECONDS, SILENT_GRACE_SECONDS
from tuning.standing import since_begun

TRUSTED_STEPS = 4
"""So many measured steps weigh as much as the estimate: the first are slower, and validations come at intervals."""


def duration(seconds: float) -> str:
    """For instance `3 min 5 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def estimated(event: Mapping[str, Any]) -> str:
    """An estimate that was made before the first step."""
    return (
        f"about {duration(event['seconds'])} and {event['bytes'] / 1e9:.1f} GB of memory "
        f"({event['free_bytes'] / 1e9:.1f} GB more are free); corrected as it goes"
    )


class TimeLeft:
    """Until the last step is done: by the estimate first, and more and more by the steps that were taken."""

    def __init__(self) -> None:
        self._estimate: Mapping[str, Any] = {}
        self._taken = 0
        self._left: float | None = None
        self._at = 0.0

    def hear(self, event: Mapping[str, Any]) -> None:
        """Take in the next event of the run."""
        if event["event"] == "estimate":
            self._estimate, self._left = event, event["seconds"]
        elif event["event"] == "step":
            self._taken += 1
            self._left = event["seconds_left"]
            if self._estimate:
                foreseen = self._estimate["seconds"] * (1 - event["step"] / event["steps"])
                self._left = (self._taken * self._left + TRUSTED_STEPS * foreseen) / (self._taken + TRUSTED_STEPS)
        else:
            return
        self._at = event.get("time", 0.0)

    def seconds(self, now: float | None = None) -> float | None:
        """At the time `now`, in seconds since the epoch, or when the last event came; None where nothing is known."""
        return None if self._left is None else max(0.0, self._left - (now - self._at if now else 0.0))


def seconds_left(job: Job, now: float | None = None) -> float | None:
    """Until its last step is done, at the time `now`; None where nothing is known yet."""
    left = TimeLeft()
    for event in since_begun(job.events):
        left.hear(event)
    return left.seconds(time.time() if now is None else now)


def doing(job: Job) -> str:
    """What it does now, where that is not taking steps; else empty."""
    events = since_begun(job.events)
    kinds = [event.get("event") for event in events]
    last = next((event for event in reversed(events) if event.get("event") in ("step", "assessing")), {})
    if last.get("event") == "assessing":
        return f"measuring it against its base, row {last['done']} of {last['rows']}"
    if last:
        return "measuring on unseen rows" if last["step"] == last["steps"] else ""
    if "try" in kinds:
        return "trying learning rates"
    if "resumed" in kinds:
        return f"going on from step {next(event['step'] for event in events if event.get('event') == 'resumed')}"
    if "estimate" in kinds:
        return "measuring the base model before the first step"
    if "start" in kinds:
        return "timing a few steps"
    return str(next((event["text"] for event in reversed(events) if event.get("event") == "note"), ""))


def stage(job: Job, now: float | None = None) -> str:
    """What a stop is waiting for, and when it ends the run by force; empty while it is not stopping."""
    if not job.asked:
        return ""
    at = time.strftime("%H:%M:%S", time.localtime(job.asked + (SILENT_GRACE_SECONDS if job.silent else GRACE_SECONDS)))
    waited = duration((time.time() if now is None else now) - job.asked)
    saving = next((event for event in reversed(since_begun(job.events)) if event.get("event") == "saving"), None)
    if saving is None:
        what = f"asked to stop {waited} ago; it ends the step that it is at, then saves"
    else:
        step = job.last("step").get("step")
        what = f"{f'stopped after step {step}' if step else 'stopped before its first step'}; it measures and saves"
    return f"{what}. If it has not by {at}, it is ended by force, and what its last checkpoint holds is kept"
