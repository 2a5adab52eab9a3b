"""Checkpoints on disk: published whole under their name or not at all, and found again by what they contain.

`checkpoints/checkpoint-<STEP>/` holds what transformers' Trainer saves to go on from: weights, optimizer, schedule,
random numbers, `trainer_state.json`; and `whole.json`, the length and SHA-256 of every file. Imports no model library:
a page that says from which step a run can go on must be cheap.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

STATE = "trainer_state.json"
MANIFEST = "whole.json"
WRITING = ".writing"
"""Where checkpoints are written, beside those that are whole."""
NAME = re.compile(r"checkpoint-(\d+)")


def latest_whole(folder: Path, thorough: bool = True) -> Path | None:
    """The newest checkpoint in `folder` that reads back whole; None if there is none. Torn ones are passed over.

    Unless `thorough`, files are known by their lengths and not read: enough to say what can be resumed.
    """
    return next((path for path in _newest_first(folder) if is_whole(path, thorough)), None)


def is_whole(checkpoint: Path, thorough: bool = True) -> bool:
    """Whether every file of the checkpoint is as it was written, and it is that of the step in its name."""
    try:
        manifest = json.loads((checkpoint / MANIFEST).read_text(encoding="utf-8"))
        same = bool(manifest) and all(
            (checkpoint / name).stat().st_size == size and (not thorough or _sha256(checkpoint / name) == sha256)
            for name, (size, sha256) in manifest.items()
        )
        return same and STATE in manifest and state_of(checkpoint)["global_step"] == step_of(checkpoint)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def state_of(checkpoint: Path) -> dict[str, Any]:
    """What the Trainer knew: `global_step`, `max_steps`, `log_history`, `best_global_step` and more."""
    state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
    if not isinstance(state, dict):
        raise ValueError(f"{checkpoint / STATE} is no object")
    return state


def step_of(checkpoint: Path) -> int:
    """The step after which the checkpoint was saved."""
    match = NAME.fullmatch(checkpoint.name)
    if not match:
        raise ValueError(f"{checkpoint} is no checkpoint")
    return int(match[1])


def at_step(folder: Path, step: int) -> Path:
    """Where the checkpoint of that step is, or would be."""
    return folder / f"checkpoint-{step}"


def publish(written: Path, folder: Path) -> Path:
    """Put `written`, a filled folder on the same disk, into `folder` under its own name, in one step and synced."""
    files = [path for path in sorted(written.rglob("*")) if path.is_file()]
    manifest = {str(path.relative_to(written)): (path.stat().st_size, _sha256(path)) for path in files}
    (written / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    for path in [*written.rglob("*"), written]:
        sync(path)
    target = folder / written.name
    if target.exists():  # a torn one of an earlier try
        _remove(target)
    written.rename(target)
    sync(folder)
    return target


def keep(folder: Path, steps: Iterable[int]) -> None:
    """Remove all checkpoints but those of `steps`."""
    kept = {at_step(folder, step) for step in steps}
    for path in _newest_first(folder):
        if path not in kept:
            _remove(path)


def sync(path: Path) -> None:
    """Wait until the file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _newest_first(folder: Path) -> Iterator[Path]:
    found = [path for path in (folder.iterdir() if folder.is_dir() else ()) if NAME.fullmatch(path.name)]
    yield from sorted(found, key=step_of, reverse=True)


def _remove(checkpoint: Path) -> None:
    """Remove it under another name, so that what a kill leaves of it is not taken for a checkpoint."""
    doomed = checkpoint.parent / f"{WRITING}-old"
    shutil.rmtree(doomed, ignore_errors=True)
    checkpoint.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
