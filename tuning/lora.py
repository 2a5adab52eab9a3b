"""A base model with fresh low-rank adapters beside it, ready to train, and back to a folder that PEFT reads."""

import copy
import math
import time
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save
from transformers import set_seed

from tuning.adapters import WEIGHTS
from tuning.base import Base
from tuning.config import TrainConfig
from tuning.dialogues import Example
from tuning.loss import answer_loss, collate

TIMED_TOKENS = 128
"""Longest row of the batch that is timed; enough for matrix products to dominate, as they do in training."""


def attach(base: Base, config: TrainConfig, precision: str) -> Any:
    """A copy of the base with adapters on every linear layer but the output (arXiv 2106.09685, eq. 3).

    Trained weights and sums are float32. In bfloat16, the frozen matrices are stored as what autocast would round them
    to at every step anyway.
    """
    set_seed(config.seed)
    model: Any = copy.deepcopy(base.model).to(torch.float32)  # type: ignore[arg-type]
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    head = model.get_output_embeddings()
    if precision == "bfloat16":
        for module in model.modules():
            # The output layer may share its weights with the embedding, which feeds the residual sums.
            if isinstance(module, torch.nn.Linear) and module is not head:
                module.to(torch.bfloat16)
    return get_peft_model(model, lora)


def fastest_precision(base: Base, config: TrainConfig, examples: list[Example], pad: int) -> str:
    """bfloat16 where a timed step shows it faster, else float32: processors with and without bf16 units differ 10x."""
    if config.precision != "auto":
        return config.precision
    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    longest = sorted(examples, key=lambda example: len(example.input_ids))[-2:]
    rows = [{name: ids[-TIMED_TOKENS:] for name, ids in vars(example).items()} for example in longest]
    seconds = {}
    for precision in ("float32", "bfloat16"):
        model = attach(base, config, precision)
        seconds[precision] = min(_step_seconds(model, collate(rows, pad), precision) for _ in range(3))
    return min(seconds, key=seconds.__getitem__)


def _step_seconds(model: Any, batch: dict[str, torch.Tensor], precision: str) -> float:
    """Processor seconds of a step: on a busy machine, time on the clock would measure the other programs."""
    start = time.process_time()
    loss, _ = answer_loss(model, batch, precision)
    loss.backward()  # type: ignore[no-untyped-call]
    return time.process_time() - start


def round_to_half(model: Any) -> bool:
    """Round the adapter's weights to float16, in which they are stored, so that what is measured is what is saved.

    Returns whether all of them are finite.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.data = parameter.data.half().to(parameter.dtype)
    return all(math.isfinite(float(parameter.data.abs().max())) for parameter in trained)


def write(model: Any, base_name: str, folder: Path) -> None:
    """PEFT's two files of the adapter, its weights in float16."""
    config = model.peft_config["default"]
    config.base_model_name_or_path = base_name  # else the folder that the base was loaded from on this machine
    config.inference_mode = True
    config.save_pretrained(str(folder))
    weights = get_peft_model_state_dict(model, save_embedding_layers=False)
    halves = {name: tensor.half().contiguous() for name, tensor in weights.items()}
    # Not by save_file: that makes files which only their owner may read.
    (folder / WEIGHTS).write_bytes(save(halves, {"format": "pt"}))
