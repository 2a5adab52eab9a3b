"""Four answers (two with an adapter): our one batch against what transformers, peft and llama.cpp offer.

`sequence` is four `generate()` calls one after another, `adapter_names` peft's own mixed batch. `engine` is ours with
the compiled step, `eager` ours before it is compiled, `one_pane` a single answer of the base; `int8` and
`int8_one_pane` are ours with weights of 8 bits. `llama_cpp` writes the four one after another, all without the adapter,
from weights of about 5 bits. All write the same number of greedy tokens after prompts of the same length, with as many
threads; no prompt begins as an earlier one or another pane's does, so everybody computes all of them.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from peft import PeftModel

from tests.bench import llama
from tests.bench.apart import Make, Way, in_turns, medians
from tests.bench.loading import ADAPTER, HOME, PANES, ask, four, make_base, make_engine
from tuning.base import load_tokenizer
from tuning.dialogues import prompt_ids

TOKENS = 48
Prompts = Sequence[Sequence[Sequence[int]]]
"""Token ids, by round and pane."""
RATIOS = (
    ("sequence", "engine"),
    ("adapter_names", "engine"),
    ("llama_cpp", "engine"),
    ("eager", "engine"),
    ("engine", "one_pane"),
    ("engine", "int8"),
    ("sequence", "int8"),
    ("adapter_names", "int8"),
    ("llama_cpp", "int8"),
    ("int8", "int8_one_pane"),
)


def measure(rounds: int) -> dict[str, Any]:
    """Median seconds of each way, and the ratios."""
    tokenizer, threads = load_tokenizer(None, HOME), torch.get_num_threads()
    prompts = [[prompt_ids(tokenizer, one.messages) for one in four(number, TOKENS)] for number in range(rounds + 1)]
    ways: dict[str, Make] = {
        "sequence": (in_sequence, (prompts,)),
        "adapter_names": (in_one_generate, (prompts,)),
        "engine": (in_the_engine, ()),
        "eager": (in_the_engine, (4, False, False)),
        "one_pane": (in_the_engine, (1,)),
        "int8": (in_the_engine, (4, True)),
        "int8_one_pane": (in_the_engine, (1, True)),
    }
    lacking = llama.missing()
    if not lacking:
        ways["llama_cpp"] = (llama.one_after_another, (prompts, TOKENS, threads))
    seconds = medians(in_turns(ways, rounds))
    return {
        "ratios": {f"{a} / {b}": seconds[a] / seconds[b] for a, b in RATIOS if a in seconds},
        "median_seconds": seconds,
        "tokens_per_answer": TOKENS,
        "rounds": rounds,
        "threads": threads,
        "skipped": {"llama_cpp": lacking} if lacking else {},
    }


def in_sequence(prompts: Prompts) -> Way:
    model = peft_model()

    def run(number: int) -> None:
        for ids, adapter in zip(prompts[number], PANES, strict=True):
            with nullcontext() if adapter else model.disable_adapter():
                model.generate(**options([ids]))

    return run


def in_one_generate(prompts: Prompts) -> Way:
    model = peft_model()
    names = ["default" if adapter else "__base__" for adapter in PANES]

    def run(number: int) -> None:
        model.generate(**options(prompts[number]), adapter_names=names)

    return run


def in_the_engine(panes: int = 4, int8: bool = False, compiled: bool = True) -> Way:
    engine = make_engine(int8, compiled)

    def run(number: int) -> None:
        ask(engine, four(number, TOKENS)[:panes])
        assert engine.compiled == compiled

    return run


def peft_model() -> PeftModel:
    base = make_base()
    model = PeftModel.from_pretrained(base.model, ADAPTER).to(base.dtype)
    model.train(False)
    model.generation_config.eos_token_id = None  # every way writes all its tokens
    return model


def options(prompts: Sequence[Sequence[int]]) -> dict[str, Any]:
    ids = torch.tensor(prompts)
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "max_new_tokens": TOKENS,
        "min_new_tokens": TOKENS,
        "do_sample": False,
        "pad_token_id": 0,
    }
