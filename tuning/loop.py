"""transformers' Trainer with the loss of answers, and the listener that turns its callbacks into events."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tuning.errors import InputError
from tuning.loss import Collate, answer_loss, answer_tokens, mean_answer_loss
from tuning.order import Order
from tuning.ranks import totals
from tuning.saving import WholeCheckpoints

Event = dict[str, Any]
Reporter = Callable[[Event], None]


class Diverged(InputError):
    """The loss or the weights are no finite numbers."""


def diverged(what: str, step: int, learning_rate: float) -> Diverged:
    advice = f"lower the learning rate (now {learning_rate:g}) and retry"
    return Diverged(f"{what} is not a finite number after step {step}; {advice}")


class Progress(TrainerCallback):
    """Hears the Trainer, keeps the curves, tells the outside, and carries its wish to stop into the loop."""

    def __init__(self, report: Reporter, stop: Callable[[], bool]) -> None:
        self._report, self._stop = report, stop
        self.losses: list[tuple[int, float]] = []
        self.validations: list[tuple[int, float]] = []
        self.answer_tokens = 0
        self.step_seconds = 0.0
        self.step = 0
        self.ended = "finished"
        self._began = self._step_began = 0.0
        self._first = 0
        self.earlier_seconds = 0.0
        """Spent before the checkpoint from which this run went on."""

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._began = time.perf_counter()
        self._first = self.step = state.global_step
        if state.global_step:
            self._go_on(state.log_history)
            self._report({"event": "resumed", "step": state.global_step})

    def _go_on(self, history: Sequence[Mapping[str, float]]) -> None:
        """Take up the curves and the counts as they were when the checkpoint was saved."""
        self.losses = [(int(entry["step"]), round(entry["loss"], 5)) for entry in history if "loss" in entry]
        self.validations = [
            (int(entry["step"]), round(entry["eval_loss"], 5)) for entry in history if "eval_loss" in entry
        ]
        last = next((entry for entry in reversed(history) if "seconds" in entry), None)
        if last:
            self.earlier_seconds, self.step_seconds = last["seconds"], last["step_seconds"]
            self.answer_tokens = int(last["answer_tokens"])

    def counts(self) -> dict[str, float]:
        """What a run that goes on from a checkpoint continues to count, besides the curves."""
        return {
            "seconds": round(self.earlier_seconds + time.perf_counter() - self._began, 1),
            "step_seconds": round(self.step_seconds, 3),
            "answer_tokens": self.answer_tokens,
        }

    def on_step_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._step_began = time.perf_counter()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.step = state.global_step
        self.step_seconds += time.perf_counter() - self._step_began
        if self._stop() and state.global_step < state.max_steps:
            self.ended = "stopped"
            control.should_training_stop = control.should_save = True
            # A user who stops waits for this: where something is known to be best, no measurement is added.
            control.should_evaluate |= args.load_best_model_at_end and state.best_model_checkpoint is None

    def on_train_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self.ended == "finished" and state.global_step < state.max_steps:
            self.ended = "no longer improving"

    def on_log(
        self, args: Any, state: TrainerState, control: TrainerControl, logs: Mapping[str, float] | None = None, **_: Any
    ) -> None:
        step, logs = state.global_step, logs or {}
        for what, key in (("the loss", "loss"), ("the gradient", "grad_norm"), ("the validation loss", "eval_loss")):
            if key in logs and not math.isfinite(logs[key]):
                raise diverged(what, step, args.learning_rate)
        if "eval_loss" in logs:
            self.validations.append((step, round(logs["eval_loss"], 5)))
            self._report({"event": "validation", "step": step, "loss": logs["eval_loss"]})
        if "loss" in logs:
            self.losses.append((step, round(logs["loss"], 5)))
            self._report(self._step_event(state, logs))

    def _step_event(self, state: TrainerState, logs: Mapping[str, float]) -> Event:
        elapsed, steps = time.perf_counter() - self._began, state.global_step - self._first
        return {
            "event": "step",
            "step": state.global_step,
            "steps": state.max_steps,
            "epoch": round(float(state.epoch or 0), 3),
            "loss": logs["loss"],
            "learning_rate": logs["learning_rate"],
            "answer_tokens_per_second": round(self.answer_tokens / max(self.step_seconds, 1e-9), 1),
            "seconds": round(self.earlier_seconds + elapsed, 1),
            # Counts the validations in: they come at regular steps.
            "seconds_left": round(elapsed / steps * (state.max_steps - state.global_step), 1),
        }


class AnswerTrainer(WholeCheckpoints):
    """A Trainer whose loss, in training and in validation, is that of the answer tokens."""

    def __init__(self, lay: Collate, order: Order, precision: str, progress: Progress, **options: Any) -> None:
        super().__init__(data_collator=lay, **options)
        self._lay, self._order, self._precision, self._progress = lay, order, precision, progress

    def _get_train_sampler(self, train_dataset: Any = None) -> Order:
        return self._order

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        super().log(logs | self._progress.counts() if "loss" in logs else logs, start_time)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor:
        """Answer tokens of a step over all processes. Trainer's own count leaves out the first label of a batch."""
        (counted,) = totals([sum(map(answer_tokens, batch_samples))])
        return torch.tensor(counted, device=device)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        loss, _ = answer_loss(model, inputs, self._precision)
        self._progress.answer_tokens += int(num_items_in_batch)
        # Gradients are averaged over processes afterwards, which this factor undoes.
        return loss / num_items_in_batch * self.accelerator.num_processes

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        rows: Any = eval_dataset if eval_dataset is not None else self.eval_dataset
        self._settle()
        loss = mean_answer_loss(self.model, rows, self._lay, self.args.eval_batch_size, self._precision)
        metrics = {f"{metric_key_prefix}_loss": loss}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics
