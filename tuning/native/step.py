"""The step as compiled code: packs a model's weights and adapters for the kernels, and runs the graph over a batch."""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import PreTrainedModel

from tuning.batch import Batch
from tuning.lowrank import Pair, Pairs, linears
from tuning.native.graph import Group, glue, groups
from tuning.pages import PAGE
from tuning.pool import Pool
from tuning.precision import quantise

BLOCK = 32
"""Outputs that a tile of the kernels computes."""


@dataclass(frozen=True)
class Packed:
    """One adapter in one group of layers, as the kernels read it."""

    down: Tensor
    up: Tensor
    begin: Tensor
    """The first rank that each block of outputs reads."""
    gain: Tensor
    """DoRA's factor of each output, or empty."""
    ranks: int
    width: int
    """Ranks that a block of outputs reads."""


class Native:
    """The compiled step of one engine. Adapters are seated by slot, between two calls."""

    def __init__(self, model: PreTrainedModel, pool: Pool, graph: int, int8: bool = False) -> None:
        """`graph` is what `build.load` returned; `int8` packs the weights of linear layers in 8 bits."""
        self._operators = torch.ops.fourfold
        self._graph = graph
        self._groups = groups(model)
        self._linears = linears(model)
        named = dict([*model.named_parameters(remove_duplicate=False), *model.named_buffers()])
        self._glue = [named[name].detach() for name in glue(model, self._groups)]
        self._dtype = model.dtype
        self._context: int = self._operators.create(len(self._groups), len(pool.keys), PAGE)
        self._handle = torch.tensor([self._context])
        for number, group in enumerate(self._groups):
            self._set_group(number, group, int8)
        for layer, (keys, values) in enumerate(zip(pool.keys, pool.values, strict=True)):
            self._operators.set_pool(self._context, layer, keys, values)

        # Not __del__, which would need the operators when the interpreter has taken them apart already.
        weakref.finalize(self, self._operators.destroy, self._context)

    @torch.inference_mode()
    def __call__(self, batch: Batch) -> Tensor:
        """Logits of the kept tokens, kept x vocabulary, in the model's precision."""
        columns = max(map(len, batch.pages))
        pages = torch.tensor([[*held, *[0] * (columns - len(held))] for held in batch.pages], dtype=torch.int32)
        kept = torch.tensor(batch.kept)
        slots, positions = torch.tensor(batch.slots, dtype=torch.int32), torch.tensor([batch.positions])
        sequences = torch.tensor(batch.sequences, dtype=torch.int32)
        self._operators.set_batch(self._context, slots, slots[kept], sequences, positions[0].int(), pages)
        inputs = [torch.tensor([batch.ids]), positions, kept, self._handle, *self._glue]
        logits: Tensor = self._operators.run_graph(self._graph, inputs)
        return logits

    def pack(self, pairs: Pairs) -> list[Packed | None]:
        """An adapter as `seat` takes it, group by group. May run while the step does."""
        return [self._pack_group(group, [pairs.get(path) for path in group.paths]) for group in self._groups]

    def seat(self, slot: int, packed: Sequence[Packed | None]) -> None:
        none = torch.empty(0)
        for number, one in enumerate(packed):
            given = (one.down, one.up, one.begin, one.gain, one.ranks, one.width) if one else (none,) * 4 + (0, 0)
            self._operators.set_adapter(self._context, number, slot, *given)

    def clear(self, slot: int) -> None:
        """Forget the adapter in this slot."""
        self.seat(slot, [None] * len(self._groups))

    def _set_group(self, number: int, group: Group, int8: bool) -> None:
        layers = [self._linears[path] for path in group.paths]
        weight = torch.cat([layer.weight.detach() for layer in layers])
        scales = bias = torch.empty(0)
        if int8:
            weight, scales = quantise(weight)
        if any(layer.bias is not None for layer in layers):
            parts = [
                layer.bias.detach().float() if layer.bias is not None else torch.zeros(layer.out_features)
                for layer in layers
            ]
            bias = padded(torch.cat(parts))
        given = pack_matrix(weight), padded(scales) if int8 else scales, bias, group.inputs, sum(group.outputs)
        self._operators.set_group(self._context, number, *given)

    def _pack_group(self, group: Group, pairs: Sequence[Pair | None]) -> Packed | None:
        held = [pair for pair in pairs if pair]
        if not held:
            return None
        gains = [
            pair.gain(self._linears[path].weight.detach()) if pair else None
            for path, pair in zip(group.paths, pairs, strict=True)
        ]
        gain = torch.empty(0)
        if any(one is not None for one in gains):
            ones = [torch.ones(outputs) for outputs in group.outputs]
            gain = padded(torch.cat([one if one is not None else i for one, i in zip(gains, ones, strict=True)]))
        ranks = sum(pair.a.shape[0] for pair in held)
        down = pack_matrix(torch.cat([pair.a.to(self._dtype) for pair in held]))
        up, begin, width = self._pack_up(group, pairs)
        return Packed(down, up, begin, gain, ranks, width)

    def _pack_up(self, group: Group, pairs: Sequence[Pair | None]) -> tuple[Tensor, Tensor, int]:
        """The B halves, each output block with the ranks that its outputs read and no others."""
        blocks = -(-sum(group.outputs) // BLOCK)
        first, last = [0] * blocks, [0] * blocks
        parts: list[tuple[int, int, Tensor]] = []
        row = rank = 0
        for outputs, pair in zip(group.outputs, pairs, strict=True):
            if pair:
                parts.append((row, rank, pair.b))
                for block in range(row // BLOCK, -(-(row + outputs) // BLOCK)):
                    if last[block] == 0:
                        first[block] = rank
                    last[block] = rank + pair.b.shape[1]
                rank += pair.b.shape[1]
            row += outputs
        width = max(end - start for start, end in zip(first, last, strict=True))
        width += width % 2
        dense = torch.zeros((blocks * BLOCK, rank + width), dtype=self._dtype)
        for row, start, b in parts:
            dense[row : row + b.shape[0], start : start + b.shape[1]] = b.to(self._dtype)
        columns = torch.tensor(first).repeat_interleave(BLOCK)[:, None] + torch.arange(width)
        return pack_matrix(dense.gather(1, columns)), torch.tensor(first, dtype=torch.int32), width


def pack_matrix(weight: Tensor) -> Tensor:
    """out x in -> blocks of 32 outputs, each input by input (fp32) or pair of inputs by pair (bf16, int8)."""
    whole = pad(weight, (0, 0, 0, -weight.shape[0] % BLOCK))
    blocks = whole.view(-1, BLOCK, whole.shape[1])
    if weight.dtype == torch.float32:
        return blocks.transpose(1, 2).contiguous()
    pairs = blocks.view(blocks.shape[0], BLOCK, -1, 2)
    return pairs.transpose(1, 2).contiguous()


def padded(vector: Tensor) -> Tensor:
    return pad(vector.float(), (0, -vector.shape[0] % BLOCK)).contiguous()
