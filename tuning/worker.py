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
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil

from tuning.checkpoints import latest_whole
from tuning.config import TrainConfig
from tuning.errors import InputError
from tuning.failures import name_failure
from tuning.jobs import Job, pump, read_job
from tuning.pulse import pulse
from tuning.queue import take
from tuning.standing import EVENTS, STOP

RESERVE = 1 << 16
"""Bytes set aside, so that on a full disk there is room to say that it is full."""

Event = Mapping[str, Any]


def run(job: Job, listen: Callable[[Event], None] = lambda event: None) -> Event:
    """Do the job in this process; every event goes to its folder and to `listen`. Returns the last event.

    Raises InputError if it is not this process's to do.
    """
    if not take(job.path):
        raise InputError(f"run {job.id} is not waiting; look at it with `list`, and resume it if it has stopped")
    with _Log(job.path) as log, _stop_signal() as asked, pulse(job.path):

        def report(event: Event) -> None:
            log.write(event)
            listen(event)

        try:
            report({"event": "begin"})
            log.reserve()
            end = _train(job, report, _Asked(lambda: asked.is_set() or (job.path / STOP).exists(), report))
        except KeyboardInterrupt:
            end = {"event": "stopped", "reason": "interrupted"}
        except Exception as error:  # the one place where a run ends: whatever it was is named for the user
            begun = latest_whole(job.path / "checkpoints", thorough=False) is not None
            failure = name_failure(error, begun)
            end = {"event": "failed", **asdict(failure), "traceback": traceback.format_exc()}
        log.release()
        report(end)
    return end


def follow(job: Job) -> int:
    """Work on the job as one of several processes, of which the first keeps its folder. Returns an exit status."""
    with _stop_signal() as asked:
        try:
            _train(job, lambda event: None, asked.is_set)
        except InputError:  # which the first one tells
            return 2
    return 0


class _Asked:
    """Whether the run was asked to stop. Who asks this has ended its step and goes on to save, which is an event."""

    def __init__(self, asked: Callable[[], bool], report: Callable[[Event], None]) -> None:
        self._asked, self._report, self._told = asked, report, False

    def __call__(self) -> bool:
        if not self._asked():
            return False
        if not self._told:
            self._told = True
            self._report({"event": "saving"})
        return True


class _Log:
    """The folder's events.jsonl, with some room set aside for the last of them."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / EVENTS).open("ab", buffering=0)
        self._reserve = folder / "reserve"
        self._whole = False  # a crash may have torn the last line

    def __enter__(self) -> "_Log":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        os.fsync(self._file.fileno())
        self._file.close()

    def reserve(self) -> None:
        self._reserve.write_bytes(bytes(RESERVE))

    def release(self) -> None:
        self._reserve.unlink(missing_ok=True)

    def write(self, event: Event) -> None:
        line = json.dumps({**event, "time": round(time.time(), 2)}).encode() + b"\n"
        line = line if self._whole else b"\n" + line
        self._whole = False
        if self._file.write(line) != len(line):  # what a disk does that is just getting full
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._whole = True


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
    data = load(job.recipe, base.tokenizer, config.max_length, config.seed)
    report({"event": "rows", **data.report.as_json()})
    start = open_adapter(Path(job.told["start"])) if job.told.get("start") else None
    try:
        adapter = train(base, data, config, job.name, Path(job.told["adapters"]), job.path, report, stop, start)
    except Stopped as error:
        return {"event": "stopped", "reason": str(error)}
    unused = {"dropped_rows": len(data.report.dropped), "cut_rows": len(data.report.cut)}
    summary = {"adapter": adapter.name, **adapter.card, **unused}
    del summary["rows"], summary["curves"], summary["config"]
    if summary["ended"] == "stopped":
        return {
            "event": "stopped",
            "reason": f"stopped at step {summary['steps']}; the best until then is saved",
            **summary,
        }
    verdict = assess_saved(base, adapter, home, report, stop) if config.assess else {}
    return {"event": "done", **summary, **verdict}


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


def yield_to_others() -> None:
    """Let chatting go first on the same processor; and where memory runs out, let the run go that can be resumed."""
    process = psutil.Process()
    process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if sys.platform == "win32" else 10)
    if sys.platform == "linux" and os.getsid(0) == os.getpid():
        # Where Linux shares processors out by session, niceness only counts within one: this one is lowered as a whole.
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text("10", encoding="ascii")
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


def main(folder: Path) -> int:
    """Do the job of that folder, then let the next in the queue begin."""
    yield_to_others()
    quiet()
    job = read_job(folder)
    try:
        return 0 if run(job)["event"] != "failed" else 1
    finally:
        pump(job.home)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
