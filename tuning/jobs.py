"""Training runs as folders: make one, look at it, stop it, let it go on.

`<home>/jobs/<ID>/` holds `config.json` (what to do), the rows of its recipe, `output.txt` (what its process printed),
`checkpoints/` and what `tuning.standing` tells its state from. Imports no model library: looking at a run is cheap.
"""

import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuning.adapters import Adapter, check_name, refuse_taken
from tuning.config import TrainConfig
from tuning.disk import refuse_full
from tuning.errors import InputError
from tuning.process import is_alive, kill, write_json
from tuning.queue import GRACE_SECONDS, cancel, locked, overdue, pump, put, waiting, working
from tuning.recipe import Recipe
from tuning.standing import ENDS, EVENTS, STOP, read_events, standing

__all__ = [
    "Job",
    "ahead_of",
    "ask_stop",
    "create_job",
    "end_now",
    "find_job",
    "latest_job",
    "list_jobs",
    "pump",
    "read_job",
    "resume_job",
    "start_job",
    "stop_behind",
    "stop_job",
    "waiting_jobs",
]


ROWS = "rows"
"""Below a job's folder: its own copies of the rows."""


@dataclass(frozen=True)
class Job:
    """A run as its folder describes it now."""

    id: str
    path: Path
    told: Mapping[str, Any]
    """`config.json`: name, base, recipe, adapters, config, start, created."""
    events: tuple[Mapping[str, Any], ...]
    state: str
    """queued, starting, running, stopping, done, stopped or failed."""
    reason: str = ""
    """Why it stopped or failed, what is left and the next step; empty while it goes on and when it is done."""
    resumable: int | None = None
    """The step from which `resume_job` goes on, 0 for the first; None where there is nothing to resume."""
    silent: float = 0.0
    """Seconds without a sign of life, once these are many; else 0."""
    asked: float = 0.0
    """When it was asked to stop, in seconds since the epoch, as long as it is stopping; else 0."""

    @property
    def name(self) -> str:
        return str(self.told["name"])

    @property
    def home(self) -> Path:
        return self.path.parent.parent

    @property
    def recipe(self) -> Recipe:
        """What it trains on, from the job's own copies of the rows."""
        return Recipe.from_json(self.told["recipe"], self.path / ROWS)

    @property
    def active(self) -> bool:
        """Whether it waits or works."""
        return self.state not in ENDS

    def last(self, kind: str) -> Mapping[str, Any]:
        """The latest event of that kind; empty if there was none."""
        return next((event for event in reversed(self.events) if event.get("event") == kind), {})


def create_job(
    home: Path,
    recipe: Recipe | Path,
    name: str,
    config: TrainConfig,
    base: str | None,
    start: Adapter | None = None,
    here: bool = False,
) -> Job:
    """A new run with its own copy of the rows, last in the queue; `pump` starts it when its turn has come.

    With `start`, it goes on from that adapter. With `here`, this process is to work on it: `tuning.queue.wait_turn`.
    Raises InputError if the rows cannot be read, the name is taken or promised to another run, or the disk nearly full.
    """
    jobs = home / "jobs"
    recipe = Recipe.of(recipe) if isinstance(recipe, Path) else recipe
    recipe.refuse_pipes()
    recipe.rows()
    shelf = home / ("models" if config.method == "full" else "adapters")
    refuse_taken(shelf, check_name(name))
    if base and Path(base).expanduser().is_dir():
        base = str(Path(base).expanduser().resolve())  # who works on it may do so in another folder
    with locked(jobs):
        for job in list_jobs(home):
            if job.active and job.name.lower() == name.lower():
                raise InputError(f"run {job.id} ({job.state}) will make {name}; choose another name or stop it first")
        refuse_full(home, config, base)
        # The time first, so that names sort as the runs began; the rest so that no two are the same.
        folder = jobs / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"
        folder.mkdir()
        copied = recipe.copied(folder / ROWS)
        put(folder, here)
        told = {
            "name": name,
            "base": base,
            "recipe": copied,
            "adapters": str(shelf),
            "config": asdict(config),
            "start": str(start.path.resolve()) if start else None,
            "created": time.time(),
        }
        write_json(folder / "config.json", told)
    return read_job(folder)


def start_job(job: Job) -> None:
    """Let the queue go on: `job` begins now if no other works, in a process that outlives the page that asked."""
    pump(job.home)


def resume_job(job: Job, here: bool = False) -> Job:
    """Put a stopped or failed run into the queue again; it goes on from its last whole checkpoint.

    Raises InputError if it is active or done, or has failed in a way that it would again, or the disk is nearly full.
    """
    with locked(job.path.parent):
        job = read_job(job.path)
        if job.active:
            raise InputError(f"run {job.id} is {job.state}; there is nothing to resume")
        if job.state == "done":
            raise InputError(f"run {job.id} is done; to train on from its adapter, start a run from {job.name}")
        if job.resumable is None:
            raise InputError(f"run {job.id} would fail again ({job.reason}); start another")
        refuse_full(job.home, TrainConfig(**job.told["config"]), job.told["base"])
        put(job.path, here)
    if not here:
        pump(job.home)
    return read_job(job.path)


def list_jobs(home: Path, most: int | None = None) -> list[Job]:
    """All runs, or so many of them, the newest first."""
    return [read_job(path.parent) for path in sorted((home / "jobs").glob("*/config.json"), reverse=True)[:most]]


def latest_job(home: Path) -> Job | None:
    """The run that works; else the one in which something happened last. None before the first."""
    folders = [path.parent for path in (home / "jobs").glob("*/config.json")]
    latest = next(iter(working(home)), None) or max(folders, key=_changed, default=None)
    return read_job(latest) if latest else None


def waiting_jobs(home: Path) -> list[Job]:
    """The runs that wait for their turn, the next one first."""
    return [job for job in map(read_job, waiting(home)) if job.state == "queued"]


def ahead_of(job: Job) -> list[Job]:
    """The runs whose turn comes before that of a queued one: who works, then who has waited longer."""
    if job.state != "queued":
        return []
    line = waiting_jobs(job.home)
    before = next((place for place, one in enumerate(line) if one.id == job.id), len(line))
    return [read_job(folder) for folder in working(job.home)] + line[:before]


def _changed(folder: Path) -> tuple[float, str]:
    """When something happened in a run, and its name for those of one moment."""
    files = [path for path in (folder / EVENTS, folder / "config.json") if path.exists()]
    return max(path.stat().st_mtime for path in files), folder.name


def find_job(home: Path, id: str) -> Job:
    """The run of that id. Raises InputError with the ids that there are."""
    for job in list_jobs(home):
        if job.id == id:
            return job
    raise InputError(f"no run {id!r}; there are: {', '.join(job.id for job in list_jobs(home)) or 'none yet'}")


def read_job(folder: Path) -> Job:
    """The run in `folder` as it stands now."""
    told = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    while True:
        # Is it alive? is asked before the events are read: a run that ends in between is seen as ended, not as lost.
        # And again afterwards, lest one that is just being started is seen as neither waiting nor working.
        alive, events = is_alive(folder), read_events(folder)
        found = standing(folder, told, alive, events)
        if is_alive(folder) == alive:
            return Job(folder.name, folder, told, events, **vars(found))


def ask_stop(job: Job) -> None:
    """Ask a run to end after its step and to save the best so far; one that only waits leaves the queue."""
    if cancel(job.path):
        return
    if read_job(job.path).active:
        (job.path / STOP).touch()


def stop_job(job: Job, grace: float = GRACE_SECONDS, tell: Callable[[Job], None] = lambda job: None) -> Job:
    """Ask a run to stop, wait `grace` seconds for it to save, then kill it. Returns the run as it stands after that.

    `tell` hears of it while it is awaited.
    """
    ask_stop(job)
    while (job := read_job(job.path)).active:
        tell(job)
        if overdue(job.path, grace):
            kill(job.path)
        time.sleep(0.1)
    return job


def end_now(job: Job) -> None:
    """Ask a run to stop, and end it by force without waiting for it to save."""
    ask_stop(job)
    kill(job.path)


def stop_behind(job: Job) -> None:
    """`stop_job` in a thread: a page does not wait for it."""
    threading.Thread(target=stop_job, args=[job], name=f"stop {job.id}", daemon=True).start()
