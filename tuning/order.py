"""The order in which an epoch shows its rows."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Generator
from torch.utils.data import Sampler

from tuning.packing import beginning

POOL = 50
"""Steps whose rows are sorted by length together: enough for little padding, few enough to stay well mixed."""


class Order(Sampler[int]):
    """Row numbers of an epoch, shuffled anew for each.

    A step's rows are neighbours here, whatever number of processes shares them, so several processes train on the same
    steps as one does. The order depends on seed and epoch alone: a resumed epoch goes on where it was.
    """

    def __init__(self, rows: int, seed: int) -> None:
        self._rows, self._seed = rows, seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the data loader before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[int]:
        yield from self._shuffled(Generator().manual_seed((self._seed << 16) + self._epoch))

    def _shuffled(self, generator: Generator) -> list[int]:
        raise NotImplementedError


class LengthOrder(Order):
    """Rows of one step have like lengths: for batches that are padded to their longest row."""

    def __init__(self, lengths: Sequence[int], step_rows: int, seed: int) -> None:
        super().__init__(len(lengths), seed)
        self._lengths, self._step_rows = lengths, step_rows

    def _shuffled(self, generator: Generator) -> list[int]:
        shuffled = torch.randperm(len(self._lengths), generator=generator).tolist()
        pool = POOL * self._step_rows
        rows = [
            row
            for start in range(0, len(shuffled), pool)
            for row in sorted(shuffled[start : start + pool], key=self._lengths.__getitem__, reverse=True)
        ]
        steps = [rows[start : start + self._step_rows] for start in range(0, len(rows), self._step_rows)]
        whole, rest = (steps[:-1], steps[-1:]) if len(steps[-1]) < self._step_rows else (steps, [])
        order = torch.randperm(len(whole), generator=generator).tolist()
        # The longest rows come first: where memory is short, that shows in the first step and not in the last.
        longest = max(order, key=lambda step: max(self._lengths[row] for row in whole[step]), default=None)
        if longest is not None:
            order.remove(longest)
            order.insert(0, longest)
        return [row for step in [whole[number] for number in order] + rest for row in step]


class FamilyOrder(Order):
    """Rows that begin alike come side by side, at most a quarter of a step: for batches that share beginnings.

    A quarter, because the gradient of a step should speak for several sets of passages.
    """

    def __init__(self, families: Sequence[int], step_rows: int, seed: int) -> None:
        super().__init__(len(families), seed)
        self._members: dict[int, list[int]] = {}
        for row, family in enumerate(families):
            self._members.setdefault(family, []).append(row)
        self._most = max(2, step_rows // 4)

    def _shuffled(self, generator: Generator) -> list[int]:
        parts = []
        for members in self._members.values():
            mixed = [members[at] for at in torch.randperm(len(members), generator=generator).tolist()]
            count = -(-len(mixed) // self._most)  # parts as even as can be: five are three and two, never four and one
            parts += [mixed[len(mixed) * at // count : len(mixed) * (at + 1) // count] for at in range(count)]
        return [row for at in torch.randperm(len(parts), generator=generator).tolist() for row in parts[at]]


def families(rows: Sequence[Any]) -> list[int]:
    """A number for each row (with `input_ids`); equal where rows share at least half of what not all rows share."""
    ids = [list(row["input_ids"]) for row in rows]
    order = sorted(range(len(ids)), key=ids.__getitem__)
    everyone = beginning(ids[order[0]], ids[order[-1]]) if order else 0
    numbers, family = [0] * len(ids), 0
    for before, row in itertools.pairwise(order):
        own = max(len(ids[before]), len(ids[row])) - everyone
        shared = beginning(ids[before], ids[row]) - everyone
        family += shared < own / 2
        numbers[row] = family
    return numbers
