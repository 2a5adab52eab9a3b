"""Processes that train as one: the same rows in the same steps, hence the same losses as one process has."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPO

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    parts = ("train", "train", "train", "validation", "test")
    with path.open("w") as file:
        for number in range(80):
            answer = " ".join(("red", "green", "blue")[: number % 3 + 1])  # unequal, so that a mean of means is wrong
            row = {"prompt": f"What is answer {number}?", "response": answer, "split": parts[number % 5]}
            file.write(json.dumps(row) + "\n")
    return path


def launched(home: Path, processes: int, *command: str) -> subprocess.CompletedProcess[str]:
    """The command run by that many processes; on processors, torch's launcher is what accelerate's would call."""
    start = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)] if processes > 1 else []
    environment = {**os.environ, "FOURFOLD_HOME": str(home), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *start, *command], cwd=REPO, env=environment, capture_output=True, text=True, timeout=240
    )


def test_two_processes_with_half_of_each_weight_learn_what_one_does(
    rows: Path, tiny_base_path: Path, tmp_path: Path
) -> None:
    losses: dict[int, float] = {}
    sizes: dict[int, int] = {}
    for processes in (1, 2):
        out = tmp_path / str(processes)
        out.mkdir()
        done = launched(tmp_path, processes, "-m", "tests.tuning.sharded", str(tiny_base_path), str(rows), str(out))
        assert done.returncode == 0, done.stderr
        losses[processes] = float((out / "loss").read_text())
        sizes[processes] = (out / "adapter_model.safetensors").stat().st_size
    assert losses[2] == pytest.approx(losses[1], rel=0.02)  # sums in bfloat16, in another order
    assert sizes[2] == sizes[1]


def test_two_processes_train_on_the_steps_that_one_does(rows: Path, tiny_base_path: Path, tmp_path: Path) -> None:
    settings = ["--rank", "8", "--learning-rate", "0.02", "--epochs", "5", "--precision", "float32", "--no-assess"]
    base = ["--base", str(tiny_base_path), "--json"]
    results = {}
    for processes in (1, 2):
        command = ["-m", "tuning", "train", str(rows), "--name", f"by{processes}", *settings, *base]
        done = launched(tmp_path / "home", processes, *command)
        assert done.returncode == 0, done.stderr
        results[processes] = json.loads(done.stdout.splitlines()[-1])
    events = {
        path.parent.name: [json.loads(line) for line in path.read_text().splitlines() if line]
        for path in sorted((tmp_path / "home" / "jobs").glob("*/events.jsonl"))
    }
    one, two = [[event["loss"] for event in told if event["event"] == "step"] for told in events.values()]
    assert len(one) == 30
    assert two == pytest.approx(one, rel=1e-3)
    for loss in ("base_test_loss", "test_loss", "validation_loss"):
        assert results[2][loss] == pytest.approx(results[1][loss], rel=1e-3)


def test_what_several_processes_cannot_do_is_told_once(rows: Path, tiny_base_path: Path, tmp_path: Path) -> None:
    command = ["-m", "tuning", "train", str(rows), "--name", "odd", "--batch-size", "7", "--base", str(tiny_base_path)]
    done = launched(tmp_path / "home", 2, *command)
    assert done.returncode != 0
    assert done.stderr.count("batch_size is 7, which 2 processes cannot share evenly; choose a multiple of 2") == 1
