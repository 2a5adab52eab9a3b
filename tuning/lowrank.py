"""Low-rank adapters as PEFT writes them, and layers that switch them per row of a batch.

All resident adapters are stacked. With A (sum of ranks x in) and B (out x sum of ranks), a token gets
`W x + B (g * A x)`, where the gate g is 1 on the ranks of its own adapter and 0 elsewhere; a token without adapter adds
exact zeros and so equals the untouched base. LoRA: Hu et al. 2021, equation 3; rsLoRA's scale: Kalajdzievski 2023;
DoRA's magnitude: Liu et al. 2024, equation 5.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from tuning.errors import InputError

KEY = re.compile(
    r"base_model\.model\.(?P<module>.+)\."
    r"(?:lora_(?P<side>[AB])|lora_(?P<magnitude>magnitude_vector))(?:\.default)?(?:\.weight)?"
)
UNREADABLE = {
    "modules_to_save": "modules saved whole",
    "alora_invocation_tokens": "activated LoRA",
    "layer_replication": "replicated layers",
    "use_bdlora": "BD-LoRA",
    "use_qalora": "QA-LoRA",
}


@dataclass(frozen=True)
class Pair:
    """What an adapter adds to one linear layer."""

    a: Tensor
    """rank x in."""
    b: Tensor
    """out x rank, already scaled."""
    magnitude: Tensor | None = None
    """DoRA: the wanted norm of each output's weights, out."""

    def gain(self, weight: Tensor) -> Tensor | None:
        """DoRA: the factor of each output, wanted norm over the norm of `weight` + BA (out); None without magnitude."""
        if self.magnitude is None:
            return None
        whole = weight.float() + self.b.to(weight).float() @ self.a.to(weight).float()
        gain: Tensor = self.magnitude.to(weight.device).float().flatten() / whole.norm(dim=1)
        return gain


Pairs = Mapping[str, Pair]
"""An adapter: its pairs by the path of the layer that each belongs to."""


def read_adapter(folder: Path) -> dict[str, Pair]:
    """The low-rank pairs of an adapter in PEFT's format, by the name of the layer that each belongs to.

    Raises InputError where the folder is no adapter, a torn one, or one of a kind whose rows cannot be switched.
    """
    try:
        config: dict[str, Any] = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        weights = load_file(folder / "adapter_model.safetensors")
    except Exception as error:  # safetensors raises a class of its own that is no OSError or ValueError
        raise InputError(f"{folder} holds no readable adapter ({error}); train it again or delete it.") from error
    found = [words for key, words in UNREADABLE.items() if config.get(key)]
    if config.get("peft_type") != "LORA" or found:
        kind = found[0] if found else config.get("peft_type")
        raise InputError(f"The adapter {folder.name} uses {kind}; only LoRA, rsLoRA and DoRA can be chatted with.")
    parts: dict[str, dict[str, Tensor]] = {}
    for key, tensor in weights.items():
        match = KEY.fullmatch(key)
        if not match:
            raise InputError(f"The adapter {folder.name} holds {key}, which is no low-rank weight of a linear layer.")
        if not tensor.isfinite().all():
            raise InputError(f"The adapter {folder.name} is broken: {key} is not all numbers; train it again.")
        parts.setdefault(match["module"], {})[match["side"] or "magnitude"] = tensor
    pairs = {}
    for module, part in parts.items():
        if not {"A", "B"} <= part.keys() or part["A"].shape[0] != part["B"].shape[1]:
            raise InputError(f"The adapter {folder.name} is broken: {module} lacks a half; train it again.")
        pairs[module] = Pair(part["A"], part["B"] * scale(config, module, part["A"].shape[0]), part.get("magnitude"))
    return pairs


def scale(config: Mapping[str, Any], module: str, rank: int) -> float:
    """What B A is multiplied by in this module."""
    patterns: dict[str, float] = config.get("alpha_pattern") or {}
    matching = [value for pattern, value in patterns.items() if re.match(rf"(.*\.)?({pattern})$", module)]
    alpha = float(matching[0] if matching else config["lora_alpha"])
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def check_fit(name: str, pairs: Pairs, linears: Mapping[str, nn.Linear]) -> None:
    """Raise InputError where an adapter was trained on a model of another shape; `linears` are ours, by path."""
    for path, pair in pairs.items():
        if path not in linears:
            raise InputError(f"The adapter {name} was trained on another base: this one has no linear layer {path}.")
        theirs, ours = (pair.b.shape[0], pair.a.shape[1]), tuple(linears[path].weight.shape)
        if theirs != ours:
            raise InputError(f"The adapter {name} was trained on another base: {path} is {theirs} there, {ours} here.")


class Rows:
    """Which adapter each token of the current batch uses; shared by all switched layers of a model."""

    def __init__(self) -> None:
        self._slots = (torch.zeros(0, dtype=torch.long),) * 2
        self._gates: dict[tuple[int, tuple[int, ...]], Tensor] = {}
        self.plain = True

    def assign(self, slots: Sequence[int], kept: Sequence[int], device: torch.device) -> None:
        """Token i of the next batch uses the adapter in slot `slots[i]` (-1: none). The output layer sees the tokens
        `kept` alone."""
        every = torch.tensor(slots, dtype=torch.long, device=device)
        self.assign_tensor(every, every[torch.tensor(kept, device=device)], all(slot < 0 for slot in slots))

    def assign_tensor(self, slots: Tensor, kept: Tensor, plain: bool) -> None:
        """The same from tensors: the slots of all tokens and of the kept ones, and whether all are -1."""
        self._slots = slots, kept
        self._gates = {}
        self.plain = plain

    def slots(self, tokens: int) -> Tensor:
        """The slots of a layer's input of so many tokens."""
        return self._slots[0] if tokens == len(self._slots[0]) else self._slots[1]

    def gate(self, tokens: int, ranks: tuple[int, ...], owners: Tensor, dtype: torch.dtype) -> Tensor:
        """Tokens x sum of ranks, for a layer in which the slots have these ranks, and each rank the slot in `owners`;
        layers of one shape share it."""
        if (tokens, ranks) not in self._gates:
            self._gates[tokens, ranks] = (self.slots(tokens)[:, None] == owners).to(dtype)
        return self._gates[tokens, ranks]


class SwitchedLinear(nn.Linear):
    """A linear layer, its weights shared, with the low-rank products of every resident adapter beside it."""

    def __init__(self, linear: nn.Linear, rows: Rows) -> None:
        super().__init__(linear.in_features, linear.out_features, linear.bias is not None, device="meta")
        self.weight, self.bias = linear.weight, linear.bias
        self.rows = rows
        self.stack([])

    def stack(self, pairs: Sequence[Pair | None]) -> None:
        """Hold these adapters, by slot; None where a slot is empty or its adapter leaves this layer alone."""
        weight = self.weight
        none = (weight.new_zeros((0, weight.shape[1])), weight.new_zeros((weight.shape[0], 0)))
        halves = [(pair.a.to(weight), pair.b.to(weight)) if pair else none for pair in pairs]
        gains = [pair.gain(weight) if pair else None for pair in pairs]
        self.ranks = tuple(a.shape[0] for a, _ in halves)
        owners = [slot for slot, rank in enumerate(self.ranks) for _ in range(rank)]
        self.owners = torch.tensor(owners, dtype=torch.long, device=weight.device)
        self.down = torch.cat([none[0], *(a for a, _ in halves)])
        self.up = torch.cat([none[1], *(b for _, b in halves)], dim=1)
        self.gains: Tensor | None = None
        if any(gain is not None for gain in gains):
            ones = torch.ones(weight.shape[0], device=weight.device)
            # Slot -1, no adapter, is the last.
            self.gains = torch.stack([ones if gain is None else gain for gain in [*gains, None]]).to(weight)

    def forward(self, x: Tensor) -> Tensor:
        """x: 1 x tokens x in -> 1 x tokens x out."""
        y = super().forward(x)
        if self.rows.plain or not self.down.shape[0]:
            return y
        tokens = x.shape[-2]
        low = nn.functional.linear(x, self.down) * self.rows.gate(tokens, self.ranks, self.owners, x.dtype)
        added = nn.functional.linear(low, self.up)
        if self.gains is not None:
            gain = self.gains[self.rows.slots(tokens)]
            bare = y if self.bias is None else y - self.bias
            added = added * gain + (gain - 1) * bare  # exact zeros where the gain is 1
        return y + added


def linears(model: nn.Module) -> dict[str, nn.Linear]:
    """The model's linear layers by path."""
    return {path: module for path, module in model.named_modules() if isinstance(module, nn.Linear)}


def switch(model: nn.Module, paths: Iterable[str], rows: Rows) -> dict[str, SwitchedLinear]:
    """Put switched layers in the place of the linear layers at `paths`; those that are switched already stay."""
    switched = {}
    for path in paths:
        layer = model.get_submodule(path)
        if not isinstance(layer, SwitchedLinear):
            assert isinstance(layer, nn.Linear)
            layer = SwitchedLinear(layer, rows)
            parent, _, leaf = path.rpartition(".")
            setattr(model.get_submodule(parent), leaf, layer)
        switched[path] = layer
    return switched
