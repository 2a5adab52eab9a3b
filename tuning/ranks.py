"""Several processes that train as one: which of them speaks, and what they must agree on.

Without a launcher there is one process, and all of this costs nothing. `accelerate launch --multi_gpu --num_processes N
-m tuning train ...` starts N, each of which runs the same program; on processors they talk through gloo.
"""

import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch


T = TypeVar("T")

PATIENCE = timedelta(days=7)
"""How long processes wait for one another: the first one may have to wait for its turn in the queue."""


def count() -> int:
    """How many processes were launched together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this is the process that writes files and speaks to the user."""
    return own() == 0


def own() -> int:
    """Which of them this is, from 0."""
    return int(os.environ.get("RANK", "0"))


def first_does(make: Callable[[], T]) -> T:
    """What `make` returns in the first process, which alone calls it; what it raises there is raised in all.

    All must call this, in the same order, and the value must be one that pickle can carry.
    """
    if count() == 1:
        return make()
    distributed = _met()
    box: list[Any] = [None, None]
    if is_first():
        try:
            box[0] = make()
        except Exception as error:  # or the others would wait for ever
            box[1] = error
    distributed.broadcast_object_list(box, src=0)
    if box[1] is not None:
        raise box[1]
    found: T = box[0]
    return found


def share(items: Sequence[T]) -> Sequence[T]:
    """This process's part of the items: neighbours stay together."""
    return items[len(items) * own() // count() : len(items) * (own() + 1) // count()]


def totals(values: Sequence[float]) -> list[float]:
    """The sums over all processes."""
    if count() == 1:
        return list(values)
    return [sum(column) for column in zip(*_gathered(list(values)), strict=True)]


def is_sharded(model: Any) -> bool:
    """Whether each process holds a part of every weight (FSDP), so that all must compute the same number of batches."""
    if count() == 1:
        return False
    from torch.distributed.tensor import DTensor

    return any(isinstance(weight, DTensor) for weight in model.parameters())


def gathered(model: Any) -> "dict[str, torch.Tensor] | None":
    """The whole weights of a sharded model, on the processor; None for one that every process holds whole.

    All processes must call this; the first one gets them, the others nothing.
    """
    if not is_sharded(model):
        return None
    import torch
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    weights = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    return {name: weight for name, weight in weights.items() if isinstance(weight, torch.Tensor)}


def any_of(flag: bool) -> bool:
    """Whether any process says so; the same answer in all. One that stops alone would leave the others waiting."""
    if count() == 1:
        return flag
    return any(_gathered(flag))


def wait() -> None:
    """Until every process is here."""
    if count() > 1:
        _met().barrier()


def _gathered(value: T) -> list[T]:
    """The value of each process, in their order."""
    distributed = _met()
    values: list[Any] = [None] * count()
    distributed.all_gather_object(values, value)
    return values


def _met() -> Any:
    """torch's way to talk, once accelerate has connected the processes; the Trainer then finds them connected."""
    import torch
    from torch import distributed

    if not distributed.is_initialized():
        from accelerate import PartialState

        PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE)
    return distributed
