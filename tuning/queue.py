"""Runs in turn, one at a time, with no process that must stay alive for it.

A folder with the file `queued` waits. Whoever passes by (a page's clock, a command, a run that ends) calls `pump`: it
starts the one that has waited longest, if no other works, and ends what was asked to stop and did not.
"""

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tuning.errors import InputError
from tuning.process import RECORD, claim, is_alive, kill, owner, spawn, write_json
from tuning.standing import (
    ENDS,
    EVENTS,
    QUEUED,
    SILENT_SECONDS,
    STOP,
    append_event,
    read_events,
    silence,
    since_begun,
)

GRACE_SECONDS = 300.0
"""What a stop allows for finishing a step, measuring and saving, before the process is killed; busy cores need it."""

WORKER = "tuning.worker"

SILENT_GRACE_SECONDS = 15.0
"""The same for a process that shows no sign of life."""

POLL_SECONDS = 0.3


def put(folder: Path, here: bool = False) -> None:
    """Let a run wait for its turn; with `here`, in this process, which then must call `wait_turn`. Under the lock.

    In this order, one that has ended looks so to whoever reads it in between, until it looks queued.
    """
    (folder / RECORD).unlink(missing_ok=True)
    if here:
        claim(folder, os.getpid())
    write_json(folder / QUEUED, {"since": time.time()})
    if (folder / EVENTS).exists():
        append_event(folder, {"event": QUEUED})
    (folder / STOP).unlink(missing_ok=True)


def pump(home: Path) -> None:
    """Start the run that has waited longest, if none is working; kill what should have stopped long ago."""
    jobs = home / "jobs"
    alive = [folder for folder in _claimed(jobs) if is_alive(folder)]
    if not any((folder / STOP).exists() for folder in alive) and not any(jobs.glob(f"*/{QUEUED}")):
        return
    with locked(jobs):
        for folder in alive:
            if _works(folder) and overdue(folder):
                kill(folder)
        if working(home):
            return
        for folder in waiting(home):
            there = is_alive(folder)
            if there is None:
                spawn(folder, WORKER, lambda: _pump_quietly(home))
                (folder / QUEUED).unlink()
                return
            if there:  # a command waits in front of it, and looks again in a moment
                return


def _pump_quietly(home: Path) -> None:
    with contextlib.suppress(InputError, OSError):
        pump(home)


def waiting(home: Path) -> list[Path]:
    """The folders of the runs that wait, the next one first."""

    def since(folder: Path) -> tuple[float, str]:
        try:
            return float(json.loads((folder / QUEUED).read_text(encoding="utf-8"))["since"]), folder.name
        except (OSError, ValueError, KeyError, TypeError):
            return 0.0, folder.name

    found = [path.parent for path in (home / "jobs").glob(f"*/{QUEUED}")]
    return sorted((folder for folder in found if (folder / "config.json").exists()), key=since)


def take(folder: Path) -> bool:
    """Claim a run for this process, which is about to work on it. False if that is not, or no longer, its to do.

    Two processes may have been started for one run, where the first starter was killed before it could write down that
    it had.
    """
    with locked(folder.parent):
        mine = owner(folder).get("pid") == os.getpid()
        if not mine and (is_alive(folder) or not (folder / QUEUED).exists()):
            return False
        claim(folder, os.getpid())
        (folder / QUEUED).unlink(missing_ok=True)
        return True


def wait_turn(folder: Path, tell: Callable[[str], None] = lambda text: None) -> bool:
    """Wait in this process until it is the turn of a run that was put with `here`. False if it was cancelled."""
    home, told = folder.parent.parent, ""
    while (folder / QUEUED).exists():
        pump(home)
        with locked(folder.parent):
            ahead = [other.name for other in working(home)]
            for other in waiting(home):
                if other == folder:
                    break
                if is_alive(other) is not False:
                    ahead.append(other.name)
            if not ahead and (folder / QUEUED).exists():
                (folder / QUEUED).unlink()
                return True
        if (text := f"waiting for run {', '.join(ahead)}") != told and ahead:
            tell(told := text)
        time.sleep(POLL_SECONDS)
    return False


def cancel(folder: Path) -> bool:
    """Take a run out of the queue. False if it was not in it, or not any more."""
    with locked(folder.parent):
        if not (folder / QUEUED).exists():
            return False
        append_event(folder, {"event": "stopped", "reason": "cancelled while it waited for its turn"})
        (folder / QUEUED).unlink()
        return True


def overdue(folder: Path, grace: float = GRACE_SECONDS) -> bool:
    """Whether a run was asked to stop so long ago that it is killed."""
    try:
        waited = time.time() - (folder / STOP).stat().st_mtime
    except FileNotFoundError:
        return False
    return waited > grace or (waited > SILENT_GRACE_SECONDS and silence(folder) >= SILENT_SECONDS)


def _claimed(jobs: Path) -> list[Path]:
    return [path.parent for path in jobs.glob(f"*/{RECORD}")]


def working(home: Path) -> list[Path]:
    """The folders of the runs that are being worked on: one, unless somebody cheats."""
    return [folder for folder in _claimed(home / "jobs") if _works(folder)]


def _works(folder: Path) -> bool:
    """Whether a process is at work on the run: one that has said how it ended may live on for a moment."""
    if (folder / QUEUED).exists() or not is_alive(folder):
        return False
    return not any(event.get("event") in ENDS for event in since_begun(read_events(folder)))


@contextlib.contextmanager
def locked(jobs: Path) -> Iterator[None]:
    """One process at a time may change who works. SQLite's lock is the portable one that dies with its holder.

    Raises InputError where the folder cannot be written.
    """
    try:
        jobs.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(jobs / "lock.sqlite", timeout=30, isolation_level=None)) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            yield
    except (OSError, sqlite3.OperationalError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{jobs} cannot be written ({why}); make room or choose another") from error
