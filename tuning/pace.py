"""How fast a step is here, by timing real ones: which precision suits this processor, and how long a run will take."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psutil
import torch

from tuning.base import Base
from tuning.config import TrainConfig
from tuning.dialogues import Example
from tuning.lora import fresh
from tuning.loss import answer_loss, collate
from tuning.order import LengthOrder

TIMED_TOKENS = 128
"""Longest row of the batch that decides on the precision; enough for matrix products to dominate, as in training."""

FORWARD_SHARE = 0.4
"""What measuring a row costs of what training on it costs: there is no backward pass, which is the larger part."""


@dataclass(frozen=True)
class Estimate:
    """What a run will take, before its first step."""

    seconds: float
    """Of training and measuring, without loading the model."""
    step_seconds: float
    """Of the longest step."""
    bytes: int
    """Most memory that the process (on a GPU: the tensors there) holds; the longest step has been tried."""
    free_bytes: int
    """What was free beside it."""


def fastest_precision(base: Base, config: TrainConfig, examples: Sequence[Example], pad: int) -> str:
    """bfloat16 where a timed step shows it faster, else float32: processors with and without bf16 units differ 10x."""
    if config.precision != "auto":
        return config.precision
    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    longest = sorted(examples, key=lambda example: len(example.input_ids))[-2:]
    rows = [{name: ids[-TIMED_TOKENS:] for name, ids in vars(example).items()} for example in longest]
    batch, seconds = collate(rows, pad), {}
    for precision in ("float32", "bfloat16"):
        model = fresh(base, config, precision)
        seconds[precision] = min(_processor_seconds(model, batch, precision) for _ in range(3))
    return min(seconds, key=seconds.__getitem__)


def _processor_seconds(model: Any, batch: dict[str, torch.Tensor], precision: str) -> float:
    """Processor seconds of a step: on a busy machine, time on the clock would measure the other programs."""
    start = time.process_time()
    loss, _ = answer_loss(model, batch, precision)
    loss.backward()  # type: ignore[no-untyped-call]
    return time.process_time() - start


def estimate(
    model: Any, config: TrainConfig, lengths: Sequence[int], measured: Sequence[int], pad: int, precision: str
) -> Estimate:
    """Time the longest step of an epoch and a middling one, with their optimizer, and reckon the whole from them.

    `lengths` are the training rows' tokens, `measured` those of every row that is measured, as often as it is. The
    weights stay as they are, bit for bit. The timed tokens are padding: their time is that of any others.
    """
    step = config.batch_size
    order = list(LengthOrder(lengths, step, config.seed))
    sizes = [_padded([lengths[row] for row in order[at : at + step]]) for at in range(0, len(order), step)]
    typical = sorted(sizes)[len(sizes) // 2]
    timed = {size: _seconds(model, size, pad, precision) for size in {max(sizes), typical}}
    each = timed[typical] / _tokens(typical)
    slope = (
        (timed[max(sizes)] - timed[typical]) / (_tokens(max(sizes)) - _tokens(typical))
        if _tokens(max(sizes)) > _tokens(typical)
        else each
    )
    slope = min(max(slope, 0.5 * each), 2 * each)  # two timings on a busy machine allow no steeper conclusion
    epoch = sum(max(timed[typical] + slope * (_tokens(size) - _tokens(typical)), 0.0) for size in sizes)
    return Estimate(
        seconds=epoch * config.epochs + FORWARD_SHARE * each * sum(measured),
        step_seconds=timed[max(sizes)],
        bytes=peak_bytes(),
        free_bytes=free_bytes(),
    )


def _padded(lengths: Sequence[int]) -> tuple[int, int]:
    """Longest row and rows of a step; in this order, so that the largest is the one with the longest rows."""
    return max(lengths), len(lengths)


def _tokens(size: tuple[int, int]) -> int:
    return size[0] * size[1]


def _seconds(model: Any, size: tuple[int, int], pad: int, precision: str) -> float:
    """Seconds of a real step over a batch of that size, but with a step size of zero."""
    longest, rows = size
    answer = max(2, longest // 8)
    row = {"input_ids": [pad] * longest, "labels": [-100] * (longest - answer) + [pad] * answer}
    device = next(model.parameters()).device
    batch = {name: value.to(device) for name, value in collate([row] * rows, pad).items()}
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.0, weight_decay=0.0)
    model.train()
    best = float("inf")
    for _ in range(2):  # the first one allocates memory
        start = time.perf_counter()
        loss, count = answer_loss(model, batch, precision)
        (loss / count).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        float(loss)  # waits for a GPU
        best = min(best, time.perf_counter() - start)
    return best


def peak_bytes() -> int:
    """Most memory that this process has held so far; with a GPU, its tensors on that."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def free_bytes() -> int:
    """Memory that is still to be had where `peak_bytes` is held."""
    return int(torch.cuda.mem_get_info()[0]) if torch.cuda.is_available() else int(psutil.virtual_memory().available)
