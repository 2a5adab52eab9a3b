"""Passages put into a better order by a model that reads question and passage together, as far as the time allows."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from sentence_transformers import CrossEncoder

from .errors import InputError

DEPTH = 24
"""Passages that are read: what stands below that was seldom the answer, and each costs as much as embedding it."""
SECONDS = 1.0
"""Time that reading them may take; the rest keeps the order it had."""

_TOGETHER = 4  # passages between two looks at the clock


class Scorer(Protocol):
    """Says how well each passage answers a question; sentence-transformers' CrossEncoder is one."""

    def predict(self, inputs: list[tuple[str, str]]) -> np.ndarray:
        """Scores, (len(inputs),), higher is better."""


@dataclass(frozen=True)
class Reranked:
    """`order` are the passages by place, best first; `scores` belong to the first of them, those that were read."""

    order: list[int]
    scores: list[float]


class Reranker:
    """A cross-encoder: a folder or an id on the Hub. Raises InputError where there is no such model."""

    def __init__(self, name_or_path: str) -> None:
        self.name = name_or_path
        self._model = _load(name_or_path)

    def order(self, question: str, passages: Sequence[str], seconds: float = SECONDS) -> Reranked:
        """The passages, given best first, in the order of the model's scores.

        Reading goes from the best down and ends when `seconds` have passed; what was not read keeps its order below.
        """
        return ordered(self._model, question, passages, seconds)


def ordered(scorer: Scorer, question: str, passages: Sequence[str], seconds: float) -> Reranked:
    """As `Reranker.order` has it, by any scorer. A step that has begun is not broken off."""
    end = time.monotonic() + seconds
    scores: list[float] = []
    with torch.inference_mode():
        for first in range(0, len(passages), _TOGETHER):
            if time.monotonic() >= end:
                break
            pairs = [(question, passage) for passage in passages[first : first + _TOGETHER]]
            scores += np.asarray(scorer.predict(pairs), np.float64).reshape(len(pairs)).tolist()
    read = sorted(range(len(scores)), key=lambda place: (-scores[place], place))
    return Reranked([*read, *range(len(scores), len(passages))], [scores[place] for place in read])


def _load(name: str) -> CrossEncoder:
    unknown = (
        f"No reranker {name!r} was found; give the folder of a cross-encoder, or an id on the Hub that is downloaded "
        "or can be reached."
    )
    if not name or (name[0] in "./~" and not Path(name).is_dir()):  # never asked of the Hub, which would retry
        raise InputError(unknown)
    try:
        model = CrossEncoder(name, device="cpu")
    except (OSError, ValueError, KeyError) as error:
        raise InputError(unknown) from error
    if model.num_labels != 1:
        raise InputError(f"The reranker {name} gives {model.num_labels} scores a passage; choose one that gives one.")
    return model
