"""A config and examples -> an adapter or a model on disk, measured on rows that it never saw."""

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tuning import ranks
from tuning.adapters import Adapter, save_adapter
from tuning.answers import AnswersRun
from tuning.base import Base
from tuning.before import Before
from tuning.checkpoints import latest_whole
from tuning.config import PREFERENCE_METHODS, TrainConfig
from tuning.dialogues import Dataset
from tuning.errors import InputError
from tuning.loop import Diverged, Reporter
from tuning.pace import Estimate
from tuning.preferences import PreferencesRun
from tuning.run import Run, Stopped, Task
from tuning.sweep import TRIES, swept

__all__ = ["Diverged", "Stopped", "TrainConfig", "estimate", "train"]


def train(
    base: Base,
    data: Dataset,
    config: TrainConfig,
    name: str,
    adapters: Path,
    work: Path,
    report: Reporter = lambda event: None,
    stop: Callable[[], bool] = lambda: False,
    start: Adapter | None = None,
) -> Adapter:
    """Train an adapter on `data`, a fresh one or from `start` on, and save it as `adapters/name`.

    With the method `full`, every weight is trained, and `adapters` is where models stand: the folder is then one.

    Checkpoints go to `work/checkpoints`; where a whole one of this run is found there, training goes on from it. They
    are removed at the end, but not after a stop: going on, then, ends in an adapter that replaces the one saved before.
    `report` gets a dict for everything that happens: `event` is start, estimate, resumed, sweep, step, validation or
    note. When `stop()` turns true, the step in progress ends, and the best weights so far are measured on the test rows
    and saved.

    Raises InputError for a taken name, rows that the method does not learn from or a `start` of another base, Diverged
    when numbers stop being finite, Stopped when `stop()` was true before the first step.
    """
    began = time.perf_counter()
    task = Task(base, data, config, start)
    _refuse_unfit(task)
    before = Before(work, task.identity)
    adapter = before.saved(adapters, name)
    if adapter is None or adapter.card["ended"] == "stopped":
        if config.sweep:
            rate = before.recall("learning_rate", lambda: swept(make_run, task, work / "sweep", report, stop))
            task = replace(task, config=replace(config, learning_rate=rate))
        run = make_run(task, before, report, stop)
        run.train(estimate=latest_whole(before.checkpoints, thorough=False) is None)
        seconds = run.progress.earlier_seconds + time.perf_counter() - began
        card = run.card() | {"seconds": round(seconds, 1), "run": before.run}
        replaces = adapter is not None
        adapter = ranks.first_does(lambda: save_adapter(adapters, name, run.save, card, replaces))
    if adapter.card["ended"] != "stopped" and ranks.is_first():
        shutil.rmtree(before.checkpoints, ignore_errors=True)
    return adapter


def estimate(base: Base, data: Dataset, config: TrainConfig, start: Adapter | None = None) -> Estimate:
    """What `train` with the same arguments would take, from a few real steps that change nothing on disk.

    A sweep's tries are counted in. Raises InputError as `train` does.
    """
    task = Task(base, data, config, start)
    _refuse_unfit(task)
    with tempfile.TemporaryDirectory() as work:
        found = make_run(task, Before(Path(work), task.identity), lambda event: None, lambda: False).estimate()
    return replace(found, seconds=found.seconds * (1 + TRIES)) if config.sweep else found


def make_run(task: Task, before: Before, report: Reporter, stop: Callable[[], bool]) -> Run:
    """The run that the task's method asks for."""
    kind = PreferencesRun if task.config.method in PREFERENCE_METHODS else AnswersRun
    return kind(task, before, report, stop)


def _refuse_unfit(task: Task) -> None:
    method, data = task.config.method, task.data
    wanted = {"dpo": "preferences", "kto": "feedback"}.get(method, "answers")
    if data.kind != wanted:
        fits = {"preferences": "dpo", "feedback": "kto", "answers": "lora"}[data.kind]
        raise InputError(
            f"{data.file} teaches {data.kind}, which {method} does not learn from; choose the method {fits}"
        )
    if task.start is not None and method == "full":
        raise InputError(
            "full trains the base's own weights and cannot go on from an adapter; choose lora, or no adapter"
        )
    if task.config.sweep and not data.splits.validation:
        raise InputError(
            f"{data.file} leaves no rows to validate with, by which a sweep chooses; add rows or do without"
        )
