"""Short runs at several learning rates, of which the validation rows choose."""

import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tuning import ranks
from tuning.before import Before
from tuning.loop import Diverged, Event, Reporter
from tuning.run import Run, Stopped, Task

FACTORS = (0.4, 1.0, 2.0, 4.0)
"""From 5e-4: 2e-4, 5e-4, 1e-3, 2e-3."""
SHARE = 0.1
"""Of the epochs, for each try."""
TRIES = SHARE * len(FACTORS)
"""What all tries take, of what the run takes."""
LEAST_STEPS = 8

Make = Callable[[Task, Before, Reporter, Callable[[], bool]], Run]


def swept(make: Make, task: Task, work: Path, report: Reporter, stop: Callable[[], bool]) -> float:
    """The learning rate, of `FACTORS` times the configured one, whose short run has the lowest validation loss.

    Each is told to `report` as a `sweep` event. A rate that diverges loses. Raises Diverged where all do, Stopped where
    `stop()` turned true.
    """
    config, rows = task.config, len(task.data.splits.train)
    steps_an_epoch = math.ceil(rows / config.batch_size)
    epochs = min(config.epochs, max(SHARE * config.epochs, LEAST_STEPS / steps_an_epoch))
    losses: dict[float, float] = {}
    for factor in FACTORS:
        rate = config.learning_rate * factor
        short = replace(task, config=replace(config, learning_rate=rate, epochs=epochs, patience=0, sweep=False))
        try:
            losses[rate] = _validation_loss(make(short, Before(work, short.identity), _quiet(report), stop))
        except Diverged:
            losses[rate] = math.inf
        finally:
            ranks.wait()
            if ranks.is_first():
                shutil.rmtree(work, ignore_errors=True)
        report({"event": "sweep", "learning_rate": rate, "loss": losses[rate] if losses[rate] < math.inf else None})
    best = min(losses, key=losses.__getitem__)
    if losses[best] == math.inf:
        raise Diverged(f"no learning rate from {min(losses):g} to {max(losses):g} stays finite; lower it and retry")
    report({"event": "note", "text": f"of the learning rates tried, {best:g} has the lowest validation loss"})
    return best


def _validation_loss(run: Run) -> float:
    run.train()
    if run.progress.ended == "stopped":
        raise Stopped("stopped while it tried learning rates")
    return run.progress.validations[-1][1]


def _quiet(report: Reporter) -> Reporter:
    """Only steps, marked as a try's: its curves are not the run's."""

    def tell(event: Event) -> None:
        if event["event"] == "step":
            report({**event, "event": "try"})

    return tell
