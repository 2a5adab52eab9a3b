"""How fast a step is here, by timing real ones: which precision suits this processor, and how long a run will take."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psutil
import torch

from tuning.averaging import AveragingAdamW
from tuning.base import Base
from tuning.config import TrainConfig
from tuning.dialogues import Example
from tuning.lora import fresh
from tuning.loss import Batch, answer_loss, collate, on

TIMED_TOKENS = 128
"""Longest row of the batch that decides on the precision; enough for matrix products to dominate, as in training."""

SAMPLED = 50
"""About how many steps of an epoch are laid out to learn their sizes."""

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

    def words(self) -> str:
        """For instance `about 12 minutes and 1.9 GB of memory; 3.1 GB more are free`."""
        time = f"{self.seconds:.0f} s" if self.seconds < 90 else f"{self.seconds / 60:.0f} minutes"
        return f"about {time} and {self.bytes / 1e9:.1f} GB of memory; {self.free_bytes / 1e9:.1f} GB more are free"


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
    model: Any,
    batches: Sequence[Batch],
    steps: float,
    measured: float,
    loss: Callable[[Batch], torch.Tensor],
    averages: bool = False,
) -> Estimate:
    """Time the largest of `batches` and a middling one, with an optimizer, and reckon the whole run from them.

    `batches` are some of an epoch's steps, drawn evenly; `steps` is how many the run takes, `measured` the tokens of
    all rows that are measured, each as often as it is. The weights stay as they are, bit for bit, and so do the random
    numbers to come: a run must not depend on having been timed.
    """
    ordered = sorted(batches, key=_tokens)
    largest, typical = ordered[-1], ordered[len(ordered) // 2]
    random = torch.get_rng_state()
    seconds = {_tokens(batch): _seconds(model, batch, loss, averages) for batch in (typical, largest)}
    torch.set_rng_state(random)
    each = seconds[_tokens(typical)] / _tokens(typical)
    mean = sum(map(_tokens, ordered)) / len(ordered)
    return Estimate(
        seconds=each * (mean * steps + FORWARD_SHARE * measured),
        step_seconds=seconds[_tokens(largest)],
        bytes=peak_bytes(),
        free_bytes=free_bytes(),
    )


def sampled(rows: Sequence[int], step_rows: int) -> list[Sequence[int]]:
    """Some steps of an epoch that shows `rows` in this order, from its beginning to its end."""
    steps = [rows[start : start + step_rows] for start in range(0, len(rows), step_rows)]
    return steps[:: max(1, len(steps) // SAMPLED)]


def _tokens(batch: Batch) -> int:
    return int(batch["input_ids"].numel())


def _seconds(model: Any, batch: Batch, loss: Callable[[Batch], torch.Tensor], averages: bool) -> float:
    """Seconds of a real step over the batch, but with a step size of zero."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    batch = on(trained[0].device, batch)
    options: dict[str, Any] = {"lr": 0.0, "weight_decay": 0.0}
    optimizer = AveragingAdamW(trained, after=0, **options) if averages else torch.optim.AdamW(trained, **options)
    model.train()
    best = float("inf")
    for _ in range(2):  # the first one allocates memory
        start = time.perf_counter()
        value = loss(batch)
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        float(value.detach())  # waits for a GPU
        best = min(best, time.perf_counter() - start)
    if isinstance(optimizer, AveragingAdamW):
        optimizer.eval()  # takes the most memory; the mean of weights that stay is the weights
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
