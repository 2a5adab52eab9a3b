"""One run, several readers: it is watched, left, queued behind, stopped and resumed from more than one page."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import RunningApp, Visit
from tuning.config import TrainConfig
from tuning.jobs import Job, create_job, end_now, list_jobs, read_job, waiting_jobs
from tuning.queue import cancel

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROWS = [f'{{"prompt": "What is {n} plus one?", "response": "Aye: {n + 1}."}}' for n in range(40)]
LONG = TrainConfig(rank=4, alpha=8, epochs=1000, batch_size=1, max_length=64, precision="float32", patience=0)
STEPPED = "step => parseInt(document.querySelector('.tune-run').innerText.match(/step (\\d+) of/)[1]) > step + 5"
SOON = 90_000
"""Milliseconds in which a process starts, at low priority, and takes its first steps beside the app."""


@pytest.fixture
def job(app: RunningApp, tmp_path: Path, tiny_base_path: Path) -> Iterator[Job]:
    """A run of many small steps that nobody has looked at yet, and so does not work yet."""
    (tmp_path / "rows.jsonl").write_text("\n".join(ROWS))
    yield create_job(app.home, tmp_path / "rows.jsonl", "endless", LONG, str(tiny_base_path))
    for one in [*waiting_jobs(app.home), *list_jobs(app.home)]:
        if not cancel(one.path):
            end_now(one)


def test_two_readers_of_one_run_see_and_steer_the_same(visit: Visit, app: RunningApp, job: Job) -> None:
    first, second = visit.page, visit.page.context.new_page()
    for page in (first, second):
        page.goto(app.url + "tune")
        expect(page.locator(".tune-run")).to_contain_text("answer tokens/s", timeout=SOON)
        expect(page.locator(".tune-run")).to_contain_text("left")
        expect(page.locator(".tune-run")).to_contain_text("GB of memory")
        expect(page.get_by_role("button", name="Stop and save")).to_be_enabled()
    create_job(app.home, job.recipe, "later", LONG, job.told["base"])
    for page in (first, second):
        expect(page.get_by_label("later · ")).to_be_visible()
        expect(page.get_by_text("queued, next in line")).to_be_visible()
        expect(page.get_by_label("endless · ")).to_be_checked()

    first.close()
    step = read_job(job.path).last("step")["step"]
    second.wait_for_function(STEPPED, arg=step, timeout=SOON)
    second.get_by_label("later · ").check()
    expect(second.locator(".tune-run")).to_contain_text("Waits for its turn, after endless (running)")
    second.get_by_role("button", name="Take out of the queue").click()
    expect(second.locator(".tune-run")).to_contain_text("Cancelled while it waited for its turn")
    second.get_by_label("endless · ").check()

    third = second.context.new_page()
    third.goto(app.url + "tune")
    expect(third.locator(".tune-run")).to_contain_text("endless")
    second.get_by_role("button", name="Stop and save").click()
    for page in (second, third):
        expect(page.locator(".tune-run")).to_contain_text("the best until then is saved; it can be", timeout=SOON)
    third.reload()
    expect(third.locator(".tune-run")).to_contain_text("stopped")
    third.get_by_role("button", name="Resume").click()
    for page in (second, third):
        expect(page.get_by_role("button", name="Stop and save")).to_be_enabled(timeout=SOON)
        expect(page.get_by_role("button", name="Resume")).to_be_hidden()
    resumed = read_job(job.path)
    assert resumed.active
    second.close()
    third.close()
