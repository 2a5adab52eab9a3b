"""The process that works for a folder: start it, know it again later, end it."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

PATIENT_THREADS = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Environment in which torch's threads sleep while they wait for each other. By default they spin, and on cores that
other programs use too, each then burns the time that the one it waits for would need; `python -m tests.bench threads`
shows how much."""


def spawn(folder: Path, module: str) -> None:
    """Run `python -m module folder` in a process that outlives this one; what it prints goes to `output.txt` there."""
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
    # Wait for it, or it would stay in the process table after its end for as long as this process lives.
    threading.Thread(target=process.wait, name=f"run {folder.name}", daemon=True).start()


def claim(folder: Path, pid: int) -> None:
    """Record the process that does the work of `folder`; with its start time, because process ids are used again."""
    with contextlib.suppress(psutil.NoSuchProcess):  # it has ended already: its events tell how
        write_json(folder / "process.json", {"pid": pid, "started": psutil.Process(pid).create_time()})


def is_alive(folder: Path) -> bool | None:
    """Whether the process that claimed the folder lives; None if none has claimed it."""
    try:
        record = json.loads((folder / "process.json").read_text(encoding="utf-8"))
        process = psutil.Process(record["pid"])
        same = abs(process.create_time() - record["started"]) < 1
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except FileNotFoundError:
        return None
    except psutil.Error:
        return False


def kill(folder: Path) -> None:
    """End the folder's process at once, if it lives."""
    if is_alive(folder):
        process = psutil.Process(json.loads((folder / "process.json").read_text(encoding="utf-8"))["pid"])
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
            process.wait(10)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write `value` so that a reader sees the old file or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
