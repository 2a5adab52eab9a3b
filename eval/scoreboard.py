"""Figures of single answers -> means, differences and effects with intervals, over all rows and by kind of question.

Rows of one source are resampled together, and what two cells make of the same row is compared on that row: a paired
cluster bootstrap. Where there is nothing to measure a figure is NaN, counted and left out.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.answerlog import Made
from eval.cells import Cell, cell_id
from eval.factorial import EFFECTS
from eval.grounding import grounding
from eval.metrics import METRICS, against_row
from eval.questions import Asked
from eval.variants import IDS
from tuning.paired import spread

if TYPE_CHECKING:
    from rag.embedder import Embedder

Table = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Figures:
    """A row with the answer of every cell and its figures."""

    digest: str
    source: str
    """A hash of what the row comes from: rows of one source are drawn together."""
    task: str
    """The kind of question; empty where the row names none."""
    question: str
    response: str
    answers: tuple[str, ...]
    """Accepted short ones."""
    passages: tuple[str, ...]
    tokens: int
    """Of the row's own answer: its weight where likelihoods are averaged."""
    texts: Mapping[str, str]
    """What each cell answered."""
    cells: Mapping[str, Mapping[str, float]]


def figures_of(
    asked: Asked,
    cells: Sequence[Cell],
    written: Mapping[str, Made],
    scored: Mapping[str, Made],
    prompt_tokens: Mapping[str, int],
    embedder: "Embedder",
) -> Figures:
    """The figures of a row, from the answers and the scores of its own answer by cell."""
    from rag.citations import Evidence

    row, evidence = asked.row, Evidence(asked.found.passages, embedder)
    found = {}
    for cell in cells:
        answer, score = written[cell.id], scored[cell.id]
        waited = asked.found.seconds if cell.variant.documents else 0.0
        found[cell.id] = {
            **against_row(answer.text, row),
            "log_likelihood": (score.log_likelihood or 0.0) / score.tokens,
            **grounding(answer.text, evidence, cited=cell.variant.documents),
            "tokens": float(answer.tokens),
            "prompt_tokens": float(prompt_tokens[cell.id]),
            "first_token_seconds": _sum(answer.first_token_seconds, waited),
            "seconds": _sum(answer.seconds, waited),
        }
    whence = row.source or row.conversation or repr(row.prompt)
    return Figures(
        digest=row.digest,
        source=hashlib.sha256(whence.encode("utf-8", "backslashreplace")).hexdigest()[:16],
        task=row.task or "",
        question=row.prompt[-1]["content"],
        response=row.response,
        answers=row.answers,
        passages=tuple(passage.text for passage in asked.found.passages),
        tokens=next(iter(scored.values())).tokens,
        texts={cell.id: written[cell.id].text for cell in cells},
        cells=found,
    )


def summary(figures: Sequence[Figures], cells: Sequence[Cell]) -> dict[str, Any]:
    """`variants`, `effects` (of the fewest examples), `effects_by_shots` and `by_task`, as JSON types but for NaN."""
    shots = sorted({cell.shots for cell in cells})
    tasks = sorted({one.task for one in figures} - {""})
    parts = {task: [one for one in figures if one.task == task] for task in tasks}
    return {
        "variants": _variants(figures, cells),
        "effects": _effects(figures, shots[0]),
        "effects_by_shots": {str(count): _effects(figures, count) for count in shots},
        "by_task": {
            task: {"rows": len(mine), "variants": _variants(mine, cells), "effects": _effects(mine, shots[0])}
            for task, mine in parts.items()
        },
    }


def figures_from(result: Mapping[str, Any]) -> list[Figures]:
    """The figures in a result as it was written, NaN again where it has null."""
    found = []
    for record in result["figures"]:
        cells = {
            id: {name: math.nan if value is None else value for name, value in mine.items()}
            for id, mine in record["cells"].items()
        }
        lists = {name: tuple(record[name]) for name in ("answers", "passages")}
        found.append(Figures(**{**record, **lists, "cells": cells}))
    return found


def column(figures: Sequence[Figures], cell: str, metric: str) -> np.ndarray:
    """A metric of a cell on every row (rows,), NaN where it has nothing to measure."""
    return np.array([one.cells[cell][metric] for one in figures], dtype=np.float64)


def _variants(figures: Sequence[Figures], cells: Sequence[Cell]) -> Table:
    return {
        cell.id: {metric: _interval(figures, metric, column(figures, cell.id, metric), 1.0) for metric in METRICS}
        for cell in cells
    }


def _effects(figures: Sequence[Figures], shots: int) -> Table:
    """What tuning, retrieval and both together change in each metric, on the rows where all four have it."""
    effects: Table = {}
    for metric in METRICS:
        four = np.stack([column(figures, cell_id(variant, shots), metric) for variant in IDS])
        effects[metric] = {
            name: _interval(figures, metric, np.array(weights) @ four, sum(map(abs, weights)) / 2, change=True)
            for name, weights in EFFECTS.items()
        }
    return effects


def _interval(
    figures: Sequence[Figures], metric: str, values: np.ndarray, largest: float, change: bool = False
) -> dict[str, Any]:
    """The mean of the values that are numbers, with its interval; `largest` bounds the values of a share."""
    there = [int(row) for row in np.flatnonzero(~np.isnan(values))]
    found = {"rows": len(there), "missing": len(values) - len(there), "note": ""}
    if not there:
        return {"value": math.nan, "low": math.nan, "high": math.nan, **found}
    bounds = METRICS[metric].bounds
    weights = [float(figures[row].tokens) if metric == "log_likelihood" else 1.0 for row in there]
    shares = math.isfinite(bounds[1])
    mean = spread(values[there].tolist(), [figures[row].source for row in there], weights, largest if shares else None)
    low, high = (math.nan if end is None else end for end in (mean.low, mean.high))
    if shares and not change:  # NaN stays NaN
        low, high = (end if math.isnan(end) else min(max(end, bounds[0]), bounds[1]) for end in (low, high))
    return {"value": mean.value, "low": low, "high": high, **found, "note": mean.note}


def _sum(seconds: float | None, waited: float) -> float:
    return math.nan if seconds is None else seconds + waited
