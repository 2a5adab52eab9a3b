"""A run whose disk gets full while it saves: `python -m tests.tuning.full_disk DISK BASE`, on a small disk of its own.

Prints a JSON object: what the run said, and what was on the disk, at each stage.
"""

import contextlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from tuning.adapters import list_adapters
from tuning.checkpoints import latest_whole, step_of
from tuning.config import TrainConfig
from tuning.errors import InputError
from tuning.jobs import Job, create_job, read_job, resume_job, start_job
from tuning.process import owner

CONFIG = TrainConfig(rank=4, alpha=8, epochs=40, max_length=64, precision="float32", patience=0, assess=False)
SECONDS = 100.0
LEFT = 32 << 10


def rows(folder: Path) -> Path:
    path = folder / "rows.jsonl"
    with path.open("w") as file:
        for number in range(24):
            part = ("train", "validation", "test")[number % 3]
            file.write(json.dumps({"prompt": f"answer {number}?", "response": "red", "split": part}) + "\n")
    return path


def fill(balloon: Path) -> None:
    """Leave room for the beginning of a checkpoint, but not for its end."""
    with balloon.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass
        file.truncate(file.tell() - LEFT)


@contextlib.contextmanager
def halted(job: Job) -> Iterator[None]:
    """The run stands still meanwhile: on a busy machine it would be done before its disk is full."""
    process = psutil.Process(owner(job.path)["pid"])
    process.suspend()
    try:
        yield
    finally:
        process.resume()


def wait_for(job: Job, holds: Callable[[Job], bool]) -> Job:
    deadline = time.monotonic() + SECONDS
    while not holds(job := read_job(job.path)):
        if time.monotonic() > deadline:
            raise TimeoutError(job, (job.path / "output.txt").read_text())
        time.sleep(0.005)
    return job


def main(disk: Path, base: Path) -> None:
    told: dict[str, object] = {}
    notes: list[str] = []
    table = rows(disk)
    whole = create_job(disk / "home", table, "undisturbed", CONFIG, str(base))
    start_job(whole)
    wait_for(whole, lambda job: not job.active)
    job = create_job(disk / "home", table, "mine", CONFIG, str(base))
    start_job(job)
    wait_for(job, lambda job: latest_whole(job.path / "checkpoints", thorough=False) is not None)
    with halted(job):
        fill(disk / "balloon")
    told["free"] = shutil.disk_usage(disk).free
    job = wait_for(job, lambda job: not job.active)
    told["full"] = {"state": job.state, "reason": job.reason, "resumable": job.resumable}
    told["traceback"] = job.last("failed").get("traceback")
    found = latest_whole(job.path / "checkpoints")
    told["checkpoint"] = step_of(found) if found else 0
    told["listed"] = [one.name for one in list_adapters(disk / "home" / "adapters", note=notes.append)]
    try:
        resume_job(job)
    except InputError as error:
        told["refused"] = str(error)
    (disk / "balloon").unlink()
    job = wait_for(resume_job(job), lambda job: not job.active)
    told["resumed"] = {"state": job.state, "from": job.last("resumed").get("step")}
    digests = {one.name: one.digest for one in list_adapters(disk / "home" / "adapters", note=notes.append)}
    told["same"] = digests["mine"] == digests["undisturbed"]
    told["notes"] = notes
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
