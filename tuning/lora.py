"""A base model with low-rank adapters beside it, ready to train, and back to a folder that PEFT reads."""

import copy
import importlib.util
from pathlib import Path
from typing import Any

import torch
from peft import (
    LoraConfig,
    PeftConfig,
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,
    prepare_model_for_kbit_training,
)
from safetensors.torch import save
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, set_seed

from tuning.adapters import WEIGHTS, Adapter
from tuning.base import Base
from tuning.config import TrainConfig
from tuning.errors import InputError


def attach(base: Base, config: TrainConfig, precision: str, start: Adapter | None = None) -> Any:
    """A copy of the base with adapters on every linear layer but the output (arXiv 2106.09685, eq. 3).

    The adapters are fresh (they change nothing yet), or a copy of `start`, whose rank, scale and kind they then keep.
    Trained weights and sums are float32. In bfloat16, the frozen matrices are stored as what autocast would round them
    to at every step anyway. Raises InputError where the method needs what is not here, or `start` has another base.
    """
    set_seed(config.seed)
    if start is not None and start.card["base_digest"] != base.digest:
        raise InputError(f"{start.name} was trained on {start.base}, not on {base.name}; choose that base")
    model = _in_4_bits(base) if config.method == "qlora" else frozen(base, precision)
    return get_peft_model(model, shape(config)) if start is None else _with(model, base, start.path)


def load(base: Base, folder: Path, precision: str) -> Any:
    """A copy of the base with the adapter that PEFT's files in `folder` hold."""
    return _with(frozen(base, precision), base, folder)


def _with(model: Any, base: Base, folder: Path) -> Any:
    kind = PeftConfig.from_pretrained(str(folder))
    # As fresh ones have it. By the name that its file holds, PEFT would look on the Hub.
    kind.base_model_name_or_path = base.model.name_or_path
    return PeftModel.from_pretrained(model, str(folder), config=kind, is_trainable=True)


def fresh(base: Base, config: TrainConfig, precision: str) -> Any:
    """A copy of the base with adapters that change nothing yet."""
    return get_peft_model(frozen(base, precision), shape(config))


def shape(config: TrainConfig) -> LoraConfig:
    """The adapters that the config describes, as PEFT is told."""
    return LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        use_rslora=config.method == "rslora",
        use_dora=config.method == "dora",
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def frozen(base: Base, precision: str) -> Any:
    """A copy of the base whose linear layers, but for the output, are stored in `precision`; the rest in float32."""
    model: Any = copy.deepcopy(base.model).to(torch.float32)  # type: ignore[arg-type]
    head = model.get_output_embeddings()
    if precision == "bfloat16":
        for module in model.modules():
            # The output layer may share its weights with the embedding, which feeds the residual sums.
            if isinstance(module, torch.nn.Linear) and module is not head:
                module.to(torch.bfloat16)
    return model


def _in_4_bits(base: Base) -> Any:
    """The base with NF4 weights (arXiv 2305.14314), whose kernels exist for NVIDIA GPUs."""
    if not torch.cuda.is_available() or importlib.util.find_spec("bitsandbytes") is None:
        raise InputError("qlora needs an NVIDIA GPU and the package bitsandbytes; choose lora, or install that there")
    bits = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    folder = str(base.model.name_or_path)
    model = AutoModelForCausalLM.from_pretrained(folder, quantization_config=bits, use_safetensors=True)
    return prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)


def round_to_half(model: Any) -> bool:
    """Round the adapter's weights to float16, in which they are stored, so that what is measured is what is saved.

    Returns whether all of them are finite.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.data = parameter.data.half().to(parameter.dtype)
    return all(bool(parameter.data.isfinite().all()) for parameter in trained)


def write(model: Any, base_name: str, folder: Path, weights: dict[str, torch.Tensor] | None = None) -> None:
    """PEFT's two files of the adapter, its weights in float16; they are `weights` where the model holds but a part."""
    config = model.peft_config["default"]
    config.base_model_name_or_path = base_name  # else the folder that the base was loaded from on this machine
    config.inference_mode = True
    config.save_pretrained(str(folder))
    weights = get_peft_model_state_dict(model, state_dict=weights, save_embedding_layers=False)
    halves = {name: tensor.half().contiguous() for name, tensor in weights.items()}
    # Not by save_file: that makes files which only their owner may read.
    (folder / WEIGHTS).write_bytes(save(halves, {"format": "pt"}))
