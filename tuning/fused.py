"""The linear layer with its low-rank part as one operation, while training.

PEFT computes the two apart: it copies the inputs to the precision of the adapter and back, scales and adds in passes
of their own, and keeps what each pass needs for the backward one. On a processor, whose memory is the narrow place,
that takes long. Here the low-rank product is added where the layer's own is summed, and only the inputs and the narrow
product are kept. Formulas: y = x W' + s (x A') B' (arXiv 2106.09685, eq. 3) and its derivatives.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import FunctionCtx


class LowRankLinear(Function):
    """x: tokens x in, weight: out x in, bias: out or None, down: rank x in, up: out x rank, scale -> tokens x out.

    Computes in the weight's precision; the gradients of `down` and `up` are float32.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor, scale: float
    ) -> Tensor:
        x, down, up = (tensor.to(weight.dtype) for tensor in (x, down, up))
        narrow = x @ down.t()
        y = nn.functional.linear(x, weight, bias)
        y.addmm_(narrow, up.t(), alpha=scale)
        ctx.save_for_backward(x, weight, down, up, narrow)
        ctx.scale = scale
        return y

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, down, up, narrow = ctx.saved_tensors  # type: ignore[attr-defined]
        scale: float = ctx.scale  # type: ignore[attr-defined]
        (dy,) = gradients
        dy = dy.to(weight.dtype)
        dnarrow = (dy @ up).mul_(scale)
        dx = None
        if ctx.needs_input_grad[0]:  # type: ignore[attr-defined]
            dx = (dy @ weight).addmm_(dnarrow, down)
        dup = (dy.t() @ narrow).float().mul_(scale)
        ddown = (dnarrow.t() @ x).float()
        return dx, None, None, ddown, dup, None


def fuse(model: Any) -> int:
    """Let the low-rank layers of a PEFT model whose layers are plain compute so; returns how many do.

    Layers with dropout, DoRA, quantised weights or biases of the adapter stay as PEFT has them, and so does the model
    while its adapter is switched off.
    """
    fused = 0
    for module in model.modules():
        if _is_plain(module):
            module.forward = partial(_forward, module, module.forward)
            fused += 1
    return fused


def _is_plain(module: Any) -> bool:
    names = getattr(module, "active_adapters", None)
    if not names or not hasattr(module, "lora_A") or len(module.lora_A) != 1:
        return False
    (name,) = module.lora_A
    plain = type(module.base_layer) is nn.Linear and isinstance(module.lora_dropout[name], nn.Identity)
    usual = not module.lora_variant and not module.fan_in_fan_out and module.lora_B[name].bias is None
    return bool(plain and usual and not module.merged and list(names) == [name])


def _forward(module: Any, otherwise: Any, x: Tensor, *others: Any, **named: Any) -> Tensor:
    if module.disable_adapters or others or named:
        return otherwise(x, *others, **named)  # type: ignore[no-any-return]
    (name,) = module.lora_A
    base = module.base_layer
    down, up, scale = module.lora_A[name].weight, module.lora_B[name].weight, module.scaling[name]
    with torch.autocast(x.device.type, enabled=False):
        rows = x.flatten(0, -2)
        y: Tensor = LowRankLinear.apply(rows, base.weight, base.bias, down, up, scale)  # type: ignore[no-untyped-call]
    return y.view(*x.shape[:-1], y.shape[-1])
