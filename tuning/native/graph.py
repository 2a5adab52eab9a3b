"""A model's forward pass with our operators in the place of its linear layers and its attention -> one compiled graph.

The graph knows a model's shape and none of its weights: what is no linear layer (norms, embeddings) comes in as inputs,
everything else through the operators' context. So a model is compiled from its config alone, in a process of its own
(`python -m tuning.native.graph CONFIG DTYPE KERNELS OUT`), and serves every model of that shape.
"""

import inspect
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.modeling_utils import AttentionInterface

from tuning.attention import Through, cache_argument
from tuning.errors import InputError
from tuning.pool import Shape

ATTENTION = "fourfold_native"
SIBLINGS = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
"""Layers that read the same input where a model has them side by side: one product serves them all."""
LANES = 16
"""Numbers in a vector of the kernels: a head's width is a multiple of it."""


@dataclass(frozen=True)
class Group:
    """Linear layers that share their input; their outputs stand one after another."""

    paths: tuple[str, ...]
    inputs: int
    outputs: tuple[int, ...]


def groups(model: nn.Module) -> list[Group]:
    """The model's linear layers in their order, siblings together."""
    return [
        Group(paths, layers[0].in_features, tuple(layer.out_features for layer in layers))
        for paths, layers in _together(model)
    ]


def glue(model: nn.Module, layers: Sequence[Group]) -> list[str]:
    """Names of the parameters and buffers that the graph takes as inputs: all but those of linear layers."""
    inside = tuple(f"{path}." for group in layers for path in group.paths)
    every = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    every += [name for name, _ in model.named_buffers()]
    return [name for name in every if not name.startswith(inside)]


def check(model: nn.Module, shapes: Sequence[Shape]) -> None:
    """Raise InputError where the kernels cannot serve this model; `shapes` are its layers' keys and values."""
    for key, value in shapes:
        if key[-1] % LANES or key[-1] != value[-1]:
            raise InputError(f"its attention heads are {key[-1]} wide, which the compiled step cannot read")
    odd = [group.paths[0] for group in groups(model) if group.inputs % 2]
    if odd:
        raise InputError(f"{odd[0]} has an odd number of inputs, which the compiled step cannot read")


def _together(model: nn.Module) -> Iterator[tuple[tuple[str, ...], list[nn.Linear]]]:
    for path, parent in model.named_modules():
        kids = {name: kid for name, kid in parent.named_children() if isinstance(kid, nn.Linear)}
        taken: set[str] = set()
        for names in SIBLINGS:
            layers = [kids[name] for name in names if name in kids]
            if len(layers) == len(names) and len({layer.in_features for layer in layers}) == 1:
                taken |= set(names)
                yield tuple(f"{path}.{name}".lstrip(".") for name in names), layers
        for name, layer in kids.items():
            if name not in taken:
                yield (f"{path}.{name}".lstrip("."),), [layer]


class _Part(nn.Module):
    """Stands for one linear layer of a group."""

    def __init__(self, product: "_Product", number: int) -> None:
        super().__init__()
        self._product, self._number = product, number

    def forward(self, x: Tensor) -> Tensor:
        return self._product(x)[self._number]


class _Product:
    """The one product of a group, computed once for each input that its layers are given."""

    def __init__(self, number: int, outputs: tuple[int, ...]) -> None:
        self._number, self._outputs = number, outputs
        self.context: Tensor | None = None
        self._x: Tensor | None = None
        self._parts: Sequence[Tensor] = ()

    def __call__(self, x: Tensor) -> Sequence[Tensor]:
        if x is not self._x:
            y = torch.ops.fourfold.linear(x, self.context, self._number, sum(self._outputs))
            self._x, self._parts = x, y.split(self._outputs, dim=-1)
        return self._parts


class Graph(nn.Module):
    """What is compiled: tokens in, logits of the kept ones out. `model` has weights on the meta device."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.layers = groups(model)
        self.names = glue(model, self.layers)
        self._products = [_Product(number, group.outputs) for number, group in enumerate(self.layers)]
        for group, product in zip(self.layers, self._products, strict=True):
            for number, path in enumerate(group.paths):
                parent, _, leaf = path.rpartition(".")
                setattr(model.get_submodule(parent), leaf, _Part(product, number))
        self._cache = cache_argument(model)
        self._keeps = "logits_to_keep" in inspect.signature(model.forward).parameters
        self._model = [model]  # in a list: its weights are inputs, not this module's own

    def forward(self, ids: Tensor, positions: Tensor, kept: Tensor, context: Tensor, weights: list[Tensor]) -> Tensor:
        """ids and positions: 1 x tokens; kept: indices; context: its number -> kept x vocabulary."""
        for product in self._products:
            product.context = context
        given: dict[str, Any] = {"input_ids": ids, "position_ids": positions, "use_cache": True, "context": context}
        given[self._cache] = Through()
        if self._keeps:
            given["logits_to_keep"] = kept
        named = dict(zip(self.names, weights, strict=True))
        logits: Tensor = torch.func.functional_call(self._model[0], named, (), given).logits[0]
        return logits if self._keeps else logits[kept]


def native_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    context: Tensor,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """transformers' attention interface over the operator."""
    unknown = [name for name in ("softcap", "s_aux", "position_bias") if others.get(name) is not None]
    if unknown:
        raise InputError(f"its attention uses {unknown[0]}, which the compiled step cannot read")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    return torch.ops.fourfold.attend(query, key, value, context, module.layer_idx, scale, sliding_window or 0), None


AttentionInterface.register(ATTENTION, native_attention)


def declare() -> None:
    """Tell torch the shapes of our operators' results; the kernels must be loaded."""

    def linear(x: Tensor, context: Tensor, group: int, outputs: int) -> Tensor:
        return x.new_empty((*x.shape[:-1], outputs))

    def attend(q: Tensor, k: Tensor, v: Tensor, context: Tensor, layer: int, scaling: float, window: int) -> Tensor:
        return q.new_empty((1, q.shape[2], q.shape[1], q.shape[3]))

    torch.library.register_fake("fourfold::linear", linear)
    torch.library.register_fake("fourfold::attend", attend)


def compile_graph(config: Path, dtype: torch.dtype, out: Path) -> None:
    """Compile the model that the folder `config` describes to the shared library `out`, in a folder of its own.

    Beside it comes a .json of its name, by which the library finds our operators.
    """
    settings = AutoConfig.from_pretrained(config)
    settings._attn_implementation = ATTENTION
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(settings, dtype=dtype)  # type: ignore[no-untyped-call]
    model.train(False)
    shapes = {name: (t.shape, t.dtype) for name, t in [*model.named_parameters(), *model.named_buffers()]}
    shapes |= {name: (t.shape, t.dtype) for name, t in model.named_parameters(remove_duplicate=False)}
    graph = Graph(model)
    tokens = 4
    inputs = (
        torch.zeros((1, tokens), dtype=torch.long),
        torch.zeros((1, tokens), dtype=torch.long),
        torch.zeros(tokens - 1, dtype=torch.long),
        torch.zeros(1, dtype=torch.long),
        [torch.zeros(shapes[name][0], dtype=shapes[name][1]) for name in graph.names],
    )
    many, some = torch.export.Dim("tokens", min=1, max=1 << 16), torch.export.Dim("kept", min=1, max=1 << 16)
    dynamic = ({1: many}, {1: many}, {0: some}, None, [None] * len(graph.names))
    with torch.no_grad():
        program = torch.export.export(graph, inputs, dynamic_shapes=dynamic, strict=False)
    options = {"aot_inductor.output_path": str(out), "aot_inductor.package": False}
    torch._inductor.aot_compile(program.module(), program.example_inputs[0], options=options)
    [operators] = out.parent.glob("*.wrapper.json")
    operators.rename(out.with_suffix(".json"))


if __name__ == "__main__":
    config, dtype, kernels, out = sys.argv[1:]
    torch.ops.load_library(kernels)  # type: ignore[no-untyped-call]
    declare()
    compile_graph(Path(config), getattr(torch, dtype), Path(out))
