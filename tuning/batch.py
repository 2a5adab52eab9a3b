"""What one step computes."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Batch:
    """Tokens to compute, of one or more sequences; those of one sequence stand together and in their order."""

    ids: Sequence[int]
    positions: Sequence[int]
    """Place of each token in its sequence. All earlier places are computed, or in this batch."""
    sequences: Sequence[int]
    """Which of `pages` each token belongs to."""
    pages: Sequence[Sequence[int]]
    """The pages of each sequence, in the order of its tokens."""
    slots: Sequence[int]
    """Each token's adapter; -1: none."""
    kept: Sequence[int]
    """Tokens whose logits are wanted, ascending; at least one."""

    @property
    def runs(self) -> list[tuple[int, int]]:
        """Where the tokens of each sequence begin and end."""
        starts = [i for i, one in enumerate(self.sequences) if not i or self.sequences[i - 1] != one]
        return list(zip(starts, [*starts[1:], len(self.ids)], strict=True))
