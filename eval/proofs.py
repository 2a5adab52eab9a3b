"""What in the passages supports the answers of the variants that saw them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from eval.variants import VARIANTS

if TYPE_CHECKING:  # importing these loads torch, which must not hold up the page
    from rag.citations import Sentence
    from rag.embedder import Embedder
    from rag.index import Hit
    from tuning.request import Answer

Proofs = Mapping[str, "Sequence[Sentence]"]
"""The checked sentences by variant; none for an answer that was refused."""


def proofs_of(answers: "Mapping[str, Answer]", hits: "Sequence[Hit]", embedder: "Embedder") -> Proofs:
    """Check each answer with documents against the passages that it was made of."""
    from rag.citations import Evidence

    evidence = Evidence(hits, embedder)
    return {
        variant.id: [] if given.finished == "refused" else evidence.check(given.text)
        for variant in VARIANTS
        if variant.documents and (given := answers.get(variant.id))
    }


def counts(proofs: Proofs) -> dict[str, list[int]]:
    """By variant, how many sentences are supported and how many say something."""
    from rag.citations import supported_of

    return {variant: list(supported_of(sentences)) for variant, sentences in proofs.items()}
