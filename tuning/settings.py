"""Every hyperparameter as a form shows it: its kind, its meaning, and what is typed in read back into a config."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from tuning.config import METHODS, PRECISIONS, PREFERENCE_METHODS, PRESETS, SCHEDULES, TrainConfig
from tuning.errors import InputError

FIELDS = tuple(field.name for field in fields(TrainConfig) if field.name != "method")
"""What can be edited beside the method, in the order in which it is shown."""
FIRST = ("learning_rate", "epochs", "batch_size", "rank")
"""What most often is changed, and is shown without being asked for."""
SWITCHES = tuple(field.name for field in fields(TrainConfig) if isinstance(field.default, bool))
CHOICES = {"precision": PRECISIONS, "schedule": SCHEDULES}
ONLY = {"beta": PREFERENCE_METHODS, "anchor": ("dpo",)}
"""Fields that mean something to these methods alone."""
FRESH = "nothing: a fresh adapter"

METHOD_WORDS = {
    "lora": "LoRA: a small adapter",
    "rslora": "rsLoRA: for high ranks",
    "dora": "DoRA: finer, and slower",
    "qlora": "QLoRA: base of 4 bits, on a GPU",
    "full": "Full: every weight, a model of its own",
    "dpo": "DPO: from preferred answers",
    "kto": "KTO: from good and bad answers",
}
PRESET_WORDS = "quick: a first look; balanced: the usual; thorough: more room and more passes"


def method_choices() -> list[tuple[str, str]]:
    """What is shown and what is meant, for each method."""
    return [(METHOD_WORDS[method], method) for method in METHODS]


def suggested(preset: Any, method: Any) -> dict[str, Any]:
    """The values of all `FIELDS` that the preset has for the method; the usual ones for what is no preset or method."""
    preset = preset if preset in PRESETS else "balanced"
    config = TrainConfig.preset(preset, {"method": method if method in METHODS else "lora"})
    return {name: getattr(config, name) for name in FIELDS}


def is_used(name: str, method: Any) -> bool:
    """Whether the method heeds the field."""
    return method in ONLY.get(name, METHODS)


def read_settings(preset: Any, method: Any, values: Sequence[Any] | Mapping[str, Any]) -> TrainConfig:
    """The config of what was typed in: `values` are those of `FIELDS`. Raises InputError that names the field."""
    given = dict(values) if isinstance(values, Mapping) else dict(zip(FIELDS, values, strict=True))
    kinds = {field.name: type(field.default) for field in fields(TrainConfig)}
    changes = {name: read_value(name, value, kinds[name]) for name, value in given.items()}
    return TrainConfig.preset(str(preset), {"method": str(method), **changes})


def read_value(name: str, value: Any, kind: type) -> Any:
    """What was typed in as the field's kind. Raises InputError where it is none."""
    if kind is bool:
        return bool(value)
    if kind is str:
        return str(value)
    try:
        number = float(value)
        whole = kind is int and int(number) == number
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name} is {value!r}; give a number") from error
    if kind is int and not whole:
        raise InputError(f"{name} is {value!r}; give a whole number")
    return kind(number)
