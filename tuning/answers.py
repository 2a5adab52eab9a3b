"""Training on answers: adapters, or every weight, learn to write what the rows answer."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from tuning import lora, ranks, whole
from tuning.before import Before
from tuning.dialogues import Example, encode
from tuning.fused import fuse
from tuning.loop import AnswerTrainer, Reporter
from tuning.loss import Batch, answer_loss, collate_packed, layout, mean_answer_loss
from tuning.order import FamilyOrder, LengthOrder, Order, families
from tuning.pace import Estimate, estimate, fastest_precision, sampled
from tuning.run import Run, Task


class AnswersRun(Run):
    """Cross-entropy on the answers' tokens (methods lora, rslora, dora, qlora and full)."""

    def __init__(self, task: Task, before: Before, report: Reporter, stop: Callable[[], bool]) -> None:
        super().__init__(task, before, report, stop)
        base, config, splits = task.base, task.config, task.data.splits
        self._pad = int(base.tokenizer.pad_token_id or 0)
        self.train_set, self.validation, self.test = (
            [encode(base.tokenizer, row.grounded) for row in part]
            for part in (splits.train, splits.validation, splits.test)
        )
        self.precision = before.recall("precision", lambda: fastest_precision(base, config, self.train_set, self._pad))
        self._full = config.method == "full"
        if self._full:
            self.model = whole.unfreeze(base, config)
        else:
            self.model = lora.attach(base, config, self.precision, task.start)
            fuse(self.model)
        self._lay = layout(self.model, self._pad, self.precision)
        self.trainer = AnswerTrainer(
            lay=self._lay,
            order=self._order(),
            precision=self.precision,
            progress=self.progress,
            model=self.model,
            args=self.arguments(TrainingArguments),
            train_dataset=[vars(example) for example in self.train_set],
            eval_dataset=self.validation or None,
            callbacks=self.callbacks(),
        )

    def _order(self) -> Order:
        rows, config = [vars(example) for example in self.train_set], self.task.config
        if self._lay is collate_packed:
            return FamilyOrder(families(rows), config.batch_size, config.seed)
        return LengthOrder([len(row["input_ids"]) for row in rows], config.batch_size, config.seed)

    def start_event(self) -> dict[str, Any]:
        return {
            "steps": self.steps,
            "trained_parameters": sum(weight.numel() for weight in self.model.parameters() if weight.requires_grad),
            "train_rows": len(self.train_set),
            "validation_rows": len(self.validation),
            "test_rows": len(self.test),
            "answer_tokens": sum(example.answer_tokens for example in self.train_set),
            "device": str(self.trainer.args.device),
        }

    def estimate(self) -> Estimate:
        config, rows = self.task.config, [vars(example) for example in self.train_set]
        size = config.batch_size // ranks.count()
        batches = [self._lay([rows[at] for at in step]) for step in sampled(list(self._order()), size)]
        often = 2 * config.epochs + 1  # validations
        measured = (
            sum(len(one.input_ids) * often for one in self.validation)
            + sum(len(one.input_ids) for one in self.test) * 2
        )

        def loss(batch: Batch) -> torch.Tensor:
            total, tokens = answer_loss(self.model, batch, self.precision)
            return total / tokens

        return estimate(self.model, batches, self.steps, measured / ranks.count(), loss, self.averages)

    def measure_before(self) -> dict[str, float | None]:
        as_before: AbstractContextManager[Any] = nullcontext() if self._full else self.model.disable_adapter()
        with as_before:
            return {"base_test_loss": self._loss(self.test)}

    def measure_after(self) -> dict[str, float | None]:
        return {"test_loss": self._loss(self.test)}

    def _loss(self, examples: list[Example]) -> float | None:
        if not examples:
            return None
        return mean_answer_loss(self.model, examples, self._lay, self.task.config.batch_size, self.precision)

    def round(self) -> bool:
        return whole.round_to_base(self.model, self.task.base) if self._full else super().round()

    def write(self, folder: Path) -> None:
        if self._full:
            whole.write(self.model, self.task.base, folder, self.weights)
        else:
            super().write(folder)
