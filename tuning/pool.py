"""The memory of what models attend to: keys and values of every layer, page by page."""

from collections.abc import Sequence

import psutil
import torch
from torch import Tensor

from tuning.pages import PAGE, pages_for

SHARE = 0.25
"""What a pool takes at most of the memory that is free when it is made."""

Shape = tuple[tuple[int, int], tuple[int, int]]
"""Heads x width of a layer's keys, and of its values."""


class Pool:
    """Keys and values: for every layer tensors of tokens x heads x width. One page more than asked for takes what is
    computed for nobody."""

    def __init__(self, shapes: Sequence[Shape], pages: int, like: Tensor) -> None:
        tokens = (pages + 1) * PAGE
        self.pages = pages
        self.keys = [like.new_empty((tokens, *key)) for key, _ in shapes]
        self.values = [like.new_empty((tokens, *value)) for _, value in shapes]
        for tensor in (*self.keys, *self.values):  # what is masked out is multiplied by 0, which must not meet a NaN
            tensor[pages * PAGE :] = 0

    @property
    def nowhere(self) -> int:
        """The page that no row gets."""
        return self.pages


def affordable_pages(shapes: Sequence[Shape], like: Tensor, tokens: int) -> int:
    """Pages of a pool for so many tokens, fewer where memory is short."""
    numbers = sum(key[0] * key[1] + value[0] * value[1] for key, value in shapes)
    free = torch.cuda.mem_get_info(like.device)[0] if like.is_cuda else psutil.virtual_memory().available
    return max(1, min(pages_for(tokens), int(free * SHARE) // (numbers * like.element_size() * PAGE)))


def place(pages: Sequence[int], position: int) -> int:
    """Where in the pool's tensors the token at `position` of a sequence with these pages stands."""
    return pages[position // PAGE] * PAGE + position % PAGE
