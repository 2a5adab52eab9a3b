"""The fused low-rank layer computes what PEFT's does, forward and backward, and steps aside where it must."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tuning.engines import make_base
from tuning import lora
from tuning.base import Base
from tuning.config import TrainConfig
from tuning.fused import fuse
from tuning.loss import answer_loss, collate

ROWS = [{"input_ids": [5, 6, 7, 8, 9], "labels": [-100, -100, 7, 8, 9]}, {"input_ids": [9, 8], "labels": [-100, 8]}]


def trained(model: Any) -> dict[str, torch.nn.Parameter]:
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


@pytest.mark.parametrize("method", ["lora", "rslora"])
def test_loss_and_gradients_are_pefts(tiny_base_path: Path, method: str) -> None:
    """In 16 bits, where both round, ours must be as near to the exact gradient as PEFT's."""
    base, errors = make_base(tiny_base_path), dict.fromkeys(("float32", "bfloat16 by PEFT", "bfloat16"), 0.0)
    for seed in range(4):
        exact = gradient(base, TrainConfig(rank=4, method=method), "float32", seed, ours=False)
        for name in errors:
            got = gradient(base, TrainConfig(rank=4, method=method), name.split()[0], seed, ours="PEFT" not in name)
            errors[name] += float((got - exact).norm() / exact.norm())
    assert errors["float32"] < 1e-5
    assert errors["bfloat16"] < 1.3 * errors["bfloat16 by PEFT"]


def gradient(base: Base, config: TrainConfig, precision: str, seed: int, ours: bool) -> torch.Tensor:
    """All gradients of an adapter with random weights, end to end."""
    model = lora.attach(base, config, precision)
    torch.manual_seed(seed)
    for weight in trained(model).values():
        torch.nn.init.normal_(weight, std=0.02)
    assert not ours or fuse(model) == 14  # seven in each of the two layers
    model.train()
    loss, count = answer_loss(model, collate(ROWS, 0), precision)
    (loss / count).backward()
    gradients = [weight.grad for weight in trained(model).values()]
    assert all(one.dtype == torch.float32 for one in gradients)
    return torch.cat([one.flatten() for one in gradients])


def test_switched_off_it_is_the_base(tiny_base_path: Path) -> None:
    base = make_base(tiny_base_path)
    model = lora.attach(base, TrainConfig(rank=4), "float32")
    for weight in trained(model).values():
        torch.nn.init.normal_(weight, std=0.2)
    fuse(model)
    batch = collate(ROWS, 0)
    with torch.no_grad():
        plain, tuned = (float(answer_loss(one, batch, "float32")[0]) for one in (base.model, model))
        with model.disable_adapter():
            off = float(answer_loss(model, batch, "float32")[0])
    assert off == plain
    assert tuned != plain


@pytest.mark.parametrize("config", [TrainConfig(rank=4, dropout=0.1), TrainConfig(rank=4, method="dora")])
def test_what_it_does_not_compute_stays_pefts(tiny_base_path: Path, config: TrainConfig) -> None:
    assert fuse(lora.attach(make_base(tiny_base_path), config, "float32")) == 0
