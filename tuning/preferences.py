"""Training on judgements: an adapter learns which answers are preferred (DPO), or which are good and bad (KTO).

The losses and loops are TRL's; the reference that the model is held to is the base without the adapter, or the adapter
that training went on from.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from datasets import Dataset as Table
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

from tuning import lora, ranks
from tuning.before import Before
from tuning.dialogues import Row, encode
from tuning.errors import InputError
from tuning.loop import Progress, Reporter
from tuning.pace import Estimate, estimate, fastest_precision, sampled
from tuning.run import Run, Task
from tuning.saving import WholeCheckpoints

MOST_WEIGHT = 8.0
"""KTO: more rows of one kind than this times the other's cannot be balanced by weights."""


class Counted(WholeCheckpoints):
    """Mixed into TRL's trainers: whole checkpoints, and the answers' tokens counted as in training on answers."""

    progress: Progress

    def compute_loss(self, model: Any, inputs: dict[str, Any], *others: Any, **named: Any) -> Any:
        if model.training:
            self.progress.answer_tokens += int(inputs["completion_mask"].sum())
        return super().compute_loss(model, inputs, *others, **named)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        super().log(logs | self.progress.counts() if "loss" in logs else logs, start_time)


class CountedDPOTrainer(Counted, DPOTrainer):  # type: ignore[misc]
    """TRL's for preferences."""


class CountedKTOTrainer(Counted, KTOTrainer):  # type: ignore[misc]
    """TRL's for good and bad answers."""


class PreferencesRun(Run):
    """Direct preference optimisation (arXiv 2305.18290), or Kahneman-Tversky optimisation (arXiv 2402.01306)."""

    def __init__(self, task: Task, before: Before, report: Reporter, stop: Callable[[], bool]) -> None:
        super().__init__(task, before, report, stop)
        base, config, splits = task.base, task.config, task.data.splits
        pad = int(base.tokenizer.pad_token_id or 0)
        examples = [encode(base.tokenizer, row.grounded) for row in splits.train]
        self.precision = before.recall("precision", lambda: fastest_precision(base, config, examples, pad))
        fresh = task.start is None
        model = lora.frozen(base, self.precision) if fresh else lora.attach(base, config, self.precision, task.start)
        options = {"max_length": config.max_length, "beta": config.beta, "bf16": self.precision == "bfloat16"}
        kind: Any = CountedDPOTrainer
        if config.method == "dpo":
            losses = {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, config.anchor]}
            arguments = self.arguments(DPOConfig, **options, **losses)
        else:
            kind = CountedKTOTrainer
            arguments = self.arguments(KTOConfig, **options, **_balance(splits.train, config.batch_size))
        trainer: Any = kind(
            model=model,
            args=arguments,
            train_dataset=_table(splits.train),
            eval_dataset=_table(splits.validation) if splits.validation else None,
            processing_class=base.tokenizer,
            peft_config=lora.shape(config) if fresh else None,
            callbacks=self.callbacks(),
        )
        trainer.progress = self.progress
        self.trainer, self.model = trainer, trainer.model

    def start_event(self) -> dict[str, Any]:
        splits = self.task.data.splits
        return {
            "steps": self.steps,
            "trained_parameters": sum(weight.numel() for weight in self.model.parameters() if weight.requires_grad),
            "train_rows": len(splits.train),
            "validation_rows": len(splits.validation),
            "test_rows": len(splits.test),
            "answer_tokens": self.task.data.report.answer_tokens,
            "device": str(self.trainer.args.device),
        }

    def estimate(self) -> Estimate:
        trainer: Any = self.trainer
        rows, size = trainer.train_dataset, self.task.config.batch_size // ranks.count()
        batches = [trainer.data_collator([rows[at] for at in step]) for step in sampled(range(len(rows)), size)]
        per_row = sum(batch["input_ids"].numel() for batch in batches) / sum(map(len, sampled(range(len(rows)), size)))
        parts = self.task.data.splits
        often = 2 * self.task.config.epochs + 1  # validations
        measured = per_row * (len(parts.validation) * often + len(parts.test) * 2)
        found = estimate(
            self.model,
            batches,
            self.steps,
            measured / ranks.count(),
            self._loss,
            self.averages,
        )
        self.progress.answer_tokens = 0  # what was timed is no part of the run
        for kept in trainer._metrics.values():
            kept.clear()
        return found

    def _loss(self, batch: Any) -> Any:
        """As in training, where accelerate wraps the model so that float32 and bfloat16 meet."""
        with torch.autocast(self.trainer.args.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            return self.trainer.compute_loss(self.model, batch)

    def measure_before(self) -> dict[str, float | None]:
        """The loss of a model that is still its own reference."""
        return {"base_test_loss": self._test().get("loss")}

    def measure_after(self) -> dict[str, float | None]:
        found = self._test()
        return {"test_loss": found.get("loss"), "test_preference_accuracy": found.get("rewards/accuracies")}

    def _test(self) -> dict[str, float | None]:
        rows = self.task.data.splits.test
        if not rows:
            return {}
        # Trainer takes what is measured for the validation, and would tell the early stop.
        found = self.trainer.evaluate(_table(rows), metric_key_prefix="test")
        return {key.removeprefix("test_").removeprefix("eval_"): value for key, value in found.items()}


def _table(rows: Sequence[Row]) -> Table:
    """Rows as TRL reads them: conversations, with the passages in the prompt."""
    records = []
    for row in rows:
        *prompt, answer = row.grounded
        if row.rejected is None:
            records.append({"prompt": prompt, "completion": [answer], "label": bool(row.good)})
        else:
            records.append({"prompt": prompt, "chosen": [answer], "rejected": [{**answer, "content": row.rejected}]})
    return Table.from_list(records)


def _balance(rows: Sequence[Row], batch_size: int) -> dict[str, float]:
    """Weights under which good and bad rows count the same in sum, as KTO needs (arXiv 2402.01306, section 4.2).

    Raises InputError where they cannot be balanced, or a batch has one row, with which KTO compares others.
    """
    counts = Counter(row.good for row in rows)
    good, bad = counts[True], counts[False]
    if batch_size < 2:
        raise InputError("batch_size is 1; kto compares the rows of a batch, choose 2 or more")
    if min(good, bad) * MOST_WEIGHT < max(good, bad):
        raise InputError(f"{good} good and {bad} bad rows to train on; kto needs both, at most 8 times as many of one")
    return {"desirable_weight": max(1.0, bad / good), "undesirable_weight": max(1.0, good / bad)}
