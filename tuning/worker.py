"""The process of a training run: `python -m tuning.worker FOLDER` does what the folder of a job says.

Everything that happens is appended to the folder's `events.jsonl`, and the last event names the end: done, stopped or
failed with a reason and the next step.
"""

import contextlib
import errno
import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from tuning.config import TrainConfig
from tuning.errors import InputError
from tuning.jobs import Job, read_job
from tuning.process import claim

RESERVE = 1 << 16
"""Bytes set aside, so that on a full disk there is room to say that it is full."""

Event = Mapping[str, Any]


def run(job: Job, listen: Callable[[Event], None] = lambda event: None) -> Event:
    """Do the job in this process; every event goes to its folder and to `listen`. Returns the last event."""
    claim(job.path, os.getpid())
    (job.path / "reserve").write_bytes(bytes(RESERVE))
    with (job.path / "events.jsonl").open("ab", buffering=0) as log, _stop_signal() as asked:

        def report(event: Event) -> None:
            log.write(json.dumps({**event, "time": round(time.time(), 2)}).encode() + b"\n")
            listen(event)

        try:
            end = _train(job, report, lambda: asked.is_set() or (job.path / "stop").exists())
        except KeyboardInterrupt:
            end = {"event": "stopped", "reason": "interrupted; nothing was saved"}
        except Exception as error:  # the one place where a run ends: whatever it was is named for the user
            end = {"event": "failed", "reason": name_failure(error), "traceback": traceback.format_exc()}
        (job.path / "reserve").unlink()
        report(end)
        os.fsync(log.fileno())
    return end


def _train(job: Job, report: Callable[[Event], None], stop: Callable[[], bool]) -> Event:
    from tuning.adapters import open_adapter
    from tuning.assess import assess_saved
    from tuning.base import load_base
    from tuning.dialogues import load
    from tuning.train import Stopped, train

    config = TrainConfig(**job.told["config"])
    home = job.path.parent.parent
    base = load_base(job.told["base"], home, lambda text: report({"event": "note", "text": text}))
    if config.max_length > base.context:
        report({"event": "note", "text": f"{base.name} reads {base.context} tokens; longer rows are cut or left out"})
        config = replace(config, max_length=base.context)
    data = load(job.rows, base.tokenizer, config.max_length, config.seed)
    report({"event": "rows", **data.report.as_json()})
    start = open_adapter(Path(job.told["start"])) if job.told.get("start") else None
    try:
        adapter = train(base, data, config, job.name, Path(job.told["adapters"]), job.path, report, stop, start)
    except Stopped as error:
        return {"event": "stopped", "reason": str(error)}
    summary = {"adapter": adapter.name, **adapter.card}
    del summary["rows"], summary["curves"], summary["config"]
    if summary["ended"] == "stopped":
        return {
            "event": "stopped",
            "reason": f"stopped at step {summary['steps']}; the best until then is saved",
            **summary,
        }
    verdict = assess_saved(base, adapter, home, report, stop) if config.assess else {}
    return {"event": "done", **summary, **verdict}


def name_failure(error: BaseException) -> str:
    """What went wrong, by its common name, and what to do next."""
    from tuning.loop import Diverged

    text = str(error)
    first = text.splitlines()[0] if text else type(error).__name__
    if isinstance(error, Diverged):
        return f"not a number: {first}"
    if isinstance(error, InputError):
        return first
    if isinstance(error, MemoryError) or "out of memory" in text or "not enough memory" in text:
        return "out of memory: lower batch_size or max_length, or close other programs, and start again"
    full = isinstance(error, OSError) and error.errno == errno.ENOSPC
    if full or "No space left" in text or "file write failed" in text or "PytorchStreamWriter" in text:
        return "disk full: make room and start again"
    return f"{type(error).__name__}: {first}; the whole message is in events.jsonl of the run"


@contextlib.contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """An event that the first SIGTERM or SIGINT sets; a second SIGINT interrupts at once."""
    asked = threading.Event()

    def ask(number: int, frame: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def quiet() -> None:
    """Leave standard error to what the user should read."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    warnings.filterwarnings("ignore", category=FutureWarning)
    logging.getLogger("accelerate").setLevel(logging.ERROR)


def _low_priority() -> None:
    """Let chatting go first on the same processor."""
    process = psutil.Process()
    process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if sys.platform == "win32" else 10)


if __name__ == "__main__":
    _low_priority()
    quiet()
    sys.exit(0 if run(read_job(Path(sys.argv[1])))["event"] != "failed" else 1)
