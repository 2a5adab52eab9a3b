"""Low-rank adapters beside the base weights: one product for the whole batch, switched per row.

All resident adapters are stacked. With A (sum of ranks x in) and B (out x sum of ranks), row i of a batch gets
`W x + B (g_i * A x)`, where the gate g_i is 1 on the ranks of its own adapter and 0 elsewhere; a row without adapter
adds exact zeros and so equals the untouched base. LoRA: Hu et al. 2021, equation 3; rsLoRA's scale: Kalajdzievski 2023.
"""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from tuning.errors import InputError

Pair = tuple[Tensor, Tensor]
"""A (rank x in) and B (out x rank), B already scaled."""

KEY = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")
UNREADABLE = {"use_dora": "DoRA", "modules_to_save": "modules saved whole", "alora_invocation_tokens": "activated LoRA"}


class Rows:
    """Which adapter each row of the current batch uses; shared by all switched layers of a model."""

    def __init__(self) -> None:
        self._choice = torch.zeros((0, 0))
        self._gates: dict[tuple[int, ...], Tensor] = {}
        self.plain = True

    def assign(self, numbers: Sequence[int | None], adapters: int, like: Tensor) -> None:
        """Row i uses adapter `numbers[i]` of `adapters` (None: the base alone); dtype and device as those of `like`.

        `plain` then says whether every row is the base alone, and the low-rank products can be left out.
        """
        choice = torch.zeros((len(numbers), adapters), dtype=like.dtype, device=like.device)
        for row, number in enumerate(numbers):
            if number is not None:
                choice[row, number] = 1
        self._choice, self._gates = choice, {}
        self.plain = all(number is None for number in numbers)

    def gate(self, ranks: tuple[int, ...]) -> Tensor:
        """Rows x 1 x sum of ranks, for a layer in which the adapters have these ranks; layers of one shape share it."""
        if ranks not in self._gates:
            repeats = torch.tensor(ranks, device=self._choice.device)
            self._gates[ranks] = self._choice.repeat_interleave(repeats, dim=1).unsqueeze(1)
        return self._gates[ranks]


class SwitchedLinear(nn.Module):
    """A linear layer with the low-rank products of every resident adapter beside it."""

    def __init__(self, linear: nn.Linear, rows: Rows) -> None:
        super().__init__()
        self.linear = linear
        self.rows = rows
        self.stack([])

    def stack(self, pairs: Sequence[Pair | None]) -> None:
        """Hold these adapters, in this order; None where an adapter leaves this layer alone."""
        weight = self.linear.weight
        empty = (weight.new_zeros((0, weight.shape[1])), weight.new_zeros((weight.shape[0], 0)))
        kept = [pair or empty for pair in pairs]
        self.ranks = tuple(a.shape[0] for a, _ in kept)
        self.down = torch.cat([a.to(weight) for a, _ in kept] or [empty[0]])
        self.up = torch.cat([b.to(weight) for _, b in kept] or [empty[1]], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(x)
        if self.rows.plain or not self.down.shape[0]:
            return y
        low = nn.functional.linear(x, self.down) * self.rows.gate(self.ranks)
        return y + nn.functional.linear(low, self.up)


def read_adapter(folder: Path) -> dict[str, Pair]:
    """The low-rank pairs of an adapter in PEFT's format, by the name of the layer that each belongs to.

    Raises InputError where the folder is no adapter, or one of a kind whose rows cannot be switched.
    """
    try:
        config: dict[str, Any] = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        weights = load_file(folder / "adapter_model.safetensors")
    except Exception as error:  # safetensors raises a class of its own that is no OSError or ValueError
        raise InputError(f"{folder} holds no readable adapter ({error}); train it again or delete it.") from error
    found = [words for key, words in UNREADABLE.items() if config.get(key)]
    if config.get("peft_type") != "LORA" or found:
        kind = found[0] if found else config.get("peft_type")
        raise InputError(f"The adapter {folder.name} uses {kind}; only LoRA and rsLoRA can be chatted with.")
    halves: dict[str, dict[str, Tensor]] = {}
    for key, tensor in weights.items():
        match = KEY.fullmatch(key)
        if not match:
            raise InputError(f"The adapter {folder.name} holds {key}, which is no low-rank weight of a linear layer.")
        halves.setdefault(match["module"], {})[match["side"]] = tensor
    return {name: (pair["A"], pair["B"] * scale(config, name, pair["A"].shape[0])) for name, pair in halves.items()}


def scale(config: dict[str, Any], module: str, rank: int) -> float:
    """alpha / r, or alpha / sqrt(r) for rsLoRA, with the alpha that the config gives to this module."""
    patterns: dict[str, float] = config.get("alpha_pattern") or {}
    matching = [value for pattern, value in patterns.items() if re.match(rf"(.*\.)?({pattern})$", module)]
    alpha = float(matching[0] if matching else config["lora_alpha"])
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


class Switchboard:
    """The adapters that are resident beside one model."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._layers: dict[str, SwitchedLinear] = {}
        self._adapters: dict[str, dict[str, Pair]] = {}
        self.rows = Rows()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._adapters)

    def attach(self, name: str, pairs: dict[str, Pair]) -> None:
        """Make an adapter resident; one of the same name is replaced. InputError where it does not fit this model."""
        for path, (a, b) in pairs.items():
            linear = self._linear(name, path)
            if (b.shape[0], a.shape[1]) != linear.weight.shape:
                ours = tuple(linear.weight.shape)
                theirs = (b.shape[0], a.shape[1])
                raise InputError(
                    f"The adapter {name} was trained on another base: {path} is {theirs} there, {ours} here."
                )
        self._adapters[name] = pairs
        for path in pairs:
            if path not in self._layers:
                parent, _, leaf = path.rpartition(".")
                self._layers[path] = SwitchedLinear(self._linear(name, path), self.rows)
                setattr(self._model.get_submodule(parent), leaf, self._layers[path])
        self._restack()

    def detach(self, name: str) -> None:
        if self._adapters.pop(name, None) is not None:
            self._restack()

    def assign(self, names: Sequence[str | None], like: Tensor) -> None:
        """Switch row i of the next batches to the adapter `names[i]` (None: the base alone)."""
        order = self.names
        self.rows.assign([None if name is None else order.index(name) for name in names], len(order), like)

    def _linear(self, name: str, path: str) -> nn.Linear:
        if path in self._layers:
            return self._layers[path].linear
        try:
            layer = self._model.get_submodule(path)
        except AttributeError:
            layer = None
        if not isinstance(layer, nn.Linear):
            raise InputError(f"The adapter {name} was trained on another base: this one has no linear layer {path}.")
        return layer

    def _restack(self) -> None:
        for path, layer in self._layers.items():
            layer.stack([pairs.get(path) for pairs in self._adapters.values()])
