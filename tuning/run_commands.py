"""The commands over training runs."""

import argparse
from typing import Any

from tuning.commands import command, home, show


def add(commands: Any) -> None:
    """Add the commands to those of `python -m tuning`."""
    stop = command(commands, "stop", stop_run, "end a training run and save the best so far", "20260101-120000-abcdef")
    stop.add_argument("job", metavar="JOB", help="id of the run, from `list`")


def stop_run(options: argparse.Namespace) -> None:
    from tuning.jobs import find_job, stop_job

    job = stop_job(find_job(home(), options.job))
    show(options, {"job": job.id, "state": job.state, "reason": job.reason}, [f"{job.state}: {job.reason}".strip(": ")])
