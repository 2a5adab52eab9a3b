"""Training speed beside TRL's SFTTrainer with its defaults, and whether both arrive at the same loss.

Both train the same adapter (rank 16, every linear layer) on the sample training rows: one epoch, the same batch size,
learning rate, schedule and seed. All else is each one's own: TRL's default precision, activation checkpointing, output
layer and order of rows; our packed batches. The speed is answer tokens a second, of the steps alone. The loss is that
of the validation rows afterwards, computed by our code for both. With `--rounds` above 1, that many seeds, in turns.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from datasets import Dataset as Table
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer

from tests.bench.apart import Way, apart
from tests.bench.loading import log, make_base
from tests.conftest import REPO
from tuning import lora
from tuning.config import TrainConfig
from tuning.dialogues import Dataset, Report, Row, Splits, encode
from tuning.loss import collate_packed, mean_answer_loss
from tuning.rows import read_rows
from tuning.train import train

ROWS = REPO / "data" / "samples" / "rows.jsonl"


def measure(rounds: int) -> dict[str, Any]:
    """Medians over seeds of answer tokens a second and of the validation loss, and their ratios."""
    found = apart({"trl": (with_trl, ()), "ours": (with_ours, ())}, rounds)
    medians = {
        way: {key: statistics.median(result[key] for result in results) for key in results[0]}
        for way, results in found.items()
    }
    speed, loss = "answer_tokens_per_second", "validation_loss"
    return {
        "ratio": medians["ours"][speed] / medians["trl"][speed],
        "loss_ratio": medians["ours"][loss] / medians["trl"][loss],
        "medians": medians,
        "all": found,
        "rounds": rounds,
    }


def config(seed: int) -> TrainConfig:
    return TrainConfig(epochs=1, patience=0, seed=seed)


def rows(split: str) -> tuple[Row, ...]:
    return tuple(row for row in read_rows(ROWS) if row.split == split)


def validation_loss(model: Any, base: Any, precision: str) -> float:
    examples = [encode(base.tokenizer, row.messages) for row in rows("validation")]
    return mean_answer_loss(model, examples, collate_packed, 8, precision)


def with_ours() -> Way:
    def run(number: int) -> dict[str, float]:
        base = make_base()
        data = Dataset("rows", "", Report((), (), (), (), (), 0, ()), Splits(rows("train"), (), rows("validation")))
        with tempfile.TemporaryDirectory() as folder:
            adapter = train(base, data, config(number), "a", Path(folder), Path(folder) / "work")
        return {
            "answer_tokens_per_second": adapter.card["answer_tokens_per_second"],
            "validation_loss": adapter.card["test_loss"],
        }

    return run


class Clock(TrainerCallback):
    """Seconds of the steps alone, as our own trainer counts them."""

    def __init__(self) -> None:
        self.seconds = self._began = 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self._began = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.seconds += time.perf_counter() - self._began


def with_trl() -> Way:
    def run(number: int) -> dict[str, float]:
        base, settings, clock = make_base(), config(number), Clock()
        table = [{"prompt": list(row.prompt), "completion": [row.messages[-1]]} for row in rows("train")]
        with tempfile.TemporaryDirectory() as folder:
            arguments = SFTConfig(
                output_dir=folder,
                use_cpu=True,
                num_train_epochs=settings.epochs,
                per_device_train_batch_size=settings.batch_size,
                learning_rate=settings.learning_rate,
                lr_scheduler_type="cosine",
                warmup_steps=settings.warmup,
                seed=settings.seed,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
            )
            trainer = SFTTrainer(
                model=base.model.float(),
                args=arguments,
                train_dataset=Table.from_list(table),
                processing_class=base.tokenizer,
                peft_config=lora.shape(settings),
                callbacks=[clock],
            )
            trainer.train()
        tokens = sum(encode(base.tokenizer, row.messages).answer_tokens for row in rows("train"))
        log(f"trl: {trainer.args.bf16=} {trainer.args.gradient_checkpointing=}")
        return {
            "answer_tokens_per_second": tokens * settings.epochs / clock.seconds,
            "validation_loss": validation_loss(trained(trainer), base, "bfloat16"),
        }

    return run


def trained(trainer: SFTTrainer) -> Any:
    """The trained adapter beside a fresh copy of the base, since TRL has replaced the model's output layer."""
    with tempfile.TemporaryDirectory() as folder:
        trainer.save_model(folder)
        return lora.load(make_base(), Path(folder), "bfloat16")
