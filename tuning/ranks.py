"""Several processes that train as one: which of them speaks, and what they must agree on.

Without a launcher there is one process, and all of this costs nothing. `accelerate launch --num_processes N -m tuning
train ...` starts N, each of which runs the same program; on processors they talk through gloo.
"""

import os
from typing import TypeVar

import torch
from torch import distributed

T = TypeVar("T")


def count() -> int:
    """How many processes were launched together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this is the process that writes files and speaks to the user."""
    return int(os.environ.get("RANK", "0")) == 0


def from_first(value: T) -> T:
    """The first process's value, in every process. All must call it, in the same order."""
    if count() == 1:
        return value
    _meet()
    box = [value]
    distributed.broadcast_object_list(box, src=0)
    return box[0]


def any_of(flag: bool) -> bool:
    """Whether any process says so; the same answer in all. One that stops alone would leave the others waiting."""
    if count() == 1:
        return flag
    _meet()
    on_gpu = distributed.get_backend() == "nccl"
    vote = torch.tensor([int(flag)], device=torch.cuda.current_device() if on_gpu else "cpu")
    distributed.all_reduce(vote, op=distributed.ReduceOp.MAX)
    return bool(vote.item())


def wait() -> None:
    """Until every process is here."""
    if count() > 1:
        _meet()
        distributed.barrier()


def _meet() -> None:
    """Let accelerate connect the processes, which it does once; the Trainer then finds them connected."""
    if not distributed.is_initialized():
        from accelerate import PartialState

        PartialState(cpu=not torch.cuda.is_available())
