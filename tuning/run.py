"""One run from fresh weights to measured ones: what training on answers and on preferences have in common."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainerCallback

from tuning import lora, ranks
from tuning.adapters import Adapter
from tuning.averaging import AveragingAdamW
from tuning.base import Base
from tuning.before import Before
from tuning.checkpoints import latest_whole
from tuning.config import AVERAGED, TrainConfig
from tuning.dialogues import Dataset
from tuning.errors import InputError
from tuning.heldout import TEST_ROWS, write_rows
from tuning.loop import Progress, Reporter, diverged
from tuning.pace import Estimate
from tuning.saving import SaveClock


class Stopped(Exception):
    """Training was stopped before there was anything to save."""


@dataclass(frozen=True)
class Task:
    """What is to be learnt from what."""

    base: Base
    data: Dataset
    config: TrainConfig
    start: Adapter | None = None
    """The adapter that training goes on from; None begins with fresh weights."""

    @property
    def identity(self) -> dict[str, Any]:
        """All that the outcome depends on."""
        start, config = self.start.digest if self.start else None, asdict(self.config)
        if self.config.schedule == "cosine":
            del config["schedule"]  # runs that began before there was a choice go on
        return {"base": self.base.digest, "rows": self.data.sha256, "start": start, "config": config}


class Run(ABC):
    """A task in progress. Events go to `report`; `stop` is asked after every step."""

    model: Any
    precision: str
    trainer: Trainer

    def __init__(self, task: Task, before: Before, report: Reporter, stop: Callable[[], bool]) -> None:
        if task.config.max_length > task.base.context:
            most = f"{task.base.name} reads no more than {task.base.context}"
            raise InputError(f"max_length is {task.config.max_length}; {most}, lower it")
        if task.config.batch_size % ranks.count():
            raise InputError(
                f"batch_size is {task.config.batch_size}, which {ranks.count()} processes cannot share evenly; "
                f"choose a multiple of {ranks.count()}"
            )
        self.task, self.before = task, before
        self.report: Reporter = report if ranks.is_first() else lambda event: None
        self.stop: Callable[[], bool] = lambda: ranks.any_of(
            stop()
        )  # one process that ended alone would leave the others waiting
        self.progress = Progress(self.report, self.stop)
        self.results: dict[str, float | None] = {}
        """What the test rows say, for the card."""
        self.weights: dict[str, Any] | None = None
        """What was learnt, where the model holds but a part of it."""

    @abstractmethod
    def measure_before(self) -> dict[str, float | None]:
        """What the test rows say of the base model."""

    @abstractmethod
    def measure_after(self) -> dict[str, float | None]:
        """What the test rows say of what was learnt, rounded as it will be stored."""

    @abstractmethod
    def start_event(self) -> dict[str, Any]:
        """What is known before the first step."""

    @abstractmethod
    def estimate(self) -> Estimate:
        """What the run will take, from timing real steps."""

    @property
    def steps(self) -> int:
        """How many steps the run takes if nothing ends it earlier."""
        config = self.task.config
        return math.ceil(math.ceil(len(self.task.data.splits.train) / config.batch_size) * config.epochs)

    @property
    def averages(self) -> bool:
        """Whether what is learnt is the mean of many steps' weights."""
        return self.task.config.schedule == "averaged"

    def train(self, estimate: bool = False) -> None:
        """Train, or go on from the last whole checkpoint, and measure; with `estimate`, first say what that will take.

        Raises Diverged when numbers stop being finite, Stopped when there is nothing to save.
        """
        self.trainer.remove_callback(PrinterCallback)  # results go to `report`, not to standard output
        self.report({"event": "start", "precision": self.precision, **self.start_event()})
        for note in (*self.task.data.report.notes, *self.task.data.splits.notes):
            self.report({"event": "note", "text": note})
        if estimate:
            self.report({"event": "estimate", **vars(self.estimate())})
        self.results = dict(self.before.recall("base", self.measure_before))
        if self.stop():
            raise Stopped("stopped before its first step")
        if self.averages:
            options = {"lr": self.task.config.learning_rate, "after": int((1 - AVERAGED) * self.steps), "fused": True}
            self.trainer.optimizer_cls_and_kwargs = (AveragingAdamW, options)
        self.trainer.train(latest_whole(self.before.checkpoints))  # type: ignore[arg-type]
        step, rate = self.trainer.state.global_step, self.task.config.learning_rate
        if not self.round():
            raise diverged("a weight", step, rate)
        self.results |= self.measure_after()
        if any(value is not None and not math.isfinite(value) for value in self.results.values()):
            raise diverged("the test loss", step, rate)
        self.weights = ranks.gathered(self.model)

    def round(self) -> bool:
        """Round what was learnt to how it is stored; whether all of it is finite."""
        return lora.round_to_half(self.model)

    def write(self, folder: Path) -> None:
        """The files of what was learnt."""
        lora.write(self.model, self.task.base.name, folder, self.weights)

    def save(self, folder: Path) -> None:
        """The files of what was learnt, and the rows that it never saw."""
        self.write(folder)
        write_rows(self.task.data.splits.test, folder / TEST_ROWS)

    def arguments(self, make: Callable[..., Any], **others: Any) -> Any:
        """The Trainer's arguments, of whichever class `make` makes; `others` go before these."""
        config, validated = self.task.config, bool(self.task.data.splits.validation)
        # Validate twice an epoch; a checkpoint goes with each, since the best of them is what is kept.
        every = max(1, math.ceil(len(self.task.data.splits.train) / config.batch_size / 2))
        usual = {
            "output_dir": str(self.before.checkpoints),
            "per_device_train_batch_size": config.batch_size // ranks.count(),
            "per_device_eval_batch_size": config.batch_size // ranks.count(),
            "num_train_epochs": config.epochs,
            "learning_rate": config.learning_rate,
            "lr_scheduler_type": "constant_with_warmup" if self.averages else "cosine",
            "warmup_steps": config.warmup,
            "weight_decay": config.weight_decay,
            "seed": config.seed,
            "eval_strategy": "steps" if validated else "no",
            "eval_on_start": validated,
            "eval_steps": every,
            "save_strategy": "steps",
            "save_steps": every,
            "save_total_limit": None,  # what is kept is decided where it is saved
            "restore_callback_states_from_checkpoint": True,
            "load_best_model_at_end": validated,
            "metric_for_best_model": "loss" if validated else None,
            "greater_is_better": False if validated else None,
            "logging_steps": 1,
            "logging_nan_inf_filter": False,  # it would show a loss of 0 where there is none
            "report_to": "none",
            "disable_tqdm": True,
            "remove_unused_columns": False,
            "activation_checkpointing": False,  # a third more work, and a small model's activations fit
            "use_cache": False,
            "ddp_find_unused_parameters": False,  # every adapter takes part in every step
            "use_cpu": self.task.base.device.type == "cpu",
            "dataloader_pin_memory": self.task.base.device.type == "cuda",
        }
        return make(**(usual | others))

    def callbacks(self) -> list[TrainerCallback]:
        """Who listens to the Trainer."""
        listeners: list[TrainerCallback] = [SaveClock(), self.progress]
        if self.task.data.splits.validation and self.task.config.patience:
            listeners.append(EarlyStoppingCallback(self.task.config.patience))
        return listeners

    def card(self) -> dict[str, Any]:
        """What the folder of what was learnt says about it."""
        task, progress = self.task, self.progress
        parts = {part: getattr(task.data.splits, part) for part in ("train", "validation", "test")}
        digests = {part: [row.digest for row in rows] for part, rows in parts.items()}
        digests["earlier"] = sorted(task.start.seen) if task.start else []
        return {
            "method": task.config.method,
            "base": task.base.name,
            "base_digest": task.base.digest,
            "lineage": lineage(task.start),
            "config": asdict(task.config),
            "precision": self.precision,
            "rows": {"file": task.data.file, "sha256": task.data.sha256, **digests},
            "train_rows": len(parts["train"]),
            "curves": {"train": progress.losses, "validation": progress.validations},
            "steps": progress.step,
            "ended": progress.ended,
            "validation_loss": min((loss for step, loss in progress.validations if step), default=None),
            **self.results,
            "answer_tokens_per_second": round(progress.answer_tokens / max(progress.step_seconds, 1e-9), 1),
        }


def lineage(start: Adapter | None) -> list[dict[str, str]]:
    """The adapters that an adapter was trained on from, the nearest first, each with `name` and `digest`."""
    if start is None:
        return []
    return [{"name": start.name, "digest": start.digest}, *start.card.get("lineage", ())]
