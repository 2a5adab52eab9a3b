"""What a training run is told. Imports nothing heavy, so that a command's --help can show it at once."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from tuning.errors import InputError

T = TypeVar("T")

ADAPTER_METHODS = ("lora", "rslora", "dora", "qlora")
PREFERENCE_METHODS = ("dpo", "kto")
METHODS = (*ADAPTER_METHODS, "full", *PREFERENCE_METHODS)
PRECISIONS = ("auto", "float32", "bfloat16")
SCHEDULES = ("cosine", "averaged")
AVERAGED = 0.6
"""Share of the steps, up to the last, whose weights are averaged."""


def option(default: T, meaning: str) -> T:
    """A field with its default and its meaning, which stands here once for readers, help texts and pages."""
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class TrainConfig:
    """Hyperparameters of one run. Raises InputError for a value outside its range, with the range."""

    method: str = option(
        "lora",
        "lora: low-rank adapters beside every linear layer (Hu et al. 2021). rslora: scaled by the root of the rank, "
        "for high ranks (Kalajdzievski 2023). dora: direction and size apart, some 60% slower (Liu et al. 2024). "
        "qlora: beside a base of 4 bits, on a GPU (Dettmers et al. 2023). full: every weight, kept as a model of its "
        "own. dpo: an adapter from preferred and rejected answers (Rafailov et al. 2023). kto: one from good and bad "
        "answers (Ethayarajh et al. 2024).",
    )
    rank: int = option(
        16,
        "Width of the low-rank product. More can learn more, and makes the adapter larger in proportion.",
    )
    alpha: float = option(
        32.0,
        "The product is scaled by alpha / rank (rslora: by alpha / root of rank); twice the rank is usual.",
    )
    dropout: float = option(
        0.0,
        "Share of the adapter's inputs set to zero while training; against overfitting on few rows.",
    )
    learning_rate: float = option(
        5e-4,
        "Peak step size. Too high and the loss jumps or becomes not a number; too low and nothing is learnt.",
    )
    epochs: float = option(
        3.0,
        "How often each training row is seen at most; the early stop may end sooner.",
    )
    batch_size: int = option(
        8,
        "Rows whose gradients are averaged in one step.",
    )
    warmup: float = option(
        0.1,
        "Share of the steps in which the learning rate rises to its peak.",
    )
    schedule: str = option(
        "cosine",
        "cosine: after its peak the learning rate falls along a cosine to zero. averaged: it stays there, and what is "
        f"kept is the mean of the weights after each of the last {AVERAGED:.0%} of the steps (Izmailov et al. 2018), "
        "which evens out the noise of few rows.",
    )
    weight_decay: float = option(
        0.0,
        "Pull of the adapter's weights towards zero, a step (AdamW).",
    )
    max_length: int = option(
        1024,
        "Longest row in tokens; longer dialogues lose their oldest turns, longer single answers are left out.",
    )
    patience: int = option(
        3,
        "Validations (two an epoch) without improvement after which training stops; 0 never stops early.",
    )
    beta: float = option(
        0.1,
        "dpo and kto: how closely the model is held to what it was before; more holds it closer.",
    )
    anchor: float = option(
        0.2,
        "dpo: share of the usual loss on the preferred answers that is added, lest both answers become unlikely.",
    )
    sweep: bool = option(
        False,
        "First try 0.4, 1, 2 and 4 times the learning rate on a tenth of the steps each; the rate with the lowest "
        "validation loss is trained with.",
    )
    assess: bool = option(
        True,
        "Afterwards measure the result against its base, on the test rows and on general ones, for a verdict.",
    )
    seed: int = option(
        0,
        "Fixes the split, the order of the rows and the adapter's first weights.",
    )
    precision: str = option(
        "auto",
        "float32, bfloat16 (half the memory traffic, coarser sums), or auto: the one whose timed step is the faster.",
    )

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"method {self.method!r} is not available; choose one of: {', '.join(METHODS)}")
        if self.precision not in PRECISIONS:
            raise InputError(f"precision {self.precision!r} is unknown; choose one of: {', '.join(PRECISIONS)}")
        if self.schedule not in SCHEDULES:
            raise InputError(f"schedule {self.schedule!r} is unknown; choose one of: {', '.join(SCHEDULES)}")
        self._within("rank", 1, 1024)
        self._within("alpha", 1e-6, 1e6)
        self._within("dropout", 0.0, 0.9)
        self._within("learning_rate", 1e-12, math.inf)
        self._within("epochs", 0.01, 1000)
        self._within("batch_size", 1, 4096)
        self._within("warmup", 0.0, 0.9)
        self._within("weight_decay", 0.0, 10)
        self._within("max_length", 16, 1 << 20)
        self._within("patience", 0, 1000)
        self._within("beta", 1e-4, 100)
        self._within("anchor", 0.0, 100)
        self._within("seed", 0, (1 << 32) - 1)

    def _within(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        if not math.isfinite(value) or not low <= value <= high:
            limit = f"from {low:g} to {high:g}" if math.isfinite(high) else f"{low:g} or more, and finite"
            raise InputError(f"{name} is {value}; choose a value {limit}")

    @classmethod
    def preset(cls, name: str, changes: Mapping[str, Any] | None = None) -> "TrainConfig":
        """The preset called `name`, as suits the method that `changes` names, with those values changed.

        Raises InputError for a name that is no preset.
        """
        if name not in PRESETS:
            raise InputError(f"no preset {name!r}; choose one of: {', '.join(PRESETS)}")
        changes = dict(changes or {})
        return replace(PRESETS[name], **(SUITED.get(changes.get("method", "lora"), {}) | changes))

    @classmethod
    def meanings(cls) -> dict[str, str]:
        """What each field means, for help texts and pages."""
        return {field.name: field.metadata["meaning"] for field in fields(cls)}


PRESETS = {
    "quick": TrainConfig(rank=8, alpha=16, epochs=2, max_length=512),
    "balanced": TrainConfig(),
    "thorough": TrainConfig(rank=32, alpha=64, epochs=6, patience=4, dropout=0.05),
}
"""quick: a first look. balanced: the default. thorough: more room and more passes, still stopped by validation."""

SUITED: dict[str, dict[str, Any]] = {
    "full": {"learning_rate": 1e-4, "weight_decay": 0.01},
    "dpo": {"learning_rate": 1e-5, "epochs": 2.0, "batch_size": 2},
    "kto": {"learning_rate": 5e-6, "epochs": 2.0, "batch_size": 16},
}
"""What other methods need otherwise than LoRA, whatever the preset: weights that are trained whole move less, and so do
answers that are only to be weighed against each other. A row of DPO is two answers, each with its prompt; the scores of
every word are kept: with passages, eight rows at once took 13 GB with a model of 135M, and two 4.5 GB."""
