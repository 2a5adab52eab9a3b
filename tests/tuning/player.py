"""A worker that only plays a trainer, so that runs in turn take no seconds: `python -m tests.tuning.player FOLDER`.

It takes the run as the real worker does, then does what the name of the adapter begins with: work, wait, hang, print,
die or be brief. For `stuck`, it is the real worker, which hangs.
"""

import os
import signal
import sys
import time
from pathlib import Path

from tuning import queue, worker
from tuning.jobs import pump, read_job
from tuning.queue import take
from tuning.standing import STOP, append_event

PRINTED = 10_000_000
PACE = {"answer_tokens_per_second": 100.0, "seconds_left": 8.0}


def play(folder: Path) -> int | None:
    """Do the run of that folder. Returns the exit status."""
    job = read_job(folder)
    if job.name == "stuck":
        return stuck(folder)
    if not take(folder):
        return None
    append_event(folder, {"event": "begin"})
    append_event(folder, {"event": "step", "step": 1, "steps": 9, "loss": 1.0, **PACE})
    deed = job.name.split("-")[0]
    if deed == "hang":
        time.sleep(600)
    if deed == "brief":
        time.sleep(0.05)
    if deed == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if deed == "print":
        sys.stdout.write(("x" * 99 + "\n") * (PRINTED // 100))
        sys.stdout.flush()
    while deed == "wait" and not (folder / STOP).exists():
        time.sleep(0.01)
    append_event(
        folder, {"event": "stopped" if deed == "wait" else "done", "reason": "" if deed != "wait" else "asked"}
    )
    pump(job.home)
    return None


def stuck(folder: Path) -> int:
    """The real worker, whose rows cannot be read and say nothing about it."""
    from tuning import dialogues

    dialogues.load = lambda *_: time.sleep(600)  # type: ignore[assignment,return-value]
    return worker.main(folder)


if __name__ == "__main__":
    queue.WORKER = "tests.tuning.player"  # it starts the next
    sys.exit(play(Path(sys.argv[1])))
