"""Runs as folders: what killed, hanging, diverging and stopped trainers look like to a page that reads the disk."""

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.tuning.player import PRINTED
from tests.tuning.test_checkpoints import checkpoint
from tuning import worker
from tuning.adapters import list_adapters
from tuning.config import TrainConfig
from tuning.errors import InputError
from tuning.jobs import (
    Job,
    ask_stop,
    create_job,
    find_job,
    latest_job,
    list_jobs,
    pump,
    read_job,
    resume_job,
    start_job,
    stop_job,
    waiting_jobs,
)
from tuning.process import claim, kill
from tuning.standing import PULSE, QUEUED, STOP

LONG = TrainConfig(rank=4, alpha=8, epochs=1000, max_length=128, precision="float32", patience=0)
SHORT = replace(LONG, epochs=2, assess=False)


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


@pytest.fixture(autouse=True)
def nothing_left(home: Path) -> Iterator[None]:
    """No process outlives its test."""
    yield
    for path in (home / "jobs").glob("*/" + QUEUED):
        path.unlink()
    for path in (home / "jobs").glob("*/process.json"):
        if json.loads(path.read_text())["pid"] != os.getpid():
            kill(path.parent)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are played by tests/tuning/player.py instead of trained."""
    monkeypatch.setattr("tuning.queue.WORKER", "tests.tuning.player")


def wait_for(job: Job, holds: Callable[[Job], bool], seconds: float = 120) -> Job:
    deadline = time.monotonic() + seconds
    while not holds(job):
        printed = job.path / "output.txt"
        assert time.monotonic() < deadline, (job, printed.read_text() if printed.exists() else "")
        time.sleep(0.05)
        job = read_job(job.path)
    return job


def ended(job: Job) -> bool:
    return not job.active


def idle() -> subprocess.Popen[bytes]:
    """A process that lives and never works: a trainer that hangs."""
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)


def work_on(job: Job, process: "subprocess.Popen[bytes]") -> Job:
    """As if the queue had started that process for the run."""
    claim(job.path, process.pid)
    (job.path / QUEUED).unlink(missing_ok=True)
    append(job, {"event": "begin"})
    return read_job(job.path)


def append(job: Job, *events: dict[str, Any]) -> None:
    with (job.path / "events.jsonl").open("a") as file:
        for event in events:
            file.write(json.dumps(event) + "\n")


def test_a_run_in_its_own_process_trains_and_every_reader_sees_it(home: Path, rows: Path, tiny_base_path: Path) -> None:
    job = create_job(home, rows, "mine", SHORT, str(tiny_base_path))
    assert job.state == "queued"
    start_job(job)
    with pytest.raises(InputError, match=rf"run {job.id} \(\w+\) will make mine; choose another name or stop it first"):
        create_job(home, rows, "mine", SHORT, str(tiny_base_path))
    job = wait_for(job, ended)
    assert (job.state, job.reason, job.resumable) == ("done", "", None)
    (adapter,) = list_adapters(home / "adapters")
    assert adapter.name == "mine"
    assert adapter.card["rows"]["file"] == "my rows.jsonl"
    assert job.last("done")["test_loss"] == adapter.card["test_loss"]
    assert [event["step"] for event in job.events if event["event"] == "step"] == [1, 2]
    assert not (job.path / "checkpoints").exists()
    assert find_job(home, job.id) == job
    assert list_jobs(home) == [job]
    with pytest.raises(InputError, match=f"run {job.id} is done; to train on from its adapter, start a run from mine"):
        resume_job(job)


@pytest.mark.slow
def test_a_killed_run_goes_on_and_a_stopped_one_too(home: Path, rows: Path, tiny_base_path: Path) -> None:
    config = replace(LONG, epochs=60)
    job = create_job(home, rows, "mine", config, str(tiny_base_path))
    start_job(job)
    job = wait_for(job, lambda job: job.last("step").get("step", 0) >= 3)
    pid = json.loads((job.path / "process.json").read_text())["pid"]
    process = psutil.Process(pid)
    assert process.nice() > psutil.Process().nice()
    assert os.getsid(pid) == pid
    session = Path(f"/proc/{pid}/autogroup")
    if session.is_file() and (told := session.read_text()):  # by which Linux weighs sessions against one another
        assert told.split("nice")[1].strip() == "10"
    process.kill()
    job = wait_for(job, ended)
    assert job.state == "failed"
    assert "killed: the process vanished after step" in job.reason
    assert job.resumable
    assert f"; it can be resumed from step {job.resumable}" in job.reason
    assert list_adapters(home / "adapters") == []

    resumed = wait_for(resume_job(job), lambda again: bool(again.last("resumed")))
    assert resumed.last("resumed")["step"] == job.resumable
    reached = job.last("step")["step"] + 2
    job = stop_job(wait_for(resumed, lambda again: again.last("step")["step"] >= reached), grace=60)
    assert job.state == "stopped"
    step = job.last("step")["step"]
    assert job.reason == f"stopped at step {step}; the best until then is saved; it can be resumed from step {step}"
    assert [adapter.name for adapter in list_adapters(home / "adapters")] == ["mine"]

    job = wait_for(resume_job(job), ended)
    assert (job.state, job.reason) == ("done", "")
    assert [event["step"] for event in job.events if event["event"] == "step"] == list(range(1, 61))
    (adapter,) = list_adapters(home / "adapters")
    assert (adapter.card["steps"], adapter.card["ended"]) == (60, "finished")
    assert not (job.path / "checkpoints").exists()


@pytest.mark.usefixtures("played")
def test_runs_take_turns_in_the_order_of_their_coming(home: Path, rows: Path) -> None:
    names = ["wait-1", "wait-2", "work-3", "work-4"]
    jobs = [create_job(home, rows, name, SHORT, None) for name in names]
    for _ in range(3):
        pump(home)
    first = wait_for(jobs[0], lambda job: job.state == "running")
    assert [job.name for job in waiting_jobs(home)] == names[1:]
    assert latest_job(home) == first
    cancelled = stop_job(jobs[2])
    assert (cancelled.state, cancelled.resumable) == ("stopped", 0)
    assert cancelled.reason.startswith("cancelled while it waited for its turn; nothing of it was saved")
    assert stop_job(first).state == "stopped"
    second = wait_for(jobs[1], lambda job: job.state == "running")  # which the first started as it ended
    resume_job(cancelled)
    assert [job.name for job in waiting_jobs(home)] == ["work-4", "work-3"]
    stop_job(second)
    times = [wait_for(job, ended).last("begin")["time"] for job in (second, jobs[3], jobs[2])]
    assert times == sorted(times)
    story = ["stopped", "queued", "begin", "step", "done"]
    assert [event["event"] for event in read_job(jobs[2].path).events] == story


PUMPS = """
import sys, time
from pathlib import Path
from tuning import queue
from tuning.jobs import list_jobs
queue.WORKER = "tests.tuning.player"
home = Path(sys.argv[1])
while any(job.active for job in list_jobs(home)):
    queue.pump(home)
"""


def test_however_many_start_runs_at_once_one_works_at_a_time_and_each_once(home: Path, rows: Path) -> None:
    """Every page of every reader starts what is next; so do commands and runs that end."""
    jobs = [create_job(home, rows, f"brief-{number}", SHORT, None) for number in range(8)]
    pumps = [subprocess.Popen([sys.executable, "-c", PUMPS, str(home)]) for _ in range(4)]
    assert [process.wait(120) for process in pumps] == [0] * 4
    worked = []
    for job in map(read_job, [job.path for job in jobs]):
        assert [event["event"] for event in job.events] == ["begin", "step", "done"]
        worked.append((job.last("begin")["time"], job.last("done")["time"]))
    assert all(done <= begun for (_, done), (begun, _) in itertools.pairwise(worked))


@pytest.mark.usefixtures("played")
def test_a_run_whose_process_died_holds_nobody_up(home: Path, rows: Path) -> None:
    """Nobody pumps here after the first call: the thread that waits for the dead process does."""
    jobs = [create_job(home, rows, name, SHORT, None) for name in ("die-1", "work-2")]
    pump(home)
    assert wait_for(jobs[1], ended).state == "done"
    assert read_job(jobs[0].path).state == "failed"


@pytest.mark.usefixtures("played")
def test_two_processes_started_for_one_run_do_not_both_work(home: Path, rows: Path) -> None:
    """Whoever starts a process and is killed before it could write that down leaves the run in the queue."""
    job = create_job(home, rows, "work", SHORT, None)
    for _ in range(3):
        subprocess.Popen([sys.executable, "-m", "tests.tuning.player", str(job.path)]).wait(60)
    assert [event["event"] for event in read_job(job.path).events] == ["begin", "step", "done"]
    with pytest.raises(InputError, match=f"run {job.id} is not waiting"):
        worker.run(job)


@pytest.mark.usefixtures("played")
def test_many_readers_may_press_the_buttons_of_one_run_at_once(home: Path, rows: Path) -> None:
    """Two browsers: all start, stop and resume one run; it works once at a time and tells one story."""
    job = create_job(home, rows, "wait", SHORT, None)

    def resume(_: int) -> bool:
        with contextlib.suppress(InputError):
            resume_job(job)
            return True
        return False

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: start_job(job), range(8)))
        wait_for(job, lambda job: job.state == "running")
        stopped = list(pool.map(lambda _: stop_job(job), range(8)))
        assert {one.state for one in stopped} == {"stopped"}
        assert sum(pool.map(resume, range(8))) == 1
        list(pool.map(lambda _: ask_stop(job), range(8)))
    job = wait_for(job, ended)
    assert job.state == "stopped"
    assert sum(event["event"] == "begin" for event in job.events) <= 2
    assert sum(event["event"] == "queued" for event in job.events) == 1


@pytest.mark.usefixtures("played")
def test_ten_megabytes_of_output_neither_block_the_run_nor_weigh_on_its_readers(home: Path, rows: Path) -> None:
    """A pipe would be full after 64 kB; a page that read the output each second would be slow."""
    job = create_job(home, rows, "print", SHORT, None)
    start_job(job)
    job = wait_for(job, ended)
    assert job.state == "done"
    assert (job.path / "output.txt").stat().st_size == PRINTED
    tracemalloc.start()
    read_job(job.path)
    assert tracemalloc.get_traced_memory()[1] < PRINTED / 10
    tracemalloc.stop()


def test_a_trainer_that_hangs_is_killed_after_the_grace_and_that_is_said(home: Path, rows: Path) -> None:
    hanging = idle()
    job = work_on(create_job(home, rows, "mine", SHORT, None), hanging)
    assert job.state == "running"
    ask_stop(job)
    assert read_job(job.path).state == "stopping"
    shutil.rmtree(checkpoint(job.path / "checkpoints", 3).parent)
    job = stop_job(job, grace=0.3)
    hanging.wait(10)
    assert not psutil.pid_exists(hanging.pid)
    reason = "it was ended by force before it ended by itself"
    assert (job.state, job.resumable) == ("stopped", 0)
    assert job.reason == f"{reason}; nothing of it was saved, so resuming begins it anew"
    checkpoint(job.path / "checkpoints", 7)
    assert read_job(job.path).reason == f"{reason}; it can be resumed from step 7"


def age(job: Job, seconds: float, *names: str) -> None:
    for name in names:
        (job.path / name).touch()
        os.utime(job.path / name, (time.time() - seconds,) * 2)


def test_a_silent_run_is_seen_to_be_and_a_stop_ends_it_soon_whoever_passes_by(home: Path, rows: Path) -> None:
    hanging = idle()
    job = work_on(create_job(home, rows, "mine", SHORT, None), hanging)
    age(job, 400, "process.json", "events.jsonl")
    age(job, 50, PULSE)
    assert read_job(job.path).silent == 0
    age(job, 90, PULSE)
    assert 89 < read_job(job.path).silent < 120
    pump(home)
    assert read_job(job.path).state == "running"
    ask_stop(job)
    pump(home)
    assert read_job(job.path).state == "stopping"
    age(job, 20, STOP)
    pump(home)
    assert read_job(job.path).state == "stopped"
    hanging.wait(10)
    assert not psutil.pid_exists(hanging.pid)


@pytest.mark.slow
@pytest.mark.usefixtures("played")
def test_hanging_rows_are_no_mystery(home: Path, rows: Path, tiny_base_path: Path, tmp_path: Path) -> None:
    """They may lie on a network disk that has gone: reading them never returns, and nothing is raised."""
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(InputError, match=r"pipe\.jsonl is not a file; write its rows to one"):
        create_job(home, tmp_path / "pipe.jsonl", "mine", SHORT, None)
    job = create_job(home, rows, "stuck", SHORT, str(tiny_base_path))
    start_job(job)
    wait_for(job, lambda job: any("Loading" in event.get("text", "") for event in job.events))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tuning.standing.SILENT_SECONDS", 3.0)  # the worker's own patience is as long as ever
        job = wait_for(job, lambda job: job.silent > 3)
    assert job.state == "running"
    job = stop_job(job, grace=0.5)
    assert (job.state, job.reason.split(";")[0]) == ("stopped", "it was ended by force before it ended by itself")


def test_a_worker_that_hangs_ends_itself_when_it_was_asked_to_stop_and_nobody_is_left_to_insist(
    home: Path, rows: Path, tmp_path: Path
) -> None:
    """The app may be killed after it asked and before it could kill."""
    job = create_job(home, rows, "mine", SHORT, None)
    script = (
        "import sys, time, pathlib, tuning.pulse, tuning.queue as q\n"
        "q.GRACE_SECONDS, tuning.pulse.SECONDS = 0.1, 0.05\n"
        "q.overdue.__defaults__ = (0.1,)\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "assert q.take(folder)\n"
        "with tuning.pulse.pulse(folder): time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(job.path)])
    job = wait_for(job, lambda job: job.state == "starting")
    ask_stop(job)
    assert process.wait(60) == -9
    assert read_job(job.path).state == "stopped"


def test_a_zombie_and_a_number_used_again_are_not_the_trainer(home: Path, rows: Path) -> None:
    other = idle()
    job = work_on(create_job(home, rows, "mine", SHORT, None), other)
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


def test_memory_that_ran_out_is_named_where_the_system_tells(
    home: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = idle()
    monkeypatch.setattr("tuning.process.memory_kills", lambda: 4)
    job = work_on(create_job(home, rows, "mine", SHORT, None), hanging)
    append(job, {"event": "step", "step": 9, "loss": 1.0})
    hanging.kill()
    hanging.wait()
    monkeypatch.setattr("tuning.standing.memory_kills", lambda: 4)
    assert read_job(job.path).reason.startswith("killed: the process vanished after step 9 without a word")
    monkeypatch.setattr("tuning.standing.memory_kills", lambda: 5)
    assert read_job(job.path).reason.startswith("out of memory, it seems: the process vanished after step 9")


def test_a_command_that_waits_is_passed_when_its_turn_comes_and_gone_when_killed(home: Path, rows: Path) -> None:
    waiter = idle()
    job = create_job(home, rows, "mine", SHORT, None, here=True)
    assert job.state == "queued"
    pump(home)  # starts no process for it: this one will do it
    assert read_job(job.path).state == "queued"
    claim(job.path, waiter.pid)
    waiter.kill()
    waiter.wait()
    job = read_job(job.path)
    assert (job.state, job.reason.split(";")[0]) == ("failed", "the command that waited for its turn was ended")


def test_points_that_were_computed_twice_are_shown_once(home: Path, rows: Path) -> None:
    job = create_job(home, rows, "mine", SHORT, None)
    steps = [{"event": "step", "step": step, "loss": 1.0} for step in (1, 2, 3, 4, 3, 4, 5)]
    append(
        job, *steps[:4], {"event": "validation", "step": 3, "loss": 2.0}, {"event": "resumed", "step": 2}, *steps[4:]
    )
    append(job, {"event": "validation", "step": 3, "loss": 2.5})
    job = read_job(job.path)
    assert [event["step"] for event in job.events if event["event"] == "step"] == [1, 2, 3, 4, 5]
    assert [event["loss"] for event in job.events if event["event"] == "validation"] == [2.5]


def test_a_torn_last_event_is_no_event(home: Path, rows: Path) -> None:
    job = create_job(home, rows, "mine", SHORT, "/no/such/model")
    append(job, {"event": "step", "step": 3})
    with (job.path / "events.jsonl").open("ab") as file:
        file.write(b'{"event": "done", "adapter": "mi\xff')
    job = read_job(job.path)
    assert job.state == "queued"
    assert job.last("step")["step"] == 3
    worker.run(job)  # fails soon, for want of a model; but what it says is not lost in the torn line
    assert read_job(job.path).state == "failed"


def run_here(home: Path, rows: Path, base: str | None, config: TrainConfig = SHORT) -> Job:
    job = create_job(home, rows, "mine", config, base)
    worker.run(job)
    return read_job(job.path)


def test_numbers_that_are_none_are_a_named_failure(home: Path, rows: Path, tiny_base_path: Path) -> None:
    job = run_here(home, rows, str(tiny_base_path), replace(SHORT, learning_rate=1e30, epochs=10))
    assert job.state == "failed"
    assert job.reason.startswith("not a number: ")
    assert job.reason.endswith("lower the learning rate (now 1e+30) and retry")
    with pytest.raises(InputError, match="would fail again"):
        resume_job(job)


def full_behind(error: Exception) -> Exception:
    error.__cause__ = OSError(28, "No space left on device")
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device"), "disk full: make room on it; nothing of it was saved"),
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0"), "disk full: make room"),
        (MemoryError(), "out of memory: close other programs, or begin anew with a smaller batch_size"),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."), "out of memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "out of memory"),
        (
            ZeroDivisionError("division by zero"),
            "ZeroDivisionError: division by zero; the whole message is in events.jsonl",
        ),
        (InputError("line 3: no response; write one"), "line 3: no response; write one"),
        (full_behind(InputError("x could not be written")), "disk full: make room on it"),
        (KeyboardInterrupt(), "interrupted; nothing of it was saved, so resuming begins it anew"),
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
    monkeypatch.setattr("tuning.disk.UNKNOWN_BYTES", 1 << 62)
    with pytest.raises(
        InputError, match="MB free; this run needs 4,611,686,018,427 MB for its checkpoints, so make room"
    ):
        create_job(home, rows, "mine", SHORT, None)
    assert list_jobs(home) == []


def test_an_unknown_id_is_answered_with_the_ids_there_are(home: Path, rows: Path) -> None:
    with pytest.raises(InputError, match="no run 'x'; there are: none yet"):
        find_job(home, "x")
    job = create_job(home, rows, "mine", SHORT, None)
    with pytest.raises(InputError, match=f"there are: {job.id}"):
        find_job(home, "../x")
