"""What weights of 8 bits cost in quality and gain in speed, beside what the usual 16 bits cost against 32.

The held-out sample answers (validation and test) are scored with each precision, by the base alone and with the
adapter: the ratio of perplexities, with a 95% interval of a bootstrap over rows, each row with both its scores. Beside
it stands the share of the tokens of greedy answers to these rows' questions that come before two precisions first
differ. The usual precision and int8 compute with the compiled step; 32 bits, the yardstick, with transformers' model
code.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from tests.bench.apart import in_turns, medians
from tests.bench.decode import in_the_engine
from tests.bench.loading import HOME, NAME, ask, log, make_base, make_engine
from tests.conftest import REPO
from tuning.base import find_base, quiet_from_pretrained
from tuning.engine import Engine
from tuning.request import Request, Sampling
from tuning.rows import Row, read_rows

TOKENS = 64
DRAWS = 10_000
ROWS = REPO / "data" / "samples" / "rows.jsonl"
PAIRS = (("int8", "usual"), ("usual", "float32"), ("int8", "float32"))
Scores = Sequence[Sequence[float]]


def measure(rounds: int) -> dict[str, Any]:
    """Ratios of perplexity with intervals, shares of equal tokens, and the ratio of decoding times."""
    rows = [row for row in read_rows(ROWS) if row.split in ("validation", "test")]
    usual = make_base()
    exact = replace(usual, model=quiet_from_pretrained(find_base(None, HOME, log)[0], torch.float32))
    engines = {
        "int8": make_engine(int8=True, endless=False),
        "usual": make_engine(endless=False, base=usual),
        "float32": make_engine(compiled=False, endless=False, base=exact),
    }
    ratios: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    equal: dict[str, float] = {}
    perplexities: dict[str, float] = {}
    for adapter, who in ((None, "base"), (NAME, "adapter")):
        scores = {name: scored(engine, adapter, rows) for name, engine in engines.items()}
        texts = {name: answered(engine, adapter, rows) for name, engine in engines.items()}
        for name, values in scores.items():
            perplexities[f"{name}, {who}"] = float(np.exp(-np.concatenate(values).mean()))
        for a, b in PAIRS:
            key = f"perplexity {a} / {b}, {who}"
            ratios[key], intervals[key] = compared(scores[a], scores[b])
            equal[f"{a} and {b}, {who}"] = alike(texts[a], texts[b])
    for engine in engines.values():
        engine.close()
    seconds = medians(in_turns({"usual": (in_the_engine, ()), "int8": (in_the_engine, (4, True))}, rounds))
    ratios["seconds usual / int8"] = seconds["usual"] / seconds["int8"]
    return {
        "ratios": ratios,
        "intervals_95": intervals,
        "share_of_greedy_tokens_before_the_first_difference": equal,
        "perplexities": perplexities,
        "median_seconds": seconds,
        "usual": usual.precision,
        "rows": len(rows),
        "rounds": rounds,
    }


def scored(engine: Engine, adapter: str | None, rows: Sequence[Row]) -> Scores:
    """Log-probabilities of the tokens of each row's answer."""
    requests = [Request(row.prompt, adapter, given=row.response) for row in rows]
    return [answer.logprobs for answer in ask(engine, requests, fresh=False)]


def answered(engine: Engine, adapter: str | None, rows: Sequence[Row]) -> list[list[int]]:
    """Tokens of a greedy answer to each row's question, as its text is read again."""
    requests = [Request(row.prompt, adapter, Sampling(max_tokens=TOKENS)) for row in rows]
    answers = ask(engine, requests, fresh=False)
    return [engine.base.tokenizer(answer.text, add_special_tokens=False)["input_ids"] for answer in answers]


def compared(a: Scores, b: Scores) -> tuple[float, tuple[float, float]]:
    """The perplexity of `a` over that of `b`, and its interval over draws of rows."""
    tokens = np.array([len(row) for row in b])
    lost = np.array([sum(row_b) - sum(row_a) for row_a, row_b in zip(a, b, strict=True)])
    draws = np.random.default_rng(0).integers(len(tokens), size=(DRAWS, len(tokens)))
    low, high = np.quantile(np.exp(lost[draws].sum(1) / tokens[draws].sum(1)), (0.025, 0.975))
    return float(np.exp(lost.sum() / tokens.sum())), (float(low), float(high))


def alike(a: Sequence[Sequence[int]], b: Sequence[Sequence[int]]) -> float:
    """Of all tokens of `b`, the share that `a` has too, up to each answer's first difference."""
    same = 0
    for x, y in zip(a, b, strict=True):
        both = zip(x, y, strict=False)
        same += next((n for n, (one, other) in enumerate(both) if one != other), min(len(x), len(y)))
    return same / sum(map(len, b))
