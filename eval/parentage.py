"""What an adapter goes on from: another adapter, or the base model itself."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from eval.errors import InputError
from eval.workbench import Workbench

if TYPE_CHECKING:
    from tuning.adapters import Adapter


def parent_of(workbench: Workbench, adapter: "Adapter") -> "Adapter | None":
    """The adapter that `adapter` was trained on from, ready to answer; None where that is the base.

    It is known by the digest of its weights, so that another one with its name is never taken for it. Raises InputError
    where it is not on the disk any more.
    """
    lineage = adapter.card.get("lineage") or ()
    if not lineage:
        return None
    first: Mapping[str, str] = lineage[0]
    for other in workbench.adapters():
        if other.digest == first["digest"]:
            return workbench.adapter(other.name)
    raise InputError(
        f"The parent of {adapter.name}, {first['name']} ({first['digest'][:8]}), is not here any more; put its folder"
        " back among the adapters, or choose another way to vote."
    )
