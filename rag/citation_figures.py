"""How often the check of citations is right, on claims whose evidence people have marked (SciFact's layout)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
import Stemmer

from .citations import MEANING, WORDS, Encoder, Evidence, Measure, Span
from .errors import InputError
from .evaluation import read_rows
from .shares import share

OTHERS = 2
"""Abstracts beside the cited ones: those with the most words of the claim, as a search would have brought."""

Figure = dict[str, Any]


@dataclass(frozen=True)
class Abstract:
    """A document of the corpus; `ends` are the offsets at which its sentences end."""

    document: str
    text: str
    heading: str
    ends: tuple[int, ...]


@dataclass(frozen=True)
class Claim:
    """A claim with the passages to check it against. `label` is "support", "contradict" or "none".

    `gold` holds, by number of the passage from 1, the (start, end) of its evidence sentences.
    """

    text: str
    label: str
    passages: tuple[Abstract, ...]
    gold: Mapping[int, tuple[tuple[int, int], ...]]

    def proves(self, span: Span) -> bool:
        """Is the span, by more than half of the shorter, one of the evidence sentences?"""
        return any(
            2 * (min(end, span.end) - max(start, span.start)) > min(end - start, span.end - span.start)
            for start, end in self.gold.get(span.passage, ())
        )


def evaluate(claims: Sequence[Claim], embedder: Encoder | None, measure: Measure | None = None) -> Figure:
    """Figures over the claims; every share with its count and a 95 % Wilson interval.

    A claim is checked like a sentence of an answer, without marks. `precision` and `recall` ask whether a claim called
    supported has evidence for it in its passages, `span_precision` and `span_recall` whether the span shown is an
    evidence sentence. Claims that the evidence contradicts are counted apart: no overlap of words can tell them.
    """
    measure = measure or (WORDS if embedder is None else MEANING)
    return _figures([(claim, _best(claim, embedder, measure)) for claim in claims], measure.threshold)


def choose(claims: Sequence[Claim], embedder: Encoder | None) -> Measure:
    """The measure whose spans have the largest F0.5 on the claims: a wrong span is worse than none."""
    kept = None if embedder is None else Remembering(embedder)
    shares = (0.0,) if embedder is None else (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    chosen, best = WORDS, -1.0
    for meaning in shares:
        for around in (0.0, 0.25, 0.5, 0.75):
            measure = replace(WORDS, meaning=meaning, around=around)
            scored = [(claim, _best(claim, kept, measure)) for claim in claims if claim.label != "contradict"]
            for threshold in np.arange(0.3, 0.9, 0.02).round(2).tolist():
                figures = _figures(scored, threshold)
                value = _f_half(figures["span_precision"]["value"] or 0.0, figures["span_recall"]["value"] or 0.0)
                if value > best:
                    chosen, best = replace(measure, threshold=threshold), value
    return chosen


def _f_half(precision: float, recall: float) -> float:
    return 1.25 * precision * recall / (0.25 * precision + recall) if precision and recall else 0.0


class Remembering:
    """An embedder that computes each text once; what `Evidence` needs of one."""

    def __init__(self, embedder: Encoder) -> None:
        self._embedder = embedder
        self._vectors: dict[str, np.ndarray] = {}

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """As `Embedder.encode`."""
        wanted = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if wanted:
            self._vectors.update(zip(wanted, self._embedder.encode(wanted), strict=True))
        return np.stack([self._vectors[text] for text in texts])


def read_claims(claims: Path, corpus: Path) -> list[Claim]:
    """The claims of a file with the abstracts that they cite and `OTHERS` that they do not.

    Raises InputError for a file that is not in SciFact's layout.
    """
    abstracts = {abstract.document: abstract for abstract in _abstracts(corpus)}
    rows = list(read_rows(claims))
    alike = _alike([str(row.get("claim", "")) for _, row in rows], list(abstracts.values()))
    found = []
    for (place, row), near in zip(rows, alike, strict=True):
        try:
            evidence = {str(key): value for key, value in row["evidence"].items()}
            cited = [str(key) for key in row["cited_doc_ids"]]
            found.append(_claim(str(row["claim"]), evidence, [abstracts[key] for key in cited], near, abstracts))
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise InputError(
                f"{place} is no claim of this corpus ({error!r}); rows have `claim`, `evidence` (label and sentences "
                "by document) and `cited_doc_ids`."
            ) from error
    if not found:
        raise InputError(f"{claims} holds no claims; give SciFact's claims_dev.jsonl or one like it.")
    return found


def _claim(
    text: str,
    evidence: dict[str, list[dict[str, Any]]],
    cited: list[Abstract],
    near: list[Abstract],
    abstracts: dict[str, Abstract],
) -> Claim:
    labels = {key: {entry["label"] for entry in entries} for key, entries in evidence.items()}
    supporting = [key for key, held in labels.items() if "SUPPORT" in held]
    label = "support" if supporting else "contradict" if labels else "none"
    first = [abstracts[key] for key in supporting or labels] or cited
    others = [abstract for abstract in near if abstract not in cited and abstract.document not in evidence][:OTHERS]
    gold = {
        number: tuple(
            _sentence(abstract, row)
            for row in sorted({row for entry in evidence.get(abstract.document, []) for row in entry["sentences"]})
        )
        for number, abstract in enumerate(first, 1)
        if label == "support"
    }
    return Claim(text, label, (*first, *others), gold)


def _sentence(abstract: Abstract, row: int) -> tuple[int, int]:
    return (abstract.ends[row - 1] if row else 0), abstract.ends[row]


def _abstracts(corpus: Path) -> Iterator[Abstract]:
    for place, row in read_rows(corpus):
        try:
            ends = tuple(int(end) for end in row["metadata"]["sent_ends"])
            yield Abstract(str(row["_id"]), str(row["text"]), str(row.get("title") or ""), ends)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{place} has no `metadata.sent_ends` with the ends of its sentences; add them."
            ) from error


def _alike(claims: list[str], abstracts: list[Abstract]) -> list[list[Abstract]]:
    """For each claim the abstracts with its words, best first by BM25; twice as many as needed and the cited ones."""
    stemmer = Stemmer.Stemmer("english")

    def tokens(texts: list[str]) -> Any:
        return bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False)

    index = bm25s.BM25()
    index.index(tokens([f"{abstract.heading} {abstract.text}" for abstract in abstracts]), show_progress=False)
    rows, _ = index.retrieve(tokens(claims), k=min(10, len(abstracts)), show_progress=False)
    return [[abstracts[number] for number in row] for row in rows]


def _best(claim: Claim, embedder: Encoder | None, measure: Measure) -> list[Span]:
    return Evidence(claim.passages, embedder, measure).best(claim.text)


def _figures(scored: Sequence[tuple[Claim, list[Span]]], threshold: float) -> Figure:
    shown = [(claim, spans[0] if spans and spans[0].score >= threshold else None) for claim, spans in scored]
    judged = [(claim, span) for claim, span in shown if claim.label != "contradict"]
    gold = [(claim, span) for claim, span in judged if claim.label == "support"]
    called = [(claim, span) for claim, span in judged if span]
    right = sum(claim.proves(span) for claim, span in called if span)
    others = [
        max((s.score for s in spans if s.passage not in claim.gold), default=0.0)
        for claim, spans in scored
        if claim.gold
    ]
    against = [span for claim, span in shown if claim.label == "contradict"]
    return {
        "claims": len(shown),
        "precision": share(sum(claim.label == "support" for claim, _ in called), len(called)),
        "recall": share(sum(span is not None for _, span in gold), len(gold)),
        "span_precision": share(right, len(called)),
        "span_recall": share(right, len(gold)),
        "supported_without_evidence": share(
            len(called) - sum(c.label == "support" for c, _ in called), len(judged) - len(gold)
        ),
        "supported_by_other_abstracts": share(sum(score >= threshold for score in others), len(others)),
        "supported_though_contradicted": share(sum(span is not None for span in against), len(against)),
    }
