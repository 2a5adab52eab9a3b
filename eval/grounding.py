"""An answer against its passages -> how much of it they support, and how many of its citations are right."""

import math
from typing import TYPE_CHECKING

from eval.metrics import refuses

if TYPE_CHECKING:
    from rag.citations import Evidence


def grounding(answer: str, evidence: "Evidence", cited: bool) -> dict[str, float]:
    """`groundedness`: the share of the answer's sentences that the passages support, NaN for an answer that claims
    nothing, as a refusal does. `citation_precision`: the share of its [n] whose passage supports their sentence, NaN
    without any, and where no passages were shown that it could have `cited`.
    """
    from rag.citations import supported_of

    checked = evidence.check(answer)
    supported, said = (0, 0) if refuses(answer) else supported_of(checked)
    marks = sum(len(one.marks) + len(one.strange) for one in checked) if cited else 0
    wrong = sum(len(one.misplaced) + len(one.strange) for one in checked)
    return {
        "groundedness": supported / said if said else math.nan,
        "citation_precision": 1 - wrong / marks if marks else math.nan,
    }
