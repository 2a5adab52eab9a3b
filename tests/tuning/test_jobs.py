"""Runs as folders: what killed, hanging, diverging and stopped trainers look like to a page that reads the disk."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tuning import worker
from tuning.adapters import list_adapters
from tuning.config import TrainConfig
from tuning.errors import InputError
from tuning.jobs import Job, ask_stop, create_job, find_job, list_jobs, read_job, start_job, stop_job
from tuning.process import claim

LONG = TrainConfig(rank=4, alpha=8, epochs=1000, max_length=128, precision="float32", patience=0)
SHORT = replace(LONG, epochs=2)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "my rows.jsonl"
    with path.open("w") as file:
        for number in range(24):
            part = ("train", "validation", "test")[number % 3]
            file.write(json.dumps({"prompt": f"answer {number}?", "response": "red green", "split": part}) + "\n")
    return path


@pytest.fixture(autouse=True)
def one_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def wait_for(job: Job, holds: Callable[[Job], bool], seconds: float = 120) -> Job:
    deadline = time.monotonic() + seconds
    while not holds(job):
        assert time.monotonic() < deadline, (job.state, job.reason, (job.path / "output.txt").read_text())
        time.sleep(0.1)
        job = read_job(job.path)
    return job


def idle() -> subprocess.Popen[bytes]:
    """A process that lives and never works: a trainer that hangs."""
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)


def append(job: Job, *events: dict[str, Any]) -> None:
    with (job.path / "events.jsonl").open("a") as file:
        for event in events:
            file.write(json.dumps(event) + "\n")


def test_a_run_in_its_own_process_trains_and_every_reader_sees_it(home: Path, rows: Path, tiny_base_path: Path) -> None:
    job = create_job(home, rows, "mine", SHORT, str(tiny_base_path))
    assert job.state == "starting"
    start_job(job)
    with pytest.raises(InputError, match=rf"run {job.id} \(mine\) is still \w+; wait for it or stop it first"):
        create_job(home, rows, "other", SHORT, str(tiny_base_path))
    job = wait_for(job, lambda job: not job.active)
    assert (job.state, job.reason) == ("done", "")
    (adapter,) = list_adapters(home / "adapters")
    assert adapter.name == "mine"
    assert adapter.card["rows"]["file"] == "my rows.jsonl"
    assert job.last("done")["test_loss"] == adapter.card["test_loss"]
    assert [event["step"] for event in job.events if event["event"] == "step"] == [1, 2]
    assert not (job.path / "checkpoints").exists()
    assert find_job(home, job.id) == job
    assert list_jobs(home) == [job]


def test_kill_9_is_a_failure_and_a_stop_saves(home: Path, rows: Path, tiny_base_path: Path) -> None:
    first = create_job(home, rows, "lost", LONG, str(tiny_base_path))
    start_job(first)
    first = wait_for(first, lambda job: bool(job.last("step")))
    pid = json.loads((first.path / "process.json").read_text())["pid"]
    process = psutil.Process(pid)
    assert process.nice() > psutil.Process().nice()
    assert os.getsid(pid) == pid
    process.kill()
    first = wait_for(first, lambda job: not job.active)
    assert first.state == "failed"
    assert "killed: the process vanished after step" in first.reason
    assert "start it again" in first.reason
    assert list_adapters(home / "adapters") == []

    second = create_job(home, rows, "kept", LONG, str(tiny_base_path))
    start_job(second)
    second = wait_for(second, lambda job: job.last("step").get("step", 0) >= 3)
    second = stop_job(second, grace=60)
    assert second.state == "stopped"
    assert "the best until then is saved" in second.reason
    assert [adapter.name for adapter in list_adapters(home / "adapters")] == ["kept"]


def test_a_trainer_that_hangs_is_killed_after_the_grace_and_that_is_said(home: Path, rows: Path) -> None:
    job = create_job(home, rows, "mine", SHORT, None)
    hanging = idle()
    claim(job.path, hanging.pid)
    job = read_job(job.path)
    assert job.state == "running"
    ask_stop(job)
    assert read_job(job.path).state == "stopping"
    job = stop_job(job, grace=0.3)
    assert (job.state, job.reason) == ("stopped", "killed before it could save; nothing of it is left but its log")
    assert hanging.poll() is not None


def test_a_zombie_and_a_number_used_again_are_not_the_trainer(home: Path, rows: Path) -> None:
    job = create_job(home, rows, "mine", SHORT, None)
    other = idle()
    claim(job.path, other.pid)
    record = json.loads((job.path / "process.json").read_text())
    (job.path / "process.json").write_text(json.dumps(record | {"started": record["started"] - 100}))
    assert read_job(job.path).state == "failed"
    claim(job.path, other.pid)
    assert read_job(job.path).state == "running"
    other.kill()
    while psutil.Process(other.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert read_job(job.path).state == "failed"
    other.wait()


def test_a_run_that_nobody_claims_has_failed_after_a_minute(home: Path, rows: Path) -> None:
    job = create_job(home, rows, "mine", SHORT, None)
    told = json.loads((job.path / "config.json").read_text())
    (job.path / "config.json").write_text(json.dumps(told | {"created": told["created"] - 61}))
    assert read_job(job.path).state == "failed"


def test_a_torn_last_event_is_no_event(home: Path, rows: Path) -> None:
    job = create_job(home, rows, "mine", SHORT, None)
    append(job, {"event": "step", "step": 3})
    with (job.path / "events.jsonl").open("ab") as file:
        file.write(b'{"event": "done", "adapter": "mi\xff')
    job = read_job(job.path)
    assert job.state == "starting"
    assert job.last("step")["step"] == 3


def run_here(home: Path, rows: Path, base: str | None, config: TrainConfig = SHORT) -> Job:
    job = create_job(home, rows, "mine", config, base)
    worker.run(job)
    return read_job(job.path)


def test_numbers_that_are_none_are_a_named_failure(home: Path, rows: Path, tiny_base_path: Path) -> None:
    job = run_here(home, rows, str(tiny_base_path), replace(SHORT, learning_rate=1e30, epochs=10))
    assert job.state == "failed"
    assert job.reason.startswith("not a number: ")
    assert "lower the learning rate" in job.reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device"), "disk full: make room"),
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64: file write failed"), "disk full"),
        (MemoryError(), "out of memory: lower batch_size"),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."), "out of memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "out of memory"),
        (
            ZeroDivisionError("division by zero"),
            "ZeroDivisionError: division by zero; the whole message is in events.jsonl",
        ),
        (InputError("line 3: no response; write one"), "line 3: no response; write one"),
        (KeyboardInterrupt(), "interrupted; nothing was saved"),
    ],
)
def test_every_failure_has_its_name_and_next_step(
    home: Path, rows: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, reason: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(worker, "_train", fail)
    job = run_here(home, rows, None)
    assert job.state == ("stopped" if isinstance(error, KeyboardInterrupt) else "failed")
    assert job.reason.startswith(reason)
    assert not (job.path / "reserve").exists()


def test_a_bad_file_a_taken_name_and_a_full_disk_start_nothing(
    home: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"prompt": "a"}')
    with pytest.raises(InputError, match=r"bad\.jsonl, line 1: no response"):
        create_job(home, bad, "mine", SHORT, None)
    with pytest.raises(InputError, match="cannot be a name"):
        create_job(home, rows, "../mine", SHORT, None)
    monkeypatch.setattr("tuning.jobs.FREE_BYTES", 1 << 62)
    with pytest.raises(InputError, match="MB free; a run needs"):
        create_job(home, rows, "mine", SHORT, None)
    assert list_jobs(home) == []


def test_an_unknown_id_is_answered_with_the_ids_there_are(home: Path, rows: Path) -> None:
    with pytest.raises(InputError, match="no run 'x'; there are: none yet"):
        find_job(home, "x")
    job = create_job(home, rows, "mine", SHORT, None)
    with pytest.raises(InputError, match=f"there are: {job.id}"):
        find_job(home, "../x")
