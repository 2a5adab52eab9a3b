"""An answer and its passages to its sentences, each with its marks and with what in the passages supports it.

No model judges. A sentence counts as supported by a span of a passage, one of its sentences, where their words and
meanings are alike enough and every number and name of the one stands in the other. That tells what the passages speak
of from what they do not; it cannot tell a claim from its opposite, which has the same words.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .prompt import Passage
from .sentences import sentences
from .terms import Term, stems, terms

SUPPORTED, UNSUPPORTED, UNCITED, EMPTY = "supported", "unsupported", "uncited", "empty"

_MARK = re.compile(r"\[\s*(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\s*\]")
_RELATED = 0.2  # least overlap of a span that is worth a look at its meaning


class Encoder(Protocol):
    """What is needed of an embedder."""

    def encode(self, texts: Sequence[str]) -> np.ndarray: ...


@dataclass(frozen=True)
class Measure:
    """How alike a sentence and a span must be, chosen on SciFact's training claims (docs/benchmarks.md).

    The score is `meaning` · cosine + (1 - `meaning`) · overlap. Overlap is the share of the sentence's words that the
    span has; a word that only the rest of the passage has, or its heading, counts `around`.
    """

    threshold: float
    meaning: float = 0.0
    around: float = 0.5


WORDS = Measure(threshold=0.64, around=0.25)
"""Without an embedder."""
MEANING = Measure(threshold=0.7, meaning=0.5)
"""With one."""


@dataclass(frozen=True)
class Span:
    """passages[passage - 1].text[start:end], and how alike it is to the sentence, 0 to 1.

    Of a search hit that is `hit.start + start` to `hit.start + end` of its document's text.
    """

    passage: int
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Sentence:
    """A sentence of an answer, answer[start:end], marks included.

    `marks` are the numbers of its [n] that name a passage, `strange` those that name none. `verdict` is `SUPPORTED` by
    the `span`; `UNSUPPORTED` where it has marks and no passage supports it; `UNCITED` where it has none and none does;
    `EMPTY` where it says nothing that could be looked up. `misplaced` are marks of passages that do not support it.
    """

    start: int
    end: int
    text: str
    marks: tuple[int, ...]
    strange: tuple[int, ...]
    verdict: str
    span: Span | None = None
    misplaced: tuple[int, ...] = ()

    @property
    def attributed(self) -> bool:
        """Was the supporting passage found by the check, and not named by the answer?"""
        return self.span is not None and self.span.passage not in self.marks


def check(
    answer: str, passages: Sequence[Passage], embedder: Encoder | None = None, measure: Measure | None = None
) -> list[Sentence]:
    """The sentences of an answer, each checked against the passages that it was made of.

    Marked passages are looked at first, then the others: models seldom mark what they take from a passage.
    """
    return Evidence(passages, embedder, measure).check(answer)


def supported_of(checked: Sequence[Sentence]) -> tuple[int, int]:
    """How many sentences are supported, and how many say something."""
    said = [sentence for sentence in checked if sentence.verdict != EMPTY]
    return sum(sentence.verdict == SUPPORTED for sentence in said), len(said)


@dataclass(frozen=True)
class _Piece:
    """A sentence of a passage, with the stems of itself and of the whole passage with its name and headings."""

    passage: int
    start: int
    end: int
    text: str
    own: frozenset[str]
    whole: frozenset[str]


class Evidence:
    """Passages, made ready to check several answers against them."""

    def __init__(
        self, passages: Sequence[Passage], embedder: Encoder | None = None, measure: Measure | None = None
    ) -> None:
        self.measure = measure or (WORDS if embedder is None else MEANING)
        self._passages = len(passages)
        self._embedder = embedder if self.measure.meaning else None
        self._pieces = [piece for number, passage in enumerate(passages, 1) for piece in _pieces(number, passage)]
        self._vectors: dict[str, np.ndarray] = {}

    def check(self, answer: str) -> list[Sentence]:
        """The sentences of an answer, in order."""
        return [self._checked(answer, start, end) for start, end in sentences(answer)]

    def best(self, claim: str) -> list[Span]:
        """The best span of each passage that has one, whether it supports the claim or not, best first."""
        found: dict[int, Span] = {}
        for span in self._scored(claim):
            if span.passage not in found or span.score > found[span.passage].score:
                found[span.passage] = span
        return sorted(found.values(), key=lambda span: (-span.score, span.passage))

    def _checked(self, answer: str, start: int, end: int) -> Sentence:
        text = answer[start:end]
        numbers = [int(number) for group in _MARK.findall(text) for number in re.findall(r"\d+", group)]
        marks = tuple(dict.fromkeys(number for number in numbers if 1 <= number <= self._passages))
        strange = tuple(dict.fromkeys(number for number in numbers if number not in marks))
        claim = _MARK.sub("", text)
        if not terms(claim):
            return Sentence(start, end, text, marks, strange, EMPTY)
        supporting = [span for span in self.best(claim) if span.score >= self.measure.threshold]
        misplaced = tuple(mark for mark in marks if mark not in {span.passage for span in supporting})
        if not supporting:
            verdict = UNSUPPORTED if marks or strange else UNCITED
            return Sentence(start, end, text, marks, strange, verdict, None, misplaced)
        span = next((span for span in supporting if span.passage in marks), supporting[0])
        return Sentence(start, end, text, marks, strange, SUPPORTED, span, misplaced)

    def _scored(self, claim: str) -> list[Span]:
        said = {term.stem: term for term in terms(claim)}
        close = [
            (piece, overlap)
            for piece in self._pieces
            if _holds(said, piece) and (overlap := self._overlap(said, piece)) >= _RELATED
        ]
        cosines = self._cosines(claim, [piece.text for piece, _ in close])
        share = self.measure.meaning
        return [
            Span(piece.passage, piece.start, piece.end, round(share * cosine + (1 - share) * overlap, 4))
            for (piece, overlap), cosine in zip(close, cosines, strict=True)
        ]

    def _overlap(self, said: dict[str, Term], piece: _Piece) -> float:
        here = sum(stem in piece.own for stem in said)
        around = sum(stem in piece.whole for stem in said) - here
        return (here + self.measure.around * around) / len(said)

    def _cosines(self, claim: str, texts: list[str]) -> list[float]:
        if self._embedder is None or not texts:
            return [0.0] * len(texts)
        wanted = [text for text in dict.fromkeys([claim, *texts]) if text not in self._vectors]
        self._vectors.update(zip(wanted, self._embedder.encode(wanted), strict=True))
        vectors = [self._vectors[text] for text in texts]
        return [float(vector @ self._vectors[claim]) for vector in vectors]


def _pieces(number: int, passage: Passage) -> list[_Piece]:
    text = passage.text
    spans = list(sentences(text))
    own = [stems(text[start:end]) for start, end in spans]
    around = f"{passage.document}\n{getattr(passage, 'heading', '')}"
    whole = stems(around).union(*own)
    return [
        _Piece(number, start, end, text[start:end], words, whole)
        for (start, end), words in zip(spans, own, strict=True)
    ]


def _holds(said: dict[str, Term], piece: _Piece) -> bool:
    """Does the span have every number of the claim, and its passage every name?"""
    return all(stem in (piece.own if stem[0].isdigit() else piece.whole) for stem, term in said.items() if term.exact)
