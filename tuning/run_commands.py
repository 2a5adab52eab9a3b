"""The commands over training runs."""

import argparse
import contextlib
import os
from typing import TYPE_CHECKING, Any

from tuning.commands import command, home, losses, show
from tuning.errors import InputError
from tuning.meter import Meter
from tuning.progress import duration, seconds_left, stage

if TYPE_CHECKING:
    from tuning.jobs import Job

ID = "20260101-120000-abcdef"


def add(commands: Any) -> None:
    """Add the commands to those of `python -m tuning`."""
    stop = command(commands, "stop", stop_run, "end a training run and save the best so far", ID)
    stop.add_argument("job", metavar="JOB", help="id of the run, from `runs`")
    stop.add_argument("--now", action="store_true", help="end it by force, without waiting for it to save")
    resume = command(commands, "resume", resume_run, "go on with a stopped or failed run from its last checkpoint", ID)
    resume.add_argument("job", metavar="JOB", help="id of the run, from `runs`")
    resume.add_argument("--behind", action="store_true", help="in a process of its own, without waiting for it")
    command(commands, "runs", show_runs, "training runs: those that work, wait, and have ended", "--json")


def carry_out(options: argparse.Namespace, job: "Job") -> int:
    """Work on a run that is put `here`, once its turn has come, and show what came of it. Returns the exit status."""
    from tuning import ranks
    from tuning.jobs import pump, read_job
    from tuning.process import PATIENT_THREADS
    from tuning.queue import cancel

    os.environ.update(PATIENT_THREADS)  # torch reads it when it is loaded, which is below
    meter = Meter()
    try:
        ranks.first_does(lambda: _await_turn(job, meter))
        from tuning.worker import follow, quiet, run, yield_to_others

        yield_to_others()
        quiet()
        if not ranks.is_first():
            return follow(job)
        end = run(job, meter)
    finally:
        if ranks.is_first():
            cancel(job.path)  # if it still waits, that is because somebody had enough of waiting
            with contextlib.suppress(InputError):
                pump(job.home)
    reason = read_job(job.path).reason
    if end["event"] == "failed":
        raise InputError(reason)
    result = {key: value for key, value in end.items() if key not in ("event", "reason")} | {"job": job.id}
    lines = [reason] if reason else []
    if "adapter" in end:
        lines += [f"saved {end['adapter']} after {end['steps']} steps and {end['seconds']:.0f} s ({end['ended']})"]
        lines += ["loss of the answers: " + losses(end)]
        if unused := end.get("dropped_rows"):
            lines += [f"left out: {unused} rows; `python -m tuning check` with the same rows says which and why"]
    if "verdict" in end:
        lines += [f"verdict: {end['verdict']}", *(f"  {reason}" for reason in end["reasons"])]
    show(options, result, lines)
    return 0 if "adapter" in end else 130


def _await_turn(job: "Job", meter: Meter) -> None:
    from tuning.jobs import read_job
    from tuning.queue import wait_turn

    if not wait_turn(job.path, lambda text: meter({"event": "note", "text": text})):
        raise InputError(read_job(job.path).reason)


def stop_run(options: argparse.Namespace) -> None:
    from tuning.jobs import find_job, pump, stop_job
    from tuning.queue import GRACE_SECONDS

    meter, told = Meter(), set[str]()

    def tell(job: "Job") -> None:
        words = stage(job).split("; ", 1)[-1]  # without the seconds that pass
        if words not in told:
            told.add(words)
            meter({"event": "note", "text": words})

    job = stop_job(find_job(home(), options.job), 0.0 if options.now else GRACE_SECONDS, tell)
    pump(home())
    show(options, _record(job), [f"{job.state}: {job.reason}".strip(": ")])


def resume_run(options: argparse.Namespace) -> int:
    from tuning import ranks
    from tuning.jobs import find_job, resume_job

    job = ranks.first_does(lambda: resume_job(find_job(home(), options.job), here=not options.behind))
    if not options.behind:
        return carry_out(options, job)
    show(options, _record(job), [f"{job.state}: {job.name}, watch it with `runs`"])
    return 0


def show_runs(options: argparse.Namespace) -> None:
    from tuning.jobs import list_jobs, pump

    pump(home())
    jobs = list_jobs(home())
    lines = [line for job in jobs for line in _lines(job)]
    show(options, {"jobs": [_record(job) for job in jobs]}, lines or ["no runs yet"])


def _record(job: "Job") -> dict[str, Any]:
    step = job.last("step")
    progress = {"step": step.get("step", 0), "steps": step.get("steps") or job.last("start").get("steps")}
    known = {"job": job.id, "name": job.name, "state": job.state, "reason": job.reason}
    left = seconds_left(job) if job.active else None
    progress["seconds_left"] = None if left is None else round(left)
    return {**known, **progress, "resumable": job.resumable, "silent": round(job.silent)}


def _lines(job: "Job") -> list[str]:
    record = _record(job)
    line = f"{job.id}  {job.name}: {job.state}"
    if job.active and record["step"]:
        line += f", step {record['step']} of {record['steps']}"
    if record["seconds_left"] is not None:
        line += f", {duration(record['seconds_left'])} left"
    if job.silent:
        line += f", no sign of life for {job.silent:.0f} s: `stop` ends it"
    return [line, *([f"    {job.reason}"] if job.reason else [])]
