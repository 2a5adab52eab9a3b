"""A disk that gets full while a checkpoint is written, for real: a small one of memory, which only the run can see."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

MOUNT = 'mount -t tmpfs -o size=64m none "$1" && exec "$2" -m tests.tuning.full_disk "$1" "$3"'


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A folder on which a disk can be mounted for one process and those that it starts."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        subprocess.run(
            ["unshare", "-rm", "mount", "-t", "tmpfs", "none", str(folder)], check=True, capture_output=True, timeout=60
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here, not even for one process: {error}")
    return folder


def test_a_full_disk_is_named_and_costs_no_more_than_the_steps_since_the_last_checkpoint(
    disk: Path, tiny_base_path: Path
) -> None:
    """transformers leaves a checkpoint folder that is full of nothing, and would then go on from that."""
    ran = subprocess.run(
        ["unshare", "-rm", "sh", "-c", MOUNT, "sh", str(disk), sys.executable, str(tiny_base_path)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["free"] <= 32 << 10
    full = told["full"]
    assert full["state"] == "failed"
    assert full["reason"] == f"disk full: make room on it; it can be resumed from step {full['resumable']}"
    assert "_save_checkpoint" in told["traceback"]
    assert told["checkpoint"] == full["resumable"] > 0
    assert told["listed"] == ["undisturbed"]
    assert "has 0 MB free; this run needs" in told["refused"]
    assert told["resumed"] == {"state": "done", "from": full["resumable"]}
    assert told["same"]
    assert told["notes"] == []
