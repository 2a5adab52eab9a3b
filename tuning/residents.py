"""The adapters that are resident beside one model: which slot each has, and since when.

A slot is given up when the adapter was dropped or replaced and the last row that uses it is gone, so that an answer
ends with the weights it began with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from torch import nn

from tuning.errors import InputError
from tuning.lowrank import Pair, Pairs, Rows, SwitchedLinear, check_fit, linears, switch
from tuning.native.step import Native, Packed


@dataclass(eq=False)
class Resident:
    """One adapter in its slot."""

    name: str
    slot: int
    serial: int
    """Never given twice: what its keys and values are found by."""
    pairs: Pairs
    users: int = 0
    """Rows in the making that use it."""
    dropped: bool = False


class Residents:
    """Slots, and the layers that read them. All methods but `check` belong to the thread that computes the steps."""

    def __init__(self, model: nn.Module) -> None:
        self.rows = Rows()
        self._model = model
        self._linears = linears(model)
        self._layers: dict[str, SwitchedLinear] = {}
        self._stale = False
        self._slots: list[Resident | None] = []
        self._by_name: dict[str, Resident] = {}
        self._serials = count(1)
        self._native: Native | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._by_name)

    def check(self, name: str, pairs: Pairs) -> None:
        """Raise InputError where an adapter does not fit this model."""
        check_fit(name, pairs, self._linears)

    def seat(self, name: str, pairs: Pairs, packed: Sequence[Packed | None] | None = None) -> None:
        """Make an adapter resident; one of the same name is replaced. `packed` is what the compiled step wants."""
        self.drop(name)
        slot = self._slots.index(None) if None in self._slots else len(self._slots)
        resident = Resident(name, slot, next(self._serials), pairs)
        self._slots[slot : slot + 1] = [resident]
        self._by_name[name] = resident
        self._stale = True
        if self._native:
            self._native.seat(slot, packed if packed is not None else self._native.pack(pairs))

    def drop(self, name: str) -> None:
        resident = self._by_name.pop(name, None)
        if resident:
            resident.dropped = True
            self._vacate(resident)

    def take(self, name: str) -> Resident:
        """The resident of this name, in use until it is given back. InputError where there is none."""
        if name not in self._by_name:
            raise InputError(f"The adapter {name} is not loaded; choose one of {list(self.names)}.")
        resident = self._by_name[name]
        resident.users += 1
        return resident

    def give_back(self, resident: Resident) -> None:
        resident.users -= 1
        self._vacate(resident)

    def use(self, native: Native | None) -> None:
        """Let the compiled step serve, or serve no more."""
        self._native = native
        for resident in self._slots if native else ():
            if resident:
                native.seat(resident.slot, native.pack(resident.pairs))  # type: ignore[union-attr]

    def stack(self) -> bool:
        """Bring the switched layers up to date; only the eager step needs them. Returns whether anything changed."""
        if not self._stale:
            return False
        paths = {path for resident in self._slots if resident for path in resident.pairs}
        self._layers |= switch(self._model, paths, self.rows)
        for path, layer in self._layers.items():
            layer.stack([self._pair(resident, path) for resident in self._slots])
        self._stale = False
        return True

    @staticmethod
    def _pair(resident: Resident | None, path: str) -> Pair | None:
        return resident.pairs.get(path) if resident else None

    def _vacate(self, resident: Resident) -> None:
        if resident.dropped and not resident.users:
            self._slots[resident.slot] = None
            self._stale = True
            if self._native:
                self._native.clear(resident.slot)
