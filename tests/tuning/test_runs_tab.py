"""Runs as the Tune page shows them, its handlers called as anyone may call them."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from tests.tuning.test_jobs import append, idle, nothing_left, one_thread_each, played, rows, wait_for, work_on
from tuning import progress, runs_tab
from tuning.config import TrainConfig
from tuning.curves import POINTS
from tuning.jobs import Job, create_job, latest_job, pump, read_job, start_job
from tuning.queue import GRACE_SECONDS
from tuning.runs_tab import CANCEL, END, STOP, RunsPage
from tuning.runs_view import curves, label, run_html
from tuning.standing import STOP as ASKED

__all__ = ["nothing_left", "one_thread_each", "played", "rows"]

SHORT = TrainConfig(rank=4, alpha=8, epochs=2, max_length=128, precision="float32", assess=False)


@pytest.fixture
def page(home: Path) -> RunsPage:
    return RunsPage(home)


def by_name(shown: list[Any]) -> dict[str, Any]:
    return dict(zip(("seen", "list", "run", "plot", "stop", "resume"), shown, strict=True))


def look(page: RunsPage, chosen: Any = None, seen: Any = None) -> dict[str, Any]:
    return by_name(page.view(chosen, seen))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the page says in passing."""
    said: list[str] = []
    monkeypatch.setattr(runs_tab.gr, "Info", said.append)
    return said


@pytest.mark.slow
def test_a_run_is_shown_by_any_page_until_it_ends_in_an_adapter(
    page: RunsPage, home: Path, rows: Path, tiny_base_path: Path
) -> None:
    assert "Nothing has been trained" in look(page)["run"]
    start_job(create_job(home, rows, "mine", replace(SHORT, assess=True), str(tiny_base_path)))
    first = look(RunsPage(home))
    assert first["stop"] == gr.update(value=STOP, interactive=True)
    job = wait_for(latest_job(home), lambda job: not job.active)
    now = look(page, first["seen"]["shown"], first["seen"])
    assert "<b>done</b>" in now["run"]
    assert "Loss on unseen rows" in now["run"]
    assert "<b>Verdict: " in now["run"]
    assert now["plot"]["visible"]
    assert set(now["plot"]["value"]["rows"]) == {"training", "validation"}
    assert now["stop"]["interactive"] is False
    assert all(update == gr.skip() for update in page.view(now["seen"]["shown"], now["seen"]))
    estimate = job.last("estimate")
    assert estimate["seconds"] > 0
    assert "GB of memory" in progress.estimated(estimate)


@pytest.mark.usefixtures("played")
def test_runs_wait_are_cancelled_stopped_and_resumed_by_the_buttons(
    page: RunsPage, home: Path, rows: Path, told: list[str]
) -> None:
    jobs = [create_job(home, rows, name, SHORT, None) for name in ("wait-1", "work-2", "work-3")]
    pump(home)
    runs_tab.tell_place(jobs[2])
    assert told == ["work-3 waits for its turn, after wait-1, work-2."]
    wait_for(jobs[0], lambda job: job.state == "running")
    shown = look(page)
    assert [text.split(" · ")[0] + text.split(" · ")[2] for text, _ in shown["list"]["choices"]] == [
        "work-3queued, second in line",
        "work-2queued, next in line",
        "wait-1running",
    ]
    assert shown["list"]["value"] == jobs[0].id
    other = look(page, jobs[2].id, shown["seen"])
    assert "Waits for its turn, after wait-1 (running), work-2 (queued)." in other["run"]
    assert other["stop"]["value"] == CANCEL
    page.stop(other["seen"])
    assert read_job(jobs[2].path).state == "stopped"
    other = look(page, jobs[2].id, other["seen"])
    assert "Cancelled while it waited for its turn; nothing of it was saved, so resuming begins it anew" in other["run"]
    assert other["resume"] == gr.update(visible=True)
    page.resume(other["seen"])
    assert read_job(jobs[2].path).state == "queued"
    with pytest.raises(gr.Error, match="there is nothing to resume"):
        page.resume(other["seen"])
    page.stop(shown["seen"])
    for job in jobs:
        wait_for(job, lambda job: not job.active)


def test_a_second_press_ends_a_run_by_force_but_a_double_click_does_not(page: RunsPage, home: Path, rows: Path) -> None:
    hanging = idle()
    job = work_on(create_job(home, rows, "mine", SHORT, None), hanging)
    shown = look(page)
    page.stop(shown["seen"])
    wait_for(job, lambda job: job.state == "stopping")
    page.stop(shown["seen"])
    time.sleep(0.3)
    asked = look(page, job.id, shown["seen"])
    assert hanging.poll() is None
    assert asked["stop"]["value"] == END
    assert "Asked to stop" in asked["run"]
    os.utime(job.path / ASKED, (time.time() - 9,) * 2)
    page.stop(shown["seen"])
    hanging.wait(10)
    job = read_job(job.path)
    assert job.state == "stopped"
    assert "It was ended by force before it ended by itself; nothing of it was saved" in run_html(job)


@pytest.mark.parametrize("given", [None, 3, "x", [], {"shown": None}, {"shown": "../.."}, {"shown": 4}])
def test_whatever_a_stranger_sends_harms_nothing(page: RunsPage, home: Path, rows: Path, given: Any) -> None:
    job = create_job(home, rows, "mine", SHORT, None)
    page.stop(given)
    assert read_job(job.path).state == "queued"
    with pytest.raises(gr.Error, match="no such run"):
        page.resume(given)
    quiet = RunsPage(home, enabled=False)
    assert look(quiet, given, given)["seen"]["shown"] == job.id
    assert read_job(job.path).state == "queued"


def test_a_failed_run_shows_its_reason_escaped(home: Path, rows: Path) -> None:
    job = create_job(home, rows, "mine", SHORT, None)
    (job.path / "events.jsonl").write_text(json.dumps({"event": "failed", "reason": "<b>no</b>"}) + "\n")
    shown = run_html(latest_job(home))
    assert "&lt;b&gt;no&lt;/b&gt;" in shown
    assert 'role="alert"' in shown


def test_a_long_curve_is_thinned_and_keeps_its_newest_point(home: Path, rows: Path) -> None:
    job = create_job(home, rows, "mine", SHORT, None)
    append(job, *({"event": "step", "step": n, "loss": 1.0} for n in range(1, 5 * POINTS)))
    shown = curves(latest_job(home))
    steps = [step for step, kind in zip(shown["step"], shown["rows"], strict=True) if kind == "training"]
    assert len(steps) <= POINTS
    assert steps[-1] == 5 * POINTS - 1
    assert curves(None) == {"step": [], "loss": [], "rows": []}


def event(kind: str, at: float, **values: Any) -> dict[str, Any]:
    return {"event": kind, "time": at, **values}


def step(number: int, at: float, left: float) -> dict[str, Any]:
    numbers = {"step": number, "steps": 10, "loss": 1.0, "seconds_left": left, "answer_tokens_per_second": 7.0}
    return event("step", at, **numbers)


@pytest.fixture
def job(home: Path, rows: Path) -> Iterator[Job]:
    process = idle()
    yield work_on(create_job(home, rows, "mine", SHORT, None), process)
    process.kill()
    process.wait()


def test_time_left_is_the_estimate_first_and_then_what_the_steps_take(job: Job) -> None:
    assert progress.seconds_left(job, 0.0) is None
    estimate = event("estimate", 100.0, seconds=200.0, step_seconds=20.0, bytes=1.5e9, free_bytes=3e9)
    append(job, estimate)
    assert progress.seconds_left(read_job(job.path), 130.0) == 170.0
    assert "1.5 GB of memory, 3.0 GB more were free" in run_html(read_job(job.path))
    append(job, step(1, 140.0, 900.0))
    assert progress.seconds_left(read_job(job.path), 140.0) == (900.0 + 4 * 180.0) / 5
    append(job, *(step(number, 140.0 + number, 300.0) for number in range(2, 9)))
    assert progress.seconds_left(read_job(job.path), 148.0) == (8 * 300.0 + 4 * 40.0) / 12
    assert progress.seconds_left(read_job(job.path), 9000.0) == 0.0


def test_what_a_run_does_between_steps_is_said(job: Job) -> None:
    def doing() -> str:
        return progress.doing(read_job(job.path))

    assert doing() == ""
    append(job, event("note", 0.0, text="Loading the model"))
    assert doing() == "Loading the model"
    append(job, event("start", 0.0))
    assert doing() == "timing a few steps"
    append(job, event("estimate", 0.0, seconds=1.0))
    assert doing() == "measuring the base model before the first step"
    append(job, event("resumed", 0.0, step=3))
    assert doing() == "going on from step 3"
    append(job, step(9, 0.0, 1.0))
    assert doing() == ""
    append(job, step(10, 0.0, 0.0))
    assert doing() == "measuring on unseen rows"
    append(job, event("assessing", 0.0, done=3, rows=8))
    assert doing() == "measuring it against its base, row 3 of 8"


def test_each_stage_of_a_stop_has_its_words(job: Job) -> None:
    assert progress.stage(job) == ""
    append(job, step(9, 0.0, 1.0))
    (job.path / ASKED).touch()
    job = read_job(job.path)
    at = time.strftime("%H:%M:%S", time.localtime(job.asked + GRACE_SECONDS))
    force = f"If it has not by {at}, it is ended by force, and what its last checkpoint holds is kept"
    words = progress.stage(job, job.asked + 7)
    assert words == f"asked to stop 7 s ago; it ends the step that it is at, then saves. {force}"
    append(job, event("saving", 0.0))
    assert progress.stage(read_job(job.path)) == f"stopped after step 9; it measures and saves. {force}"


def test_a_place_far_back_in_the_queue_is_a_number(job: Job) -> None:
    assert label(job, [*[Job(str(n), job.path, job.told, (), "queued") for n in range(5)], job]).endswith(
        "running, number 6 in line"
    )
