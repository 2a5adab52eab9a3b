"""What two sides made of the same rows -> figures of both and their differences, with intervals."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from tuning.bootstrap import FEWEST, Interval, mean_interval
from tuning.scores import accepted, exact_match, holds, token_f1

if TYPE_CHECKING:  # two adapters are compared on a page, which must not wait for the engine
    from tuning.trial import Outcome, Side

SCORES: Mapping[str, Callable[[str, Sequence[str]], float]] = {
    "exact": exact_match,
    "f1": token_f1,
    "holds": holds,
}
LARGEST_EXPONENT = 700.0
"""Beyond it, a perplexity is no number any more."""


@dataclass(frozen=True)
class Measured:
    """The figures of one row, each side's: `loss` a token in nats, `margin` in nats, and the scores; as far as it has
    them."""

    digest: str
    source: str
    """A hash of what the row comes from: rows of one source are drawn together."""
    tokens: int
    base: Mapping[str, float]
    tuned: Mapping[str, float]


def measure(outcome: "Outcome") -> Measured:
    """Figures of an outcome.

    The margin says how far a side is on the user's side: log-likelihood of the preferred answer less that of the
    rejected one, or of a good answer, or the negative of a bad one's. The difference of the two sides' margins is the
    implicit reward of direct preference optimisation (arXiv 2305.18290, section 4), up to its factor.
    """
    row = outcome.row
    whence = row.source or row.conversation or repr(row.prompt)
    source = hashlib.sha256(whence.encode("utf-8", "backslashreplace")).hexdigest()[:16]
    right = () if row.good is False else accepted(row)

    def figures(side: "Side") -> dict[str, float]:
        found = {} if row.good is False else {"loss": side.loss / outcome.tokens}
        if side.rejected is not None:
            found["margin"] = side.rejected - side.loss
        elif row.good is not None:
            found["margin"] = -side.loss if row.good else side.loss
        if right and side.text is not None:
            found |= {name: score(side.text, right) for name, score in SCORES.items()}
        return found

    return Measured(row.digest, source, outcome.tokens, figures(outcome.base), figures(outcome.tuned))


def summary(rows: Sequence[Measured]) -> dict[str, Any]:
    """Figures of base and tuned model over the rows, each with the interval of their difference, tuned minus base.

    Loss is the mean over all answer tokens; margin and scores are means over the rows that have them.
    """
    found: dict[str, Any] = {
        "rows": len(rows),
        "sources": len({row.source for row in rows}),
        "answer_tokens": sum(row.tokens for row in rows),
        "short_answers": sum("f1" in row.base for row in rows),
    }
    for figure in ("loss", "margin", *SCORES):
        if mine := [row for row in rows if figure in row.base]:
            found[figure] = contrast(mine, figure)
    return found | ({"perplexity": _perplexity(found["loss"])} if "loss" in found else {})


def contrast(rows: Sequence[Measured], figure: str) -> dict[str, Any]:
    """Means of both sides and the interval of their difference."""
    weights = [float(row.tokens) if figure == "loss" else 1.0 for row in rows]

    def mean(values: Sequence[float]) -> float:
        return math.fsum(value * weight for value, weight in zip(values, weights, strict=True)) / math.fsum(weights)

    base, tuned = [row.base[figure] for row in rows], [row.tuned[figure] for row in rows]
    differences = [after - before for before, after in zip(base, tuned, strict=True)]
    largest = 1.0 if figure in SCORES else None
    interval = spread(differences, [row.source for row in rows], weights, largest)
    return {"base": mean(base), "tuned": mean(tuned), "difference": as_json(interval)}


def spread(
    differences: Sequence[float], sources: Sequence[str], weights: Sequence[float], largest: float | None
) -> Interval:
    """The interval over whole sources, or, where these are too few but rows are not, over rows, which the note says."""
    count = len(set(sources))
    if count >= FEWEST or len(differences) < FEWEST:
        return mean_interval(differences, sources, weights, largest)
    singly = mean_interval(differences, range(len(differences)), weights, largest)
    note = "rows were drawn singly, as sources are few: true of more rows of these, not of others"
    return replace(singly, sources=count, note=note if singly.low is not None else singly.note)


def as_json(interval: Interval) -> dict[str, Any]:
    return {**asdict(interval), "floor": interval.floor}


def _perplexity(loss: Mapping[str, Any]) -> dict[str, Any]:
    """Perplexities, and how many times the base's the tuned one is: the difference of the losses, exponentiated."""
    change = loss["difference"]
    return {
        "base": _exp(loss["base"]),
        "tuned": _exp(loss["tuned"]),
        "ratio": {"value": _exp(change["value"]), "low": _exp(change["low"]), "high": _exp(change["high"])},
    }


def _exp(value: float | None) -> float | None:
    return None if value is None or value > LARGEST_EXPONENT else math.exp(value)
