"""What a recommendation costs, and single answers that speak for it and against it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from eval.evidence import default_metric
from eval.metrics import METRICS
from eval.outcomes import winning
from eval.scoreboard import figures_from
from eval.variants import IDS, VARIANTS
from eval.vote import Vote, is_evidence
from tuning.assessment import read_assessment

if TYPE_CHECKING:
    from tuning.adapters import Adapter

EXAMPLES = 5
"""For, and as many against."""


@dataclass(frozen=True)
class Example:
    """One question on which the candidate did clearly better, or clearly worse, than another."""

    favours: bool
    """Whether it speaks for the candidate."""
    question: str
    right: str
    """The row's own answer; empty for a vote."""
    candidate: str
    answer: str
    rival: str
    other: str
    """What the rival answered."""
    why: str


def of_tuning(adapter: "Adapter") -> dict[str, Any]:
    """What training the adapter took, and what it forgot, in words."""
    assessment = read_assessment(adapter)
    forgetting = [
        reason for reason in (assessment or {}).get("verdict", {}).get("reasons", ()) if "forg" in reason.lower()
    ]
    seconds, rows = adapter.card.get("seconds"), adapter.card.get("train_rows")
    return {
        "adapter": adapter.name,
        "minutes": None if seconds is None else seconds / 60,
        "rows": rows,
        "forgetting": forgetting or ["What it forgot was not measured; `python -m tuning assess` measures it."],
    }


def of_retrieval_measured(result: Mapping[str, Any]) -> dict[str, Any]:
    """What documents add to each answer in a benchmark: seconds, and tokens of the prompt."""
    effects = result["effects"]
    return {
        "seconds": _spread(effects["seconds"]["retrieval"]),
        "first_token_seconds": _spread(effects["first_token_seconds"]["retrieval"]),
        "prompt_tokens": _spread(effects["prompt_tokens"]["retrieval"]),
    }


def of_retrieval_voted(votes: Sequence[Vote]) -> dict[str, Any]:
    """The same from the answers that were voted on, which were written at the same time; no interval."""
    found: dict[str, Any] = {"prompt_tokens": None}
    for name in ("seconds", "first_token_seconds"):
        means = {
            documents: [
                getattr(vote, name)[variant.id]
                for vote in votes
                for variant in VARIANTS
                if variant.documents is documents and variant.id in getattr(vote, name)
            ]
            for documents in (False, True)
        }
        there = all(means.values())
        value = fmean(means[True]) - fmean(means[False]) if there else None
        found[name] = {"value": value, "low": None, "high": None} if there else None
    return found


def _spread(found: Mapping[str, Any]) -> dict[str, Any] | None:
    return None if found["value"] is None else {end: found[end] for end in ("value", "low", "high")}


def examples_measured(result: Mapping[str, Any], candidate: str, metric: str | None = None) -> list[Example]:
    """Rows on which the candidate's figure is furthest above, then furthest below, that of any other."""
    figures = figures_from(result)
    metric = metric or default_metric(figures, candidate)
    better, found = METRICS[metric].better, []
    for one in figures:
        for rival in one.cells:
            lead = better * (one.cells[candidate][metric] - one.cells[rival][metric])
            if rival != candidate and not math.isnan(lead) and lead:
                found.append((lead, one, rival))
    found.sort(key=lambda entry: -entry[0])
    lines = []
    for favours, chosen in ((True, found), (False, found[::-1])):
        seen: set[str] = set()
        for lead, one, rival in chosen:
            if len(seen) == EXAMPLES or (lead > 0) is not favours:
                break
            if one.digest in seen:
                continue
            seen.add(one.digest)
            mine, theirs = one.cells[candidate][metric], one.cells[rival][metric]
            lines.append(
                Example(
                    favours=favours,
                    question=one.question,
                    right=one.response,
                    candidate=candidate,
                    answer=one.texts[candidate],
                    rival=rival,
                    other=one.texts[rival],
                    why=f"{METRICS[metric].words} {mine:.2f} against {theirs:.2f}",
                )
            )
    return lines


def examples_voted(votes: Sequence[Vote], candidate: str) -> list[Example]:
    """The latest blind votes that the candidate won alone, and those that another one won.

    Several raters of the same answers are one example.
    """
    shown = set()
    lines: dict[bool, list[Example]] = {True: [], False: []}
    for vote in reversed(votes):
        best = winning(vote)
        if not is_evidence(vote) or candidate not in vote.order or not best or len(best) == len(vote.order):
            continue
        favours = candidate in best
        others = [id for id in IDS if id in vote.order and id != candidate and (id in best) is not favours]
        if not others or len(lines[favours]) == EXAMPLES:
            continue
        rival = others[-1]
        if (example := (vote.question, vote.answers[candidate], vote.answers[rival])) in shown:
            continue
        shown.add(example)
        lines[favours].append(
            Example(
                favours=favours,
                question=vote.question,
                right="",
                candidate=candidate,
                answer=vote.answers[candidate],
                rival=rival,
                other=vote.answers[rival],
                why=f"picked over {rival}" if favours else f"{rival} was picked",
            )
        )
    return [*lines[True], *lines[False]]
