"""What a benchmark compares: each of the four variants, with so many worked examples in front of the question."""

from collections.abc import Sequence
from dataclasses import dataclass

from eval.errors import InputError
from eval.variants import VARIANTS, Variant

MOST_SHOTS = 32


@dataclass(frozen=True)
class Cell:
    """A variant with a number of examples."""

    variant: Variant
    shots: int = 0

    @property
    def id(self) -> str:
        """`base` without examples, `base+3` with three."""
        return cell_id(self.variant.id, self.shots)

    @property
    def words(self) -> str:
        """What it is, for people."""
        count = f"{self.shots} example" + ("" if self.shots == 1 else "s")
        return f"{self.variant.words}, {count} in the prompt" if self.shots else self.variant.words


def cell_id(variant: str, shots: int) -> str:
    return f"{variant}+{shots}" if shots else variant


def cells(shots: Sequence[int]) -> tuple[Cell, ...]:
    """The four variants with each number of examples, the fewest first. Raises InputError."""
    if not shots or not all(0 <= one <= MOST_SHOTS for one in shots):
        raise InputError(f"--shots {' '.join(map(str, shots))} cannot be used; give numbers from 0 to {MOST_SHOTS}.")
    return tuple(Cell(variant, count) for count in sorted(set(shots)) for variant in VARIANTS)


def read_cell(id: str) -> Cell:
    """The cell of an id. Raises ValueError for what is none."""
    name, _, shots = id.partition("+")
    variant = next((one for one in VARIANTS if one.id == name), None)
    if variant is None:
        raise ValueError(f"{id!r} is no variant")
    return Cell(variant, int(shots or 0))
