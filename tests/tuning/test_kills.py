"""kill -9 of trainers and apps at random moments: nothing torn is offered, and all ends as if nothing had happened."""

import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.tuning.nursery import DOOR, ask
from tuning.adapters import Adapter, list_adapters
from tuning.config import TrainConfig
from tuning.jobs import Job, create_job, read_job, resume_job
from tuning.process import is_alive, kill, owner
from tuning.queue import working

pytestmark = pytest.mark.slow

KILLS = 30
CONFIG = TrainConfig(
    rank=4, alpha=8, epochs=14, batch_size=2, max_length=64, precision="float32", patience=0, assess=False
)
LAST_SECONDS = 120.0


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    with path.open("w") as file:
        for number in range(24):
            part = ("train", "train", "validation", "test")[number % 4]
            file.write(json.dumps({"prompt": f"answer {number}?", "response": f"red {number}", "split": part}) + "\n")
    return path


class Nursery:
    """Where apps come from; one is alive at a time."""

    def __init__(self, home: Path) -> None:
        home.mkdir()
        self._home = home
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.tuning.nursery", str(home)], env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        deadline = time.monotonic() + LAST_SECONDS
        while not (home / DOOR).exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        self.start_app()

    def start_app(self) -> None:
        self._app = ask(self._home, "app")

    def kill_app(self) -> None:
        os.kill(self._app, signal.SIGKILL)

    def close(self) -> None:
        self.kill_app()
        self._process.kill()
        self._process.wait()


class Watch:
    """Somebody who looks at the adapters all the time, and at whether two runs work at once."""

    def __init__(self, home: Path) -> None:
        self.torn: list[str] = []
        self.crowds: list[list[str]] = []
        self.looks = 0
        self._home, self._over = home, threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.01):
            list_adapters(self._home / "adapters", note=self.torn.append)
            crowd = [folder.name for folder in working(self._home)]
            if len(crowd) > 1:
                self.crowds.append(crowd)
            self.looks += 1

    def close(self) -> None:
        self._over.set()
        self._thread.join()


@pytest.fixture
def nursery(home: Path) -> Iterator[Nursery]:
    made = Nursery(home)
    yield made
    made.close()
    for path in (home / "jobs").glob("*/process.json"):
        kill(path.parent)


@pytest.fixture
def watch(home: Path, nursery: Nursery) -> Iterator[Watch]:
    made = Watch(home)
    yield made
    made.close()


def wait_until(job: Job, *states: str) -> Job:
    deadline = time.monotonic() + LAST_SECONDS
    while (job := read_job(job.path)).state not in states:
        assert time.monotonic() < deadline, (job, (job.path / "output.txt").read_text())
        assert job.state != "failed", (job, (job.path / "output.txt").read_text())
        time.sleep(0.01)
    return job


def adapter_of(home: Path, job: Job) -> Adapter:
    return next(adapter for adapter in list_adapters(home / "adapters") if adapter.name == job.name)


def wait_for_the_moment(job: Job, chance: random.Random) -> None:
    """Any moment from its start on; or one near its end, when it measures and saves what it made."""
    if chance.random() < 0.25:
        wait_until_last_step(job)
        time.sleep(chance.uniform(0, 0.15))
    else:
        time.sleep(chance.uniform(0, 1.6))


def wait_until_last_step(job: Job) -> None:
    deadline = time.monotonic() + LAST_SECONDS
    while (job := read_job(job.path)).active and time.monotonic() < deadline:
        step = job.last("step")
        if step and step["step"] == step["steps"]:
            return
        time.sleep(0.005)


def test_kill_9_at_thirty_random_moments(
    home: Path, rows: Path, tiny_base_path: Path, nursery: Nursery, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who resumes whatever died gets, in the end, the very adapter of a run that nobody killed."""
    monkeypatch.setattr("tuning.jobs.pump", lambda home: None)  # the app does
    chance = random.Random(time.time_ns())
    numbers = itertools.count()

    def begin() -> Job:
        return create_job(home, rows, f"take-{next(numbers)}", CONFIG, str(tiny_base_path))

    undisturbed = adapter_of(home, wait_until(begin(), "done"))
    killed = {"trainer": 0, "app": 0}
    ended, job = [], begin()
    while sum(killed.values()) < KILLS:
        if job.state == "done":
            ended.append(job)
            job = begin()
        wait_for_the_moment(job, chance)
        if chance.random() < 0.3:
            nursery.kill_app()
            killed["app"] += 1
            time.sleep(chance.uniform(0, 0.2))
            nursery.start_app()
        elif is_alive(job.path):
            with contextlib.suppress(psutil.NoSuchProcess):
                trainer = psutil.Process(owner(job.path)["pid"])
                trainer.kill()
                trainer.wait(30)
                killed["trainer"] += 1
        job = wait_until(job, "starting", "running", "done", "failed")
        if job.state == "failed":
            assert job.reason.startswith("killed: the process vanished"), job.reason
            job = resume_job(job)
    ended.append(wait_until(job, "done"))

    assert watch.torn == []
    assert watch.crowds == []
    assert watch.looks > 100
    assert killed["trainer"] >= 10
    assert any(job.last("resumed") for job in ended), "none went on from a checkpoint"
    for job in ended:
        adapter = adapter_of(home, job)
        assert adapter.digest == undisturbed.digest
        assert adapter.card["test_loss"] == undisturbed.card["test_loss"]
        assert adapter.card["curves"] == undisturbed.card["curves"]
