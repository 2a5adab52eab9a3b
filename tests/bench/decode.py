"""Four answers (two with an adapter): our one batch against what transformers and peft offer, on the default base.

`sequence` is four `generate()` calls one after another, `adapter_names` peft's own mixed batch, `engine` ours; all
write the same number of greedy tokens. The adapter is the tracked sample.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel

from tests.conftest import REPO
from tuning.base import Base, load_base
from tuning.dialogues import prompt_ids
from tuning.engine import Engine, Request, Sampling

TOKENS = 48
ADAPTER = REPO / "data" / "samples" / "adapter" / "samples"
QUESTION = [{"role": "user", "content": "Write a long letter to a friend about a walk by the sea."}]
HOME = REPO / "data" / "local"
Way = Callable[[], None]


def measure(rounds: int) -> dict[str, Any]:
    """Median seconds of each way and the ratios to ours."""
    ways = {"sequence": in_sequence(), "adapter_names": in_one_generate(), "engine": in_the_engine()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if number:  # the first round warms up
                seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ours = medians["engine"]
    return {
        "ratios": {f"{name} / engine": medians[name] / ours for name in ("sequence", "adapter_names")},
        "median_seconds": medians,
        "tokens_per_answer": TOKENS,
        "rounds": rounds,
        "threads": torch.get_num_threads(),
    }


def load() -> Base:
    return load_base(None, HOME)


def peft_model() -> tuple[PeftModel, torch.Tensor]:
    base = load()
    model = PeftModel.from_pretrained(base.model, ADAPTER).to(base.dtype)
    model.train(False)
    model.generation_config.eos_token_id = None  # every way writes all its tokens
    return model, torch.tensor([prompt_ids(base.tokenizer, QUESTION)])


def options(ids: torch.Tensor) -> dict[str, Any]:
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "max_new_tokens": TOKENS,
        "min_new_tokens": TOKENS,
        "do_sample": False,
        "pad_token_id": 0,
    }


def in_sequence() -> Way:
    model, ids = peft_model()

    def run() -> None:
        for tuned in (False, True, False, True):
            if tuned:
                model.generate(**options(ids))
            else:
                with model.disable_adapter():
                    model.generate(**options(ids))

    return run


def in_one_generate() -> Way:
    model, ids = peft_model()
    names = ["__base__", "default", "__base__", "default"]

    def run() -> None:
        model.generate(**options(ids.repeat(4, 1)), adapter_names=names)

    return run


def in_the_engine() -> Way:
    engine = Engine(load())
    engine.attach("samples", Path(ADAPTER))
    engine._ends = frozenset()  # every way writes all its tokens
    sampling = Sampling(max_tokens=TOKENS)
    requests = [Request(QUESTION, adapter, sampling) for adapter in (None, "samples", None, "samples")]

    def run() -> None:
        for _ in engine.stream(requests):
            pass

    return run
