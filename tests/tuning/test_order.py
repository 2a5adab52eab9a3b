"""The order of rows: every row once an epoch, like lengths together, and the same steps for any number of processes."""

import itertools

import torch
from hypothesis import given
from hypothesis import strategies as st

from tuning.order import FamilyOrder, LengthOrder

LENGTHS = st.lists(st.integers(1, 2000), min_size=1, max_size=300)


@given(LENGTHS, st.integers(1, 16), st.integers(0, 5))
def test_every_row_comes_once_an_epoch_and_the_longest_step_first(lengths: list[int], step: int, epoch: int) -> None:
    order = LengthOrder(lengths, step, seed=3)
    order.set_epoch(epoch)
    rows = list(order)
    assert sorted(rows) == list(range(len(lengths)))
    assert list(order) == rows
    if len(rows) >= step:
        longest = max(lengths[row] for row in rows[: len(rows) // step * step])
        assert max(lengths[row] for row in rows[:step]) == longest


def test_epochs_and_seeds_differ() -> None:
    lengths = torch.randint(1, 500, (200,), generator=torch.Generator().manual_seed(0)).tolist()
    seen = []
    for seed in (0, 1):
        order = LengthOrder(lengths, 8, seed)
        for epoch in (0, 1):
            order.set_epoch(epoch)
            seen.append(tuple(order))
    assert len(set(seen)) == 4


def test_steps_of_like_length_need_little_padding() -> None:
    """With rows shuffled alone, a step is as long as its longest row: twice the work for evenly spread lengths."""
    lengths = torch.randint(1, 1000, (800,), generator=torch.Generator().manual_seed(0)).tolist()
    rows = list(LengthOrder(lengths, 8, seed=0))
    padded = sum(8 * max(lengths[row] for row in rows[start : start + 8]) for start in range(0, 800, 8))
    assert padded < 1.05 * sum(lengths)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=200), st.integers(1, 16), st.integers(0, 3))
def test_families_come_together_in_parts_of_a_quarter_of_a_step(members: list[int], step: int, epoch: int) -> None:
    order = FamilyOrder(members, step, seed=1)
    order.set_epoch(epoch)
    rows = list(order)
    assert sorted(rows) == list(range(len(members)))
    changes = sum(members[a] != members[b] for a, b in itertools.pairwise(rows))
    most = max(2, step // 4)
    assert changes <= sum(-(-members.count(family) // most) for family in set(members)) - 1
