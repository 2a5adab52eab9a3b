"""Votes -> a training run in tuning's queue: the loop from what people prefer back to what is trained."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from eval.errors import InputError
from eval.export import LESSONS, as_lines, lessons
from eval.files import write_bytes
from eval.vote import Vote

if TYPE_CHECKING:
    from tuning.adapters import Adapter
    from tuning.jobs import Job

METHODS = {"dpo": "dpo", "kto": "kto", "sft": "lora"}
FRESH = "base"
"""In place of an adapter to go on from: none."""
FEWEST = 8
"""Rows from which a run is worth its minutes; with fewer nothing can be held out."""


def tune(
    votes: Sequence[Vote],
    kind: str,
    name: str,
    home: Path,
    folders: Sequence[Path],
    start: str | None = None,
    base: str | None = None,
) -> "Job":
    """Put a run that makes the adapter `name` into the queue of `home` and let the queue go on.

    It goes on from the adapter `start`: None for the one that was voted on last, found by its digest in `folders`,
    `base` for none. Raises InputError where the format teaches nothing, too few rows came of the votes or the name is
    taken.
    """
    from tuning.config import TrainConfig
    from tuning.jobs import create_job, start_job

    if kind not in LESSONS:
        raise InputError(f"Votes as {kind} cannot be trained on; give --format dpo, kto or sft.")
    rows, _ = lessons(votes, kind)
    if len(rows) < FEWEST:
        raise InputError(
            f"The votes make {len(rows)} rows for {kind}, fewer than {FEWEST}; vote on more questions, or give another"
            " --format."
        )
    parent = _parent(votes, folders, start)
    config = TrainConfig.preset("balanced", {"method": METHODS[kind]})
    with tempfile.TemporaryDirectory(prefix="fourfold-votes-") as folder:  # the run keeps a copy of its own
        path = Path(folder) / f"votes-{kind}.jsonl"
        write_bytes(path, as_lines(rows))
        job = create_job(home, path, name, config, base or (parent.base if parent else None), parent)
    start_job(job)
    return job


def _parent(votes: Sequence[Vote], folders: Sequence[Path], start: str | None) -> "Adapter | None":
    from tuning.adapters import find_adapter, list_adapters

    if start == FRESH:
        return None
    if start is not None:
        return find_adapter(start, *folders)
    known = [vote.configuration.get("adapter") for vote in votes]
    digest = next((one["digest"] for one in reversed(known) if isinstance(one, dict) and "digest" in one), None)
    return next((adapter for adapter in list_adapters(*folders) if adapter.digest == digest), None)
