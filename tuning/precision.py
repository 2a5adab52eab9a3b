"""The number format of the weights: the one in which this processor decodes soonest, or 8 bits where that is wanted.

The soonest is found by timing one step and then remembered.

bf16 halves the bytes that a step reads, but a processor without bf16 units computes it slower than fp32.
"""

import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

Loader = Callable[[torch.dtype], PreTrainedModel]
Report = Callable[[str], None]
ROWS = 4
"""A step of the four variants."""
ROUNDS = 5


def load_fastest(load: Loader, memory: Path, report: Report) -> PreTrainedModel:
    """The model on the GPU where there is one, else on the CPU in whichever of bf16 and fp32 decodes a step sooner.

    `memory` is a JSON file that keeps the decision for this processor and torch: a busy moment must not change the
    precision, and with it the answers, from one start to the next.
    """
    if torch.cuda.is_available():
        dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        on_gpu: PreTrainedModel = load(dtype).to("cuda")  # type: ignore[arg-type]
        return on_gpu
    known = recall(memory).get(processor())
    if known in ("bfloat16", "float32"):
        return load(getattr(torch, known))
    models = {dtype: load(dtype) for dtype in (torch.bfloat16, torch.float32)}
    seconds = time_steps(models)
    fastest = min(seconds, key=seconds.__getitem__)
    remember(memory, str(fastest).removeprefix("torch."))
    report("One decoding step takes " + ", ".join(f"{1000 * s:.0f} ms in {d}" for d, s in seconds.items()))
    return models[fastest]


def time_steps(models: dict[torch.dtype, PreTrainedModel]) -> dict[torch.dtype, float]:
    """Seconds of the fastest step of each model, in turns, so that other work on the machine slows all alike."""
    ids = torch.ones((ROWS, 1), dtype=torch.long)
    best = dict.fromkeys(models, float("inf"))
    with torch.inference_mode():
        for model in models.values():
            model(input_ids=ids, use_cache=False)
        for _ in range(ROUNDS):
            for dtype, model in models.items():
                start = time.perf_counter()
                model(input_ids=ids, use_cache=False)
                best[dtype] = min(best[dtype], time.perf_counter() - start)
    return best


def processor() -> str:
    return f"torch {torch.__version__}, {platform.machine()} {torch.backends.cpu.get_cpu_capability()}, {cpu_name()}"


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def recall(memory: Path) -> dict[str, str]:
    try:
        kept = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def remember(memory: Path, dtype: str) -> None:
    memory.parent.mkdir(parents=True, exist_ok=True)
    temporary = memory.with_name(f".{memory.name}-{os.getpid()}")
    temporary.write_text(json.dumps({**recall(memory), processor(): dtype}, indent=1), encoding="utf-8")
    temporary.replace(memory)


def quantise(weight: Tensor) -> tuple[Tensor, Tensor]:
    """out x in -> the same in whole numbers of -127 to 127, and the step of each output (out, fp32)."""
    step = weight.float().abs().amax(dim=1).clamp(min=1e-12) / 127
    return (weight.float() / step[:, None]).round().to(torch.int8), step


@torch.no_grad()
def round_weights(model: nn.Module) -> None:
    """Round the weights of all linear layers, in place, to what `quantise` keeps of them."""
    done: set[int] = set()
    for layer in model.modules():
        if isinstance(layer, nn.Linear) and id(layer.weight) not in done:
            whole, step = quantise(layer.weight)
            layer.weight.copy_(whole.float() * step[:, None])
            done.add(id(layer.weight))
