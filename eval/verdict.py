"""Evidence -> one recommendation in words: base, few-shot, tune, retrieve, both, or not settled yet.

The rule: of the candidates take the one that costs least and is not worse than the best by more than a margin that the
user sets. It is settled when the intervals of all differences, which hold together at the level, say that this
candidate is within the margin of every other one, and that every cheaper one is not; or that whatever the rule could
take differs in nothing but examples in the prompt. At most one settled verdict in twenty, then, recommends what the
rule would not.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eval.cells import read_cell
from eval.errors import InputError
from eval.evidence import Evidence
from eval.simultaneous import Gap
from tuning.bootstrap import FEWEST

OPEN = "not settled yet"
NAMES = {"base": "base", "rag": "retrieve", "tuned": "tune", "combined": "both"}
EXAMPLES = ", with examples"
MARGIN = 0.05
LEVEL = 0.95
MOST_NEEDED = 100_000
"""Where more votes or rows than that were needed, the candidates are as good as equal at this margin."""
POWER_QUANTILE = 0.8416
"""Of the normal distribution at 80 %: the chance that the votes said to be needed do settle it."""


@dataclass(frozen=True)
class Opinion:
    """What one source of evidence says."""

    evidence: Evidence
    leaning: str | None
    """The candidate that the rule picks on the estimates alone; None without evidence."""
    settled: bool
    reason: str
    needed: int | None
    """About how many more votes or rows would settle it; 0 if settled, None where that cannot be told."""
    recommendation: str = ""
    """Where it is settled."""


@dataclass(frozen=True)
class Verdict:
    """What all evidence says together."""

    recommendation: str
    """base, few-shot, tune, retrieve, both, or `OPEN`."""
    candidate: str | None
    """The id of the recommended candidate, or of the one that it leans to."""
    settled: bool
    reason: str
    votes_needed: int | None
    rows_needed: int | None
    margin: float
    opinions: tuple[Opinion, ...]

    def to_json(self) -> dict[str, Any]:
        """As JSON types; what is without end is null."""
        return {
            "recommendation": self.recommendation,
            "candidate": self.candidate,
            "settled": self.settled,
            "reason": self.reason,
            "votes_needed": self.votes_needed,
            "rows_needed": self.rows_needed,
            "margin": self.margin,
            "evidence": [_as_json(opinion) for opinion in self.opinions],
        }


def level_of_each(sources: int) -> float:
    """At which each of several sources of evidence is read, so that all of them together hold at `LEVEL`."""
    return 1 - (1 - LEVEL) / max(1, sources)


def check_margin(margin: float) -> float:
    """Raise InputError for a margin that means nothing."""
    if not 0 < margin < 0.5:
        raise InputError(f"The margin {margin:g} is not between 0 and 0.5; 0.05 allows five points.")
    return margin


def name_of(candidate: str) -> str:
    """The candidate as a recommendation."""
    cell = read_cell(candidate)
    if not cell.shots:
        return NAMES[cell.variant.id]
    return "few-shot" if cell.variant.id == "base" else NAMES[cell.variant.id] + EXAMPLES


def decide(evidence: Sequence[Evidence], margin: float) -> Verdict:
    """The verdict on all evidence. Where two settle on different recommendations, it is not settled."""
    opinions = tuple(judge(one) for one in evidence)
    settled = [opinion for opinion in opinions if opinion.settled]
    agreed = len({opinion.recommendation for opinion in settled}) == 1
    leaning = [opinion for opinion in (*settled, *opinions) if opinion.leaning]
    candidate = leaning[0].leaning if leaning else None
    reason = " ".join(opinion.reason for opinion in (settled if agreed else opinions))
    if len(settled) > 1 and not agreed:
        reason = f"The evidence disagrees. {reason}"
    needed = {opinion.evidence.kind: opinion.needed for opinion in opinions}
    return Verdict(
        recommendation=settled[0].recommendation if agreed else OPEN,
        candidate=candidate,
        settled=agreed,
        reason=reason or "There is no evidence yet: vote on the Compare page, or run a benchmark.",
        votes_needed=0 if agreed else needed.get("votes"),
        rows_needed=0 if agreed else needed.get("benchmark"),
        margin=margin,
        opinions=opinions,
    )


def judge(evidence: Evidence) -> Opinion:
    """The rule on one source of evidence."""
    ids, margin = evidence.candidates, evidence.margin
    if not ids or not evidence.count:
        return Opinion(evidence, None, False, f"There are no {evidence.kind} to judge by yet.", None)
    leaning = next(id for id in ids if all(gap.value <= margin for gap in _rivals(evidence, id).values()))
    cheaper = ids[: ids.index(leaning)]
    left = [id for id in ids if not any(gap.low > margin for gap in _rivals(evidence, id).values())]
    kinds = {name_of(id).partition(EXAMPLES)[0] for id in left}
    if all(gap.high <= margin for gap in _rivals(evidence, leaning).values()) and not set(left) & set(cheaper):
        return Opinion(evidence, leaning, True, _settled(evidence, leaning, cheaper), 0, name_of(leaning))
    if len(kinds) == 1:
        return Opinion(evidence, leaning, True, _settled_but_for_examples(evidence, left), 0, kinds.pop())
    needed = _needed(evidence, leaning, cheaper)
    return Opinion(evidence, leaning, False, _open(evidence, leaning, needed), needed)


def _rivals(evidence: Evidence, id: str) -> dict[str, Gap]:
    """How much better each other candidate is."""
    return {other: evidence.gaps[other, id] for other in evidence.candidates if other != id}


def _needed(evidence: Evidence, leaning: str, cheaper: Sequence[str]) -> int | None:
    """How many more would probably settle it if every gap is what it seems: widths fall with the root of the count."""
    factors = [_factor(gap, evidence.margin - gap.value) for gap in _rivals(evidence, leaning).values()]
    factors += [
        min(_factor(gap, gap.value - evidence.margin) for gap in _rivals(evidence, id).values()) for id in cheaper
    ]
    total = evidence.count * max(factors)
    if not math.isfinite(total) or total > MOST_NEEDED:
        return None
    more = max(1, math.ceil(total) - evidence.count)
    digits = int(10 ** max(0, len(str(more)) - 2))
    return -(-more // digits) * digits


def _factor(gap: Gap, room: float) -> float:
    """How many times as much evidence makes the interval, and a little bad luck, fit into the room."""
    width = gap.high - gap.value + POWER_QUANTILE * gap.se
    return (width / room) ** 2 if room > 0 and math.isfinite(width) else math.inf


def _settled(evidence: Evidence, id: str, cheaper: Sequence[str]) -> str:
    rivals = _rivals(evidence, id)
    nearest = max(rivals, key=lambda other: rivals[other].high)
    words = (
        f"By {evidence.words}, {id} is within the margin of every other ({nearest} is better by at most"
        f" {_size(evidence, rivals[nearest].high)})"
    )
    if not cheaper:
        return f"{words}, and nothing costs less."
    return f"{words}, and {_listed(cheaper)}, which cost{'s' if len(cheaper) == 1 else ''} less, {_are(cheaper)} not."


def _settled_but_for_examples(evidence: Evidence, left: Sequence[str]) -> str:
    return (
        f"By {evidence.words}, all but {_listed(left)} are worse than the best by more than the margin; which of these"
        " it should be, with more examples in the prompt or fewer, is not settled."
    )


def _open(evidence: Evidence, leaning: str, needed: int | None) -> str:
    unit = "votes" if evidence.kind == "votes" else "rows"
    if needed:
        more = f"about {needed:,} more {unit} would probably settle it"
    elif any(not math.isfinite(gap.high) for gap in evidence.gaps.values()):
        more = f"so few {unit} say nothing of their own spread, it takes at least {FEWEST}"
    else:
        more = f"a gap is about as wide as the margin, so that {unit} may never settle it; choose another margin"
    return f"By {evidence.words} it leans to {leaning}, but that is not settled: {more}."


def _size(evidence: Evidence, gap: float) -> str:
    """A gap in the reader's unit."""
    if evidence.kind == "votes":
        return f"{100 / (1 + math.exp(-gap)):.0f} % of the pairs won"
    return f"{gap:+.3f} {evidence.measure}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _as_json(opinion: Opinion) -> dict[str, Any]:
    evidence = opinion.evidence
    pairs = [
        {"left": one, "right": other, **{end: _finite(getattr(gap, end)) for end in ("value", "se", "low", "high")}}
        for (one, other), gap in evidence.gaps.items()
        if one < other
    ]
    return {
        "kind": evidence.kind,
        "words": evidence.words,
        "measure": evidence.measure,
        "count": evidence.count,
        "level": evidence.level,
        "margin": evidence.margin,
        "note": evidence.note,
        "cost_order": evidence.candidates,
        "values": {id: dict(value) for id, value in evidence.values.items()},
        "gaps": pairs,
        "leaning": opinion.leaning,
        "settled": opinion.settled,
        "reason": opinion.reason,
        "needed": opinion.needed,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
