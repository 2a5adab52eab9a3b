"""A config and examples -> an adapter on disk, measured on rows that it never saw."""

import math
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from tuning import lora
from tuning.adapters import Adapter, save_adapter
from tuning.base import Base
from tuning.before import Before
from tuning.checkpoints import latest_whole
from tuning.config import TrainConfig
from tuning.dialogues import Dataset, Example, encode
from tuning.errors import InputError
from tuning.fused import fuse
from tuning.heldout import TEST_ROWS, write_rows
from tuning.loop import AnswerTrainer, Diverged, Progress, Reporter, diverged
from tuning.loss import collate_packed, layout, mean_answer_loss
from tuning.order import FamilyOrder, LengthOrder, Order, families
from tuning.pace import fastest_precision
from tuning.saving import SaveClock

__all__ = ["Diverged", "Stopped", "TrainConfig", "train"]


class Stopped(Exception):
    """Training was stopped before there was anything to save."""


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

    Checkpoints go to `work/checkpoints`; where a whole one of this run is found there, training goes on from it. They
    are removed at the end, but not after a stop: going on, then, ends in an adapter that replaces the one saved before.
    `report` gets a dict for everything that happens: `event` is start, resumed, step, validation or note. When `stop()`
    turns true, the step in progress ends, and the best weights so far are measured on the test rows and saved.

    Raises InputError for a taken name or a `start` of another base, Diverged when numbers stop being finite, Stopped
    when `stop()` was true before the first step.
    """
    began = time.perf_counter()
    _refuse_unfit(data, config.method)
    whole = {"base": base.digest, "rows": data.sha256, "start": start.digest if start else None}
    before = Before(work, whole | {"config": asdict(config)})
    adapter = before.saved(adapters, name)
    if adapter is None or adapter.card["ended"] == "stopped":
        run = _Run(base, data, config, before, report, stop, start)
        run.train()
        seconds = run.progress.earlier_seconds + time.perf_counter() - began
        card = run.card() | {"seconds": round(seconds, 1), "run": before.run}
        adapter = save_adapter(adapters, name, run.write, card, replace=adapter is not None)
    if adapter.card["ended"] != "stopped":
        shutil.rmtree(before.checkpoints, ignore_errors=True)
    return adapter


def _refuse_unfit(data: Dataset, method: str) -> None:
    wanted = {"dpo": "preferences", "kto": "feedback"}.get(method, "answers")
    if data.kind != wanted:
        fits = {"preferences": "dpo", "feedback": "kto", "answers": "lora"}[data.kind]
        raise InputError(
            f"{data.file} teaches {data.kind}, which {method} does not learn from; choose the method {fits}"
        )


def lineage(start: Adapter | None) -> list[dict[str, str]]:
    """The adapters that an adapter was trained on from, the nearest first, each with `name` and `digest`."""
    if start is None:
        return []
    return [{"name": start.name, "digest": start.digest}, *start.card.get("lineage", ())]


class _Run:
    """One run from fresh weights to measured ones."""

    def __init__(
        self,
        base: Base,
        data: Dataset,
        config: TrainConfig,
        before: Before,
        report: Reporter,
        stop: Callable[[], bool],
        start: Adapter | None,
    ) -> None:
        self.base, self.data, self.config, self.before, self.start = base, data, config, before, start
        self._report, self._stop = report, stop
        self._pad = int(base.tokenizer.pad_token_id or 0)
        if config.max_length > base.context:
            raise InputError(
                f"max_length is {config.max_length}; {base.name} reads no more than {base.context}, lower it"
            )
        splits = data.splits
        self.train_set, self.validation, self.test = (
            [encode(base.tokenizer, row.grounded) for row in part]
            for part in (splits.train, splits.validation, splits.test)
        )
        self.precision = before.recall("precision", lambda: fastest_precision(base, config, self.train_set, self._pad))
        self.model = lora.attach(base, config, self.precision, start)
        fuse(self.model)
        self._lay = layout(self.model, self._pad, self.precision)
        self.progress = Progress(report, self._stop)
        self.test_loss: float | None = None
        self.base_test_loss: float | None = None

    def train(self) -> None:
        trainer = AnswerTrainer(
            lay=self._lay,
            order=self._order(),
            precision=self.precision,
            progress=self.progress,
            model=self.model,
            args=self._arguments(),
            train_dataset=[vars(example) for example in self.train_set],
            eval_dataset=self.validation or None,
            callbacks=self._callbacks(),
        )
        trainer.remove_callback(PrinterCallback)  # results go to `report`, not to standard output
        self._start_event(trainer)
        with self.model.disable_adapter():
            self.base_test_loss = self.before.recall("base_test_loss", lambda: self._measure(self.test))
        if self._stop():
            raise Stopped("stopped before its first step")
        trainer.train(latest_whole(self.before.checkpoints))
        if not lora.round_to_half(self.model):
            raise diverged("a weight", trainer.state.global_step, self.config.learning_rate)
        self.test_loss = self._measure(self.test)
        if self.test_loss is not None and not math.isfinite(self.test_loss):
            raise diverged("the test loss", trainer.state.global_step, self.config.learning_rate)

    def _order(self) -> Order:
        rows, config = [vars(example) for example in self.train_set], self.config
        if self._lay is collate_packed:
            return FamilyOrder(families(rows), config.batch_size, config.seed)
        return LengthOrder([len(row["input_ids"]) for row in rows], config.batch_size, config.seed)

    def _start_event(self, trainer: Trainer) -> None:
        trained = sum(parameter.numel() for parameter in self.model.parameters() if parameter.requires_grad)
        rows = {"train_rows": len(self.train_set), "validation_rows": len(self.validation), "test_rows": len(self.test)}
        tokens = sum(example.answer_tokens for example in self.train_set)
        steps = math.ceil(math.ceil(len(self.train_set) / self.config.batch_size) * self.config.epochs)
        self._report(
            {"event": "start", "steps": steps, "precision": self.precision, "trained_parameters": trained, **rows}
            | {"answer_tokens": tokens, "device": str(trainer.args.device)}
        )
        for note in (*self.data.report.notes, *self.data.splits.notes):
            self._report({"event": "note", "text": note})

    def _measure(self, examples: list[Example]) -> float | None:
        if not examples:
            return None
        return mean_answer_loss(self.model, examples, self._lay, self.config.batch_size, self.precision)

    def _arguments(self) -> TrainingArguments:
        config, validated = self.config, bool(self.validation)
        # Validate twice an epoch; a checkpoint goes with each, since the best of them is what is kept.
        every = max(1, math.ceil(len(self.train_set) / config.batch_size / 2))
        return TrainingArguments(
            output_dir=str(self.before.checkpoints),
            per_device_train_batch_size=config.batch_size,
            num_train_epochs=config.epochs,
            learning_rate=config.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=config.warmup,
            weight_decay=config.weight_decay,
            seed=config.seed,
            eval_strategy="steps" if validated else "no",
            eval_on_start=validated,
            eval_steps=every,
            save_strategy="steps",
            save_steps=every,
            save_total_limit=None,  # what is kept is decided where it is saved
            restore_callback_states_from_checkpoint=True,
            load_best_model_at_end=validated,
            metric_for_best_model="loss" if validated else None,
            greater_is_better=False if validated else None,
            logging_steps=1,
            logging_nan_inf_filter=False,  # it would show a loss of 0 where there is none
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
            activation_checkpointing=False,  # a third more work, and a small model's activations fit
            use_cache=False,
            use_cpu=self.base.device.type == "cpu",
            dataloader_pin_memory=self.base.device.type == "cuda",
        )

    def _callbacks(self) -> list[TrainerCallback]:
        if self.validation and self.config.patience:
            return [SaveClock(), self.progress, EarlyStoppingCallback(self.config.patience)]
        return [SaveClock(), self.progress]

    def write(self, folder: Path) -> None:
        """The adapter's files, and the rows that it never saw."""
        lora.write(self.model, self.base.name, folder)
        write_rows(self.data.splits.test, folder / TEST_ROWS)

    def card(self) -> dict[str, Any]:
        """What the adapter's folder says about it."""
        progress, splits = self.progress, self.data.splits
        return {
            "method": self.config.method,
            "base": self.base.name,
            "base_digest": self.base.digest,
            "lineage": lineage(self.start),
            "config": asdict(self.config),
            "precision": self.precision,
            "rows": {
                "file": self.data.file,
                "sha256": self.data.sha256,
                **{part: [row.digest for row in getattr(splits, part)] for part in ("train", "validation", "test")},
            },
            "train_rows": len(splits.train),
            "curves": {"train": progress.losses, "validation": progress.validations},
            "steps": progress.step,
            "ended": progress.ended,
            "validation_loss": min((loss for step, loss in progress.validations if step), default=None),
            "test_loss": self.test_loss,
            "base_test_loss": self.base_test_loss,
            "answer_tokens_per_second": round(progress.answer_tokens / max(progress.step_seconds, 1e-9), 1),
        }
