"""The 2x2: base weights or an adapter, without documents or with them.

A variant is two booleans and never a special case, so that every analysis can read the four as a factorial design.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """One cell of the 2x2."""

    id: str
    tuned: bool
    """Runs with the adapter."""
    documents: bool
    """Sees the retrieved passages."""


VARIANTS: tuple[Variant, ...] = (
    Variant("base", tuned=False, documents=False),
    Variant("tuned", tuned=True, documents=False),
    Variant("rag", tuned=False, documents=True),
    Variant("combined", tuned=True, documents=True),
)

IDS: tuple[str, ...] = tuple(variant.id for variant in VARIANTS)
