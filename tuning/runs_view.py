"""What the Tune page shows of runs, as HTML and as tables. Every word of a name or a message is escaped here."""

import time
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from tuning.curves import Table, table
from tuning.jobs import Job
from tuning.progress import doing, duration, seconds_left, stage
from tuning.tune_view import verdict

PLACES = ("next in line", "second in line", "third in line")


def label(job: Job, waiting: Sequence[Job]) -> str:
    """A run in the list: its name, when it was made, how it stands. `waiting` is the queue, the next first."""
    made = time.strftime("%d %b %H:%M", time.localtime(job.told["created"]))
    place = next((number for number, one in enumerate(waiting) if one.id == job.id), None)
    state = job.state
    if place is not None:
        state += f", {PLACES[place] if place < len(PLACES) else f'number {place + 1} in line'}"
    return f"{job.name} · {made} · {state}"


def run_html(job: Job | None, ahead: Sequence[Job] = ()) -> str:
    """How a run stands; `ahead` are those that it waits for."""
    if job is None:
        return '<p class="tune-quiet">Nothing has been trained here yet.</p>'
    step = job.last("step")
    done, steps = (step["step"], step["steps"]) if step else (0, 1)
    bar = f'<progress value="{done}" max="{steps}" aria-label="steps done"></progress>' if job.active else ""
    shown = "".join(f"<span>{fact}</span>" for fact in _facts(job))
    words = _queue(ahead) if job.state == "queued" else _stage(job) + _outcome(job)
    return f'<div class="tune-run">{bar}<div class="tune-facts">{shown}</div>{words}</div>'


def _facts(job: Job) -> list[str]:
    facts = [f"<b>{escape(job.name)}</b>", job.state if job.active else f"<b>{job.state}</b>"]
    step, estimate = job.last("step"), job.last("estimate")
    if step:
        facts.append(f"step {step['step']} of {step['steps']}")
        facts.append(f"loss {step['loss']:.3f}")
        facts.append(f"{step['answer_tokens_per_second']:,.0f} answer tokens/s")
    if job.state in ("starting", "running"):
        if words := doing(job):
            facts.append(escape(words))
        left = seconds_left(job)
        if left:  # where no time is left, what it does then is told
            facts.append(f"about {duration(left)} left")
        if estimate:
            memory, free = estimate["bytes"] / 1e9, estimate["free_bytes"] / 1e9
            facts.append(f"{memory:.1f} GB of memory, {free:.1f} GB more were free")
    return facts


def _queue(ahead: Sequence[Job]) -> str:
    names = ", ".join(f"{escape(job.name)} ({job.state})" for job in ahead)
    return f'<p class="tune-line">Waits for its turn, after {names or "nobody: it begins in a moment"}.</p>'


def _stage(job: Job) -> str:
    words = stage(job)
    return f'<p class="tune-line">{escape(words[0].upper() + words[1:])}.</p>' if words else ""


def _outcome(job: Job) -> str:
    if job.silent:
        since = duration(job.silent)
        return f'<p class="tune-line tune-bad">No sign of life for {since}: it may hang. Stopping it ends it.</p>'
    reason = escape(job.reason[:1].upper() + job.reason[1:])
    if job.state == "failed":
        return f'<p class="tune-line tune-bad" role="alert">{reason}</p>'
    end = job.last(job.state)
    told = f'<p class="tune-line">{reason}</p>' if reason else ""
    return told + (f'<p class="tune-line">{verdict(end)}</p>{_verdict(end)}' if "adapter" in end else "")


def _verdict(end: Mapping[str, Any]) -> str:
    """What the measurement beside the base says, where there was one."""
    if "verdict" not in end:
        return ""
    reasons = " ".join(escape(str(reason)) for reason in end["reasons"])
    return f'<p class="tune-line"><b>Verdict: {escape(str(end["verdict"]))}.</b> {reasons} See the Adapters page.</p>'


def curves(job: Job | None) -> Table:
    """The run's curves so far."""

    def points(kind: str) -> list[tuple[int, float]]:
        return [(event["step"], event["loss"]) for event in (job.events if job else ()) if event.get("event") == kind]

    return table(points("step"), points("validation"))
