"""An answer against its passages -> how much of it they support, and how many of its citations are right."""

import importlib.util
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from eval.metrics import refuses

if TYPE_CHECKING:
    from rag.embedder import Embedder
    from rag.prompt import Passage

CHECK = "rag.citations"
"""The module that checks sentences against passages; without it both figures are NaN."""


def evidence_of(passages: "Sequence[Passage]", embedder: "Embedder") -> Any:
    """The passages, made ready to check answers against them; None where nothing can check."""
    if importlib.util.find_spec(CHECK) is None:
        return None
    return importlib.import_module(CHECK).Evidence(passages, embedder)


def grounding(answer: str, evidence: Any, cited: bool) -> dict[str, float]:
    """`groundedness`: the share of the answer's sentences that the passages support, NaN for an answer that claims
    nothing, as a refusal does. `citation_precision`: the share of its [n] whose passage supports their sentence, NaN
    without any, and where no passages were shown that it could have `cited`.
    """
    if evidence is None:
        return {"groundedness": math.nan, "citation_precision": math.nan}
    checked = evidence.check(answer)
    claims = [] if refuses(answer) else [one for one in checked if one.verdict != "empty"]
    marks = sum(len(one.marks) + len(one.strange) for one in checked) if cited else 0
    wrong = sum(len(one.misplaced) + len(one.strange) for one in checked)
    return {
        "groundedness": sum(one.verdict == "supported" for one in claims) / len(claims) if claims else math.nan,
        "citation_precision": 1 - wrong / marks if marks else math.nan,
    }
