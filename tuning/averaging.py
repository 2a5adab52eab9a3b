"""An optimizer that keeps the mean of the weights which its later steps went through."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class AveragingAdamW(torch.optim.AdamW):
    """AdamW whose outcome is the mean of the weights after each step but the first `after`.

    Averaging the tail of an iteration at a constant rate evens out the noise of single steps (Jain et al. 2018, arXiv
    1610.03774; for networks Izmailov et al. 2018, arXiv 1803.05407). `eval` puts the mean into the parameters and
    `train` what was there before, bit for bit; both are part of the state, so a run goes on from it unchanged. It takes
    memory for two more copies of what is trained.
    """

    def __init__(self, params: Any, after: int, **options: Any) -> None:
        super().__init__(params, **options)
        for group in self.param_groups:
            group.update(after=after, taken=0, is_mean=False)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """One step. Must not be called between `eval` and `train`."""
        loss = super().step(closure)
        for group in self.param_groups:
            group["taken"] += 1
            counted = group["taken"] - group["after"]
            for weight in group["params"]:
                if counted > 0 and weight.grad is not None:
                    mean = self.state[weight].setdefault("mean", torch.zeros_like(weight))
                    mean.lerp_(weight, 1 / counted)
        return loss

    @torch.no_grad()
    def eval(self) -> None:
        """Let the parameters be the mean, where there is one yet."""
        for weight, state in self._turn(to_mean=True):
            if "mean" in state:
                state["trained"] = weight.clone()
                weight.copy_(state["mean"])

    @torch.no_grad()
    def train(self) -> None:
        """Let the parameters be what is trained."""
        for weight, state in self._turn(to_mean=False):
            if "trained" in state:
                weight.copy_(state.pop("trained"))

    def _turn(self, to_mean: bool) -> list[tuple[Tensor, dict[str, Any]]]:
        """The parameters with their state, of groups that are not as wanted."""
        groups = [group for group in self.param_groups if group["is_mean"] != to_mean]
        for group in groups:
            group["is_mean"] = to_mean
        return [(weight, self.state[weight]) for group in groups for weight in group["params"]]
