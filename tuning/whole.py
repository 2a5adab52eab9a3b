"""Training every weight: a copy of the base that becomes a model of its own."""

import copy
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed

from tuning.base import Base
from tuning.config import TrainConfig


def unfreeze(base: Base, config: TrainConfig) -> Any:
    """A copy of the base in float32, all of whose weights are trained."""
    set_seed(config.seed)
    model: Any = copy.deepcopy(base.model).to(torch.float32)  # type: ignore[arg-type]
    model.requires_grad_(True)
    return model


def round_to_base(model: Any, base: Base) -> bool:
    """Round the weights to the base's precision, in which they are stored; whether all of them are finite."""
    for weight in model.parameters():
        weight.data = weight.data.to(base.dtype).to(weight.dtype)
    return all(bool(weight.isfinite().all()) for weight in model.parameters())


def write(model: Any, base: Base, folder: Path, weights: dict[str, torch.Tensor] | None = None) -> None:
    """A model folder as transformers reads it, in the base's precision, with the base's tokenizer.

    Its weights are `weights` where the model holds but a part of them.
    """
    if weights is None:
        model.to(base.dtype)
    else:
        weights = {name: weight.to(base.dtype) for name, weight in weights.items()}
    model.config.use_cache = True
    model.save_pretrained(folder, state_dict=weights)
    base.tokenizer.save_pretrained(folder)
