"""A Trainer that saves checkpoints whole and goes on from them as if it had never stopped."""

import shutil
import time
from pathlib import Path
from typing import Any

from accelerate.optimizer import AcceleratedOptimizer
from transformers import EarlyStoppingCallback, Trainer, TrainerCallback, TrainerControl, TrainerState

from tuning.checkpoints import STATE, WRITING, at_step, is_whole, keep, publish

SAVE_SECONDS = 60.0
"""How much work a kill may cost at most, besides the step in progress."""


class SaveClock(TrainerCallback):
    """Asks for a checkpoint when the last one is `SAVE_SECONDS` old; those at validations come too."""

    def __init__(self) -> None:
        self._saved = 0.0

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._saved = time.monotonic()

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            control.should_save = True

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._saved = time.monotonic()


class WholeCheckpoints(Trainer):
    """Mixed into a Trainer: what it saves appears under its name when it is complete, and what has ended stays so.

    Of its arguments, `save_total_limit` must be None, since what is kept (the newest and the best) is decided here, and
    `restore_callback_states_from_checkpoint` True, for the early stop to go on counting.
    """

    _writing: Path | None = None

    def train(self, resume_from_checkpoint: Any = None, *arguments: Any, **options: Any) -> Any:
        if resume_from_checkpoint:
            self.args.eval_on_start = False  # it was measured then, and the early stop would count it twice
        outcome = super().train(resume_from_checkpoint, *arguments, **options)
        self._settle()
        return outcome

    def _settle(self) -> None:
        """Have the model hold what is kept; an optimizer that averages puts other weights there while it trains."""
        if isinstance(self.optimizer, AcceleratedOptimizer):
            self.optimizer.eval()

    def _load_best_model(self) -> None:
        self._settle()  # else, done later, it would take what is loaded here for weights in training
        super()._load_best_model()

    @property
    def _folder(self) -> Path:
        return Path(str(self.args.output_dir))

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._writing) if self._writing else super()._get_output_dir(trial)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        writing = self._folder / WRITING
        if self.args.should_save:
            shutil.rmtree(writing, ignore_errors=True)  # what a killed process left
        self.accelerator.wait_for_everyone()
        self._settle()
        self._writing = writing
        try:
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()  # each process adds its random numbers
            self._point_to_best(saved=self.state.global_step)
            if self.args.should_save:
                written = at_step(writing, self.state.global_step)
                self.state.save_to_json(str(written / STATE))
                publish(written, self._folder)
                keep(self._folder, {self.state.global_step, self.state.best_global_step or 0})
            self.accelerator.wait_for_everyone()
        finally:
            self._writing = None
            if self.args.should_save:
                shutil.rmtree(writing, ignore_errors=True)

    def _point_to_best(self, saved: int | None = None) -> None:
        """Let the state name the best checkpoint by where it is: not where it was written, or lay before a move."""
        state = self.state
        if state.best_global_step is None:
            return
        best = at_step(self._folder, state.best_global_step)
        if state.best_global_step == saved or is_whole(best, thorough=saved is None):
            state.best_model_checkpoint = str(best)
        else:  # then the best of those to come is what can be had
            state.best_model_checkpoint = state.best_global_step = state.best_metric = None

    def _init_training_state(self, *arguments: Any, **options: Any) -> tuple[int, int]:
        trained: tuple[int, int] = super()._init_training_state(*arguments, **options)
        self._point_to_best()
        return trained

    def _run_epoch(self, *arguments: Any, **options: Any) -> None:
        # A run that was killed after its last step takes none more: only its end is made up for.
        if self._over():
            self.control.should_training_stop = True
            return
        super()._run_epoch(*arguments, **options)  # type: ignore[no-untyped-call]

    def _over(self) -> bool:
        early = [one for one in self.callback_handler.callbacks if isinstance(one, EarlyStoppingCallback)]
        impatient = any(one.early_stopping_patience_counter >= one.early_stopping_patience for one in early)
        return impatient or self.state.global_step >= self.state.max_steps
