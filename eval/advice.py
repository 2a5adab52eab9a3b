"""Everything that the verdict page, its report and its command show: the verdict with what it rests on and costs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eval.costs import (
    Example,
    examples_measured,
    examples_voted,
    of_retrieval_measured,
    of_retrieval_voted,
    of_tuning,
)
from eval.evidence import of_benchmark, of_votes
from eval.verdict import MARGIN, Verdict, check_margin, decide, level_of_each
from eval.vote import Vote, is_evidence
from tuning.adapters import Adapter, list_adapters


@dataclass(frozen=True)
class Question:
    """What the user wants to know."""

    margin: float = MARGIN
    """How much worse than the best the recommended one may be: five points of a share, or of the pairs won."""
    metric: str | None = None
    """Of a benchmark; None for the one that suits its rows."""
    order: tuple[str, ...] = ()
    """Candidates that cost least, first; the others follow in their usual order."""


@dataclass(frozen=True)
class Advice:
    """The verdict with what it rests on."""

    verdict: Verdict
    tuning: Mapping[str, Any] | None
    retrieval: Mapping[str, Any] | None
    examples: Sequence[Example]
    made_with: Mapping[str, Any]
    """Base, adapter and index, as far as they are one and the same."""
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def to_json(self) -> dict[str, Any]:
        return {
            **self.verdict.to_json(),
            "tuning": self.tuning,
            "retrieval": self.retrieval,
            "examples": [asdict(example) for example in self.examples],
            "made_with": dict(self.made_with),
            "created": self.created,
        }


def advise(
    votes: Sequence[Vote], benchmark: Mapping[str, Any] | None, adapters: Sequence[Path], question: Question
) -> Advice:
    """Weigh the blind votes, if there are any, and a benchmark's result, if one is given.

    `adapters` are the folders in which the adapter that was compared is looked for. Raises InputError.
    """
    margin = check_margin(question.margin)
    counted = [vote for vote in votes if is_evidence(vote)]
    level = level_of_each(bool(counted) + (benchmark is not None))
    evidence = []
    if counted or benchmark is None:
        order = [id for id in question.order if "+" not in id]
        evidence.append(of_votes(counted, margin, level, order))
    if benchmark is not None:
        evidence.append(of_benchmark(benchmark, margin, level, question.metric, question.order))
    verdict = decide(evidence, margin)
    made_with = _made_with(counted, benchmark)
    adapter = _adapter(adapters, made_with.get("adapter") or {})
    return Advice(
        verdict=verdict,
        tuning=of_tuning(adapter) if adapter else None,
        retrieval=of_retrieval_measured(benchmark) if benchmark else of_retrieval_voted(counted) if counted else None,
        examples=_examples(verdict, counted, benchmark, question.metric),
        made_with=made_with,
    )


def _examples(
    verdict: Verdict, votes: Sequence[Vote], benchmark: Mapping[str, Any] | None, metric: str | None
) -> list[Example]:
    if verdict.candidate is None:
        return []
    if benchmark and verdict.candidate in benchmark["variants"]:
        return examples_measured(benchmark, verdict.candidate, metric)
    return examples_voted(votes, verdict.candidate)


def _made_with(votes: Sequence[Vote], benchmark: Mapping[str, Any] | None) -> dict[str, Any]:
    """The configuration of the benchmark, or of the latest vote."""
    if benchmark:
        return {name: benchmark[name] for name in ("base", "adapter", "index")}
    return {name: votes[-1].configuration.get(name) for name in ("base", "adapter", "index")} if votes else {}


def _adapter(folders: Sequence[Path], known: Mapping[str, Any]) -> Adapter | None:
    """The adapter by its digest: a name can be given again."""
    digest = known.get("digest") if isinstance(known, Mapping) else None
    return next((one for one in list_adapters(*folders) if one.digest == digest), None)
