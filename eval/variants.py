"""The 2x2: base weights or an adapter, without documents or with them.

A variant is two booleans and never a special case, so that every analysis can read the four as a factorial design.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # importing these loads torch, which readers of votes do not need
    from rag.index import Hit
    from tuning.request import Request, Sampling


@dataclass(frozen=True)
class Variant:
    """One cell of the 2x2."""

    id: str
    tuned: bool
    """Runs with the adapter."""
    documents: bool
    """Sees the retrieved passages."""
    words: str
    """What it is, for people."""


VARIANTS: tuple[Variant, ...] = (
    Variant("base", tuned=False, documents=False, words="the base model alone"),
    Variant("tuned", tuned=True, documents=False, words="with the adapter"),
    Variant("rag", tuned=False, documents=True, words="with the documents"),
    Variant("combined", tuned=True, documents=True, words="with the adapter and the documents"),
)

VARIANT: dict[str, Variant] = {variant.id: variant for variant in VARIANTS}

IDS: tuple[str, ...] = tuple(variant.id for variant in VARIANTS)


def four_requests(
    question: str,
    hits: "Sequence[Hit]",
    adapter: str,
    sampling: "Sampling",
    earlier: Sequence[dict[str, str]] = (),
    parent: str | None = None,
) -> "dict[str, Request]":
    """The request of each variant, by id: same question, same sampling, the same passages where there are any.

    All are told the same `earlier` messages. With `parent`, the variants that are not tuned run that adapter instead of
    the bare base: what is measured then is what training on from it has added.
    """
    from rag.prompt import ground
    from tuning.request import Request

    plain = [*(dict(message) for message in earlier), {"role": "user", "content": question}]
    grounded = ground(plain, hits)
    return {
        variant.id: Request(grounded if variant.documents else plain, adapter if variant.tuned else parent, sampling)
        for variant in VARIANTS
    }
