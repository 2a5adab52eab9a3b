"""The process that works for a folder: start it, know it again later, end it."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

RECORD = "process.json"

PATIENT_THREADS = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Environment in which torch's threads sleep while they wait for each other. By default they spin, and on cores that
other programs use too, each then burns the time that the one it waits for would need; `python -m tests.bench threads`
shows how much."""


def spawn(folder: Path, module: str, ended: Callable[[], None] = lambda: None) -> None:
    """Run `python -m module folder` in a process that outlives this one; what it prints goes to `output.txt` there.

    If this process lives to see the other's end, a thread calls `ended` then.
    """
    with (folder / "output.txt").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(folder.resolve())],
            cwd=Path(__file__).resolve().parent.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,  # a file, never a pipe: a pipe that nobody reads any more would halt the training
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **PATIENT_THREADS},
        )
    claim(folder, process.pid)

    def wait() -> None:  # else it would stay in the process table after its end for as long as this process lives
        process.wait()
        ended()

    threading.Thread(target=wait, name=f"run {folder.name}", daemon=True).start()


def claim(folder: Path, pid: int) -> None:
    """Record the process that does the work of `folder`; with its start time, because process ids are used again."""
    try:
        started = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:  # it has ended already: its events tell how
        started = 0.0
    write_json(folder / RECORD, {"pid": pid, "started": started, "memory_kills": memory_kills()})


def owner(folder: Path) -> dict[str, Any]:
    """What `claim` recorded; empty if no process has claimed the folder."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return dict(record)


def is_alive(folder: Path) -> bool | None:
    """Whether the process that claimed the folder lives; None if none has claimed it."""
    record = owner(folder)
    if not record:
        return None
    try:
        process = psutil.Process(record["pid"])
        same = abs(process.create_time() - record["started"]) < 1
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def kill(folder: Path) -> None:
    """End the folder's process and its children at once, if it lives."""
    if not is_alive(folder):
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(owner(folder)["pid"])
        family = [*process.children(recursive=True), process]  # itself last: it may be this very process
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=10)


def memory_kills() -> int | None:
    """How many processes the system has ended for lack of memory since it started; None where it does not say."""
    try:
        counts = dict(line.split() for line in Path("/proc/vmstat").read_text(encoding="ascii").splitlines())
        return int(counts["oom_kill"])
    except (OSError, ValueError, KeyError):
        return None


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write `value` so that a reader sees the old file or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(value, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
