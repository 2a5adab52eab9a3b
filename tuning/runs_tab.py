"""The part of the Tune page that shows runs, those that work, wait and have ended, with buttons to stop and resume.

Everything is read from the disk each second. So a page that is loaded again, a second one, or the same after a restart
of the app shows the same.
"""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from tuning.curves_tab import curves_plot, drawn
from tuning.errors import InputError
from tuning.jobs import (
    Job,
    ahead_of,
    ask_stop,
    end_now,
    find_job,
    latest_job,
    list_jobs,
    pump,
    read_job,
    resume_job,
    stop_behind,
    waiting_jobs,
)
from tuning.runs_view import curves, label, run_html

LISTED = 20
"""Runs that can be chosen, the newest; the command line lists all."""
SECOND_THOUGHTS = 3.0
"""Seconds after a stop in which the button does not end the run by force: a double click is one stop."""

STOP, END, CANCEL = "Stop and save", "End it now, unsaved", "Take out of the queue"


@dataclass(frozen=True)
class RunsPage:
    """The handlers. Anyone can call them with anything, so each checks its input and speaks through gr.Error."""

    home: Path
    enabled: bool = True

    def view(self, chosen: Any = None, seen: Any = None) -> list[Any]:
        """What is seen, the list, the run, its curves, the two buttons; no change where what was `seen` is still true.

        The latest run is shown until another is chosen.
        """
        seen = seen if isinstance(seen, dict) else {}
        if self.enabled:
            with contextlib.suppress(InputError):  # what is wrong with the disk is told to whoever starts a run
                pump(self.home)
        latest, waiting = latest_job(self.home), waiting_jobs(self.home)
        job = latest if chosen == seen.get("followed") else self._find(chosen) or latest
        runs = self._listed([latest, job])
        now: dict[str, Any] = {
            "followed": latest.id if latest else None,
            "list": [[label(one, waiting), one.id] for one in runs],
            "run": run_html(job, ahead_of(job) if job else ()),
            "curves": [job.id, len(job.events)] if job else [],
            "stop": _stop_words(job),
            "resume": bool(job and job.resumable is not None and not job.active),
            "shown": job.id if job else None,
        }
        changed = {name for name in now if name not in seen or now[name] != seen[name]}
        choices = [tuple(choice) for choice in now["list"]]
        # The list is left alone where it can be: somebody may be choosing in this very moment.
        listed = gr.update(choices=choices, value=now["shown"], visible=len(runs) > 1)
        return [
            now if changed else gr.skip(),
            listed if "list" in changed or chosen != now["shown"] else gr.skip(),
            now["run"] if "run" in changed else gr.skip(),
            drawn(curves(job)) if "curves" in changed else gr.skip(),
            gr.update(value=now["stop"] or STOP, interactive=bool(now["stop"])) if "stop" in changed else gr.skip(),
            gr.update(visible=now["resume"]) if "resume" in changed else gr.skip(),
        ]

    def stop(self, seen: Any) -> None:
        """Ask the run to end and save, or take it out of the queue; asked again, it is ended by force.

        A thread waits for it, not the page.
        """
        job = self._shown(seen)
        if job is None or not job.active:
            return
        if job.state == "queued":
            ask_stop(job)
        elif not job.asked:
            stop_behind(job)
        elif time.time() - job.asked > SECOND_THOUGHTS:
            end_now(job)

    def resume(self, seen: Any) -> None:
        """Put the run into the queue again."""
        job = self._shown(seen)
        if job is None:
            raise gr.Error("no such run is here any more; reload the page", print_exception=False)
        try:
            tell_place(resume_job(job))
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def _shown(self, seen: Any) -> Job | None:
        """The run that the page shows, whatever has been chosen since."""
        return self._find(seen.get("shown")) if isinstance(seen, dict) else None

    def _find(self, id: Any) -> Job | None:
        with contextlib.suppress(InputError):
            return find_job(self.home, str(id))
        return None

    def _listed(self, always: Sequence[Job | None]) -> list[Job]:
        """The newest runs, and those that work or are looked at, however old."""
        runs = {job.id: job for job in [*list_jobs(self.home, LISTED), *filter(None, always)]}
        return sorted(runs.values(), key=lambda job: float(job.told["created"]), reverse=True)


def tell_place(job: Job) -> None:
    """Say on the page whom a run waits for that was just put into the queue."""
    ahead = ahead_of(job)
    if read_job(job.path).state == "queued" and ahead:
        gr.Info(f"{job.name} waits for its turn, after {', '.join(one.name for one in ahead)}.")


def _stop_words(job: Job | None) -> str:
    """What the button says that ends the run; empty where there is nothing to end."""
    if job is None or not job.active:
        return ""
    if job.state == "queued":
        return CANCEL
    return END if job.asked else STOP


def runs_tab(home: Path, enabled: bool = True) -> None:
    """Build the part inside a gradio page context. Without `enabled`, there are no handlers that change anything."""
    page = RunsPage(home, enabled)
    seen = gr.State(None)
    gr.Markdown("## Runs")
    chosen = gr.Radio([], show_label=False, container=False, elem_classes="tune-runs", visible=False)
    run = gr.HTML(padding=False)
    plot = curves_plot(height=280)
    with gr.Row():
        stop = gr.Button(STOP, variant="stop", interactive=False, scale=0, min_width=220, visible=enabled)
        resume = gr.Button("Resume", scale=0, min_width=220, visible=False)
    shown = [seen, chosen, run, plot, stop, resume] if enabled else [seen, chosen, run, plot]
    look = (lambda *given: page.view(*given)) if enabled else (lambda *given: page.view(*given)[:4])
    look.__name__ = "view"
    quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    gr.Timer(1).tick(look, [chosen, seen], shown, **quiet)
    chosen.input(look, [chosen, seen], shown, **quiet)
    if enabled:
        stop.click(page.stop, seen, None, queue=False, api_visibility="private")
        resume.click(page.resume, seen, None, api_visibility="private")
