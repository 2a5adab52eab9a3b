"""A training run as a folder: what it was told, what happened, and whether its process still lives.

`<home>/jobs/<ID>/` holds `config.json` (what to do), the rows, `process.json` (who does it), `events.jsonl` (what
happened, appended line by line), `output.txt` (what the process printed), `checkpoints/` and, once asked for, `stop`.
A run's state is computed from these files and the process table alone, so that any page or command, at any time, after
any crash, sees the same. Imports no model library: to look at a run must be cheap.
"""

import contextlib
import json
import shutil
import sqlite3
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuning.adapters import Adapter, check_name, refuse_taken
from tuning.config import TrainConfig
from tuning.errors import InputError
from tuning.process import is_alive, kill, spawn, write_json
from tuning.rows import read_rows

FREE_BYTES = 500_000_000
"""Free disk that a run must find: a few checkpoints of a small model's adapter with its optimizer."""

START_SECONDS = 60.0
"""A run whose process has not reported by then never started."""

GRACE_SECONDS = 300.0
"""What a stop allows for finishing a step, measuring and saving, before the process is killed; busy cores need it."""

ENDS = ("done", "stopped", "failed")


@dataclass(frozen=True)
class Job:
    """A run as its folder describes it now."""

    id: str
    path: Path
    told: Mapping[str, Any]
    """`config.json`: name, base, rows, adapters, config, created."""
    events: tuple[Mapping[str, Any], ...]
    state: str
    """starting, running, stopping, done, stopped or failed."""
    reason: str = ""
    """Why it stopped or failed, in words with the next step; empty while it runs and when it is done."""

    @property
    def name(self) -> str:
        return str(self.told["name"])

    @property
    def rows(self) -> Path:
        """The job's own copy of the rows, under the name that the user gave the file."""
        return self.path / "rows" / str(self.told["rows"])

    @property
    def active(self) -> bool:
        return self.state not in ENDS

    def last(self, kind: str) -> Mapping[str, Any]:
        """The latest event of that kind; empty if there was none."""
        return next((event for event in reversed(self.events) if event.get("event") == kind), {})


def create_job(
    home: Path, rows: Path, name: str, config: TrainConfig, base: str | None, start: Adapter | None = None
) -> Job:
    """A new run's folder, with its own copy of the rows. Nothing runs yet. With `start`, it goes on from that adapter.

    Raises InputError if the rows cannot be read, the name is taken, another run is active or the disk is nearly full.
    """
    jobs = home / "jobs"
    read_rows(rows)
    shelf = home / ("models" if config.method == "full" else "adapters")
    refuse_taken(shelf, check_name(name))
    with _writing(jobs), _lock(jobs):
        for job in list_jobs(home):
            if job.active:
                raise InputError(f"run {job.id} ({job.name}) is still {job.state}; wait for it or stop it first")
        free = shutil.disk_usage(jobs).free
        if free < FREE_BYTES:
            raise InputError(f"{home} has {free >> 20} MB free; a run needs {FREE_BYTES >> 20} MB, so make room first")
        # The time first, so that names sort as the runs began; the rest so that no two are the same.
        folder = jobs / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"
        folder.mkdir()
        (folder / "rows").mkdir()
        shutil.copyfile(rows, folder / "rows" / rows.name)
        told = {
            "name": name,
            "base": base,
            "rows": rows.name,
            "adapters": str(shelf),
            "config": asdict(config),
            "start": str(start.path.resolve()) if start else None,
            "created": time.time(),
        }
        write_json(folder / "config.json", told)
    return read_job(folder)


def start_job(job: Job) -> None:
    """Run `job` in a process of its own, which outlives the page that asked for it."""
    spawn(job.path, "tuning.worker")


def list_jobs(home: Path) -> list[Job]:
    """All runs, the newest first."""
    return [read_job(path.parent) for path in sorted((home / "jobs").glob("*/config.json"), reverse=True)]


def latest_job(home: Path) -> Job | None:
    """The newest run; None before the first."""
    newest = max((path.parent for path in (home / "jobs").glob("*/config.json")), default=None)
    return read_job(newest) if newest else None


def find_job(home: Path, id: str) -> Job:
    """The run of that id. Raises InputError with the ids that there are."""
    for job in list_jobs(home):
        if job.id == id:
            return job
    raise InputError(f"no run {id!r}; there are: {', '.join(job.id for job in list_jobs(home)) or 'none yet'}")


def read_job(folder: Path) -> Job:
    """The run in `folder` as it stands now."""
    told = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    # Is it alive? is asked before the events are read: a run that ends in between is then seen as ended, not as lost.
    alive, events = is_alive(folder), tuple(_events(folder / "events.jsonl"))
    state, reason = _state(folder, told, alive, events)
    return Job(folder.name, folder, told, events, state, reason)


def _state(
    folder: Path, told: Mapping[str, Any], alive: bool | None, events: tuple[Mapping[str, Any], ...]
) -> tuple[str, str]:
    end = next((event for event in reversed(events) if event.get("event") in ENDS), None)
    asked = (folder / "stop").exists()
    if end:
        return str(end["event"]), str(end.get("reason", ""))
    if alive:
        return ("stopping" if asked else "running"), ""
    if alive is None and not asked and time.time() - float(told["created"]) < START_SECONDS:
        return "starting", ""
    if asked:
        return "stopped", "killed before it could save; nothing of it is left but its log"
    step = next((event["step"] for event in reversed(events) if event.get("event") == "step"), 0)
    return "failed", (
        f"killed: the process vanished after step {step} without a word, as when memory runs out or the machine "
        "restarts; start it again, with a smaller batch if memory was short"
    )


def _events(path: Path) -> Iterator[Mapping[str, Any]]:
    """The events; a line that was torn by a crash or is being written is no event."""
    if not path.is_file():
        return
    for line in path.read_bytes().split(b"\n"):
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict):
                yield event


def ask_stop(job: Job) -> None:
    """Ask a run to end after its step and to save the best so far."""
    if job.active:
        (job.path / "stop").touch()


def stop_job(job: Job, grace: float = GRACE_SECONDS) -> Job:
    """Ask a run to stop, wait `grace` seconds for it to save, then kill it. Returns the run as it stands after that."""
    ask_stop(job)
    deadline = time.monotonic() + grace
    while (job := read_job(job.path)).active and time.monotonic() < deadline:
        time.sleep(0.2)
    if job.active:
        kill(job.path)
        job = read_job(job.path)
    return job


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise InputError(
            f"{folder} cannot be written ({error.strerror or error}); make room or choose another"
        ) from error


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """One process at a time may create a run. SQLite's lock is the portable one that dies with its holder."""
    with contextlib.closing(sqlite3.connect(folder / "lock.sqlite", timeout=30, isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        yield
