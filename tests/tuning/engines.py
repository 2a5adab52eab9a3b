"""Engines over tiny models of several families, and transformers' own generation as the oracle."""

from collections.abc import Callable
from pathlib import Path

import torch
from peft import PeftModel
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from tuning.base import Base
from tuning.dialogues import prompt_ids
from tuning.engine import Engine
from tuning.request import Answer, Request, Sampling

QUESTIONS = ["What is the capital of France?", "Who keeps the lighthouse and its lamp?", "yes", "no red " * 20]
FAMILIES = ("llama", "qwen2", "qwen3", "gemma3")


def ask(text: str, adapter: str | None = None, **sampling: object) -> Request:
    return Request([{"role": "user", "content": text}], adapter, Sampling(**{"max_tokens": 24, **sampling}))  # type: ignore[arg-type]


def final(engine: Engine, *requests: Request) -> list[Answer]:
    *_, last = engine.stream(list(requests))
    return last


def make_base(path: Path, dtype: torch.dtype = torch.float32) -> Base:
    model = AutoModelForCausalLM.from_pretrained(path, dtype=dtype)
    model.train(False)
    return Base("tiny", "a folder", model, AutoTokenizer.from_pretrained(path), "0")


def greedy(model: PreTrainedModel | PeftModel, base: Base, question: str) -> str:
    """transformers' own generation, the oracle."""
    ids = torch.tensor([prompt_ids(base.tokenizer, [{"role": "user", "content": question}])])
    mask = torch.ones_like(ids)
    out = model.generate(
        input_ids=ids, attention_mask=mask, max_new_tokens=24, do_sample=False, eos_token_id=base.tokenizer.eos_token_id
    )
    return str(base.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)).strip()


def make_family(kind: str, tokenizer_path: Path, folder: Path, **changes: object) -> Path:
    """A model of this family with random weights, four layers, 32 wide; sliding windows of 8 where it has some."""
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_path)
    torch.manual_seed(0)
    shape = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "head_dim": 16,
        "initializer_range": 0.3,
        **changes,
    }
    makers: dict[str, Callable[[], PreTrainedModel]] = {
        "llama": lambda: LlamaForCausalLM(LlamaConfig(**shape)),
        "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**shape)),
        "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**shape)),
        "gemma3": lambda: Gemma3ForCausalLM(
            Gemma3TextConfig(**shape, sliding_window=8, layer_types=["sliding_attention", "full_attention"] * 2)
        ),
    }
    model = makers[kind]()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):  # zero when new, which would hide a bias that is left out
            torch.nn.init.normal_(parameter, std=0.1)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
