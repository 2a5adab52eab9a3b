"""Whether an index answers a question at all: a floor under how near its passages come, calibrated for each index."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import InputError
from .shares import Share, in_words, share
from .terms import stems

if TYPE_CHECKING:  # loads torch
    from .index import Hit, Index

REFUSAL = "The documents do not seem to answer this. Ask it in other words, or add a document that does."
FILE = "floor.json"
SHARE_OF_WORDS = 0.25
"""Of `nearness`; the rest is the cosine. Chosen on the sample documents."""
PASSAGES = 3
FOLDS = 5
MOST_REFUSALS = 0.02
"""Share of the answerable questions that a floor may refuse: an answer withheld costs more than one to be checked, and
what is asked in words of its own, as for a card, is the first to be withheld."""
FEWEST = 2 * FOLDS
"""Questions of each kind; fewer can choose no floor."""


@dataclass(frozen=True)
class Floor:
    """A question is refused where the `nearness` of what was found is below `value`.

    `false_refusals` is the share of answerable questions below it, `false_answers` that of foreign ones not below, each
    on questions that did not choose the floor (cross-validation), with a 95 % interval. `made` tells that the program
    made the answerable questions from the documents, which are easier than people's. `generation` is the index's.
    """

    value: float
    false_refusals: Share
    false_answers: Share
    made: bool
    embedder: str
    store: str
    generation: int
    calibrated: str


def nearness(question: str, hits: "Sequence[Hit]") -> float:
    """How near the best passages come to a question, 0 to 1: the best cosine, and to a quarter the best share of words.

    That share is of the question's stems: those in one passage, its headings or its document's name.
    """
    if not hits:
        return 0.0
    cosine = max(hit.cosine for hit in hits[:PASSAGES])
    asked = stems(question)
    words = max(
        len(asked & stems(f"{Path(hit.document).stem}\n{hit.heading}\n{hit.text}")) / max(len(asked), 1)
        for hit in hits[:PASSAGES]
    )
    return round((1 - SHARE_OF_WORDS) * cosine + SHARE_OF_WORDS * words, 4)


def calibrate(
    index: "Index",
    answerable: Sequence[str],
    foreign: Sequence[str],
    made: bool = False,
    most_refusals: float = MOST_REFUSALS,
    progress: Callable[[int, int], None] | None = None,
) -> Floor:
    """Choose and keep the floor of an index from questions that it can and that it cannot answer.

    `progress` is told how many of all questions are searched. Raises InputError for fewer than `FEWEST` of a kind.
    """
    for kind, questions in (("answerable", answerable), ("foreign", foreign)):
        if len(questions) < FEWEST:
            raise InputError(f"There are {len(questions)} {kind} questions; give at least {FEWEST} different ones.")
    if not 0 <= most_refusals < 1:
        raise InputError(f"A share of {most_refusals} refusals is none; give a number from 0 to below 1.")
    near = []
    for done, question in enumerate([*answerable, *foreign], 1):
        near.append(nearness(question, index.search(question, PASSAGES)))
        if progress:
            progress(done, len(answerable) + len(foreign))
    inside, outside = np.array(near[: len(answerable)]), np.array(near[len(answerable) :])
    refused, answered = _held_out(inside, outside, most_refusals)
    floor = Floor(
        value=choose(inside, outside, most_refusals),
        false_refusals=share(refused, len(inside)),
        false_answers=share(answered, len(outside)),
        made=made,
        embedder=index.embedder.identity,
        store=index.store.uuid,
        generation=index.generation,
        calibrated=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    _write(index.folder / FILE, floor)
    return floor


def choose(inside: np.ndarray, outside: np.ndarray, most_refusals: float = MOST_REFUSALS) -> float:
    """The floor with the least sum of both rates of error that refuses at most that share of the answerable questions.

    Of several the one in the widest gap. Nearness of answerable and of foreign questions, float (n,) and (m,).
    """
    values = np.unique(np.concatenate([inside, outside]))
    floors = np.concatenate([[values[0] - 0.01], (values[:-1] + values[1:]) / 2, [values[-1] + 0.01]])
    refusals = (inside[:, None] < floors).mean(0)
    errors = np.where(refusals <= most_refusals, refusals + (outside[:, None] >= floors).mean(0), np.inf)
    gaps = np.concatenate([[0.0], np.diff(values), [0.0]])
    best = np.flatnonzero(errors <= errors.min() + 1e-9)
    return round(float(floors[best[gaps[best].argmax()]]), 4)


def read_floor(index: "Index") -> Floor | None:
    """The floor of an index; None where none was calibrated for this store with this embedder."""
    try:
        floor = Floor(**json.loads((index.folder / FILE).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return floor if (floor.store, floor.embedder) == (index.store.uuid, index.embedder.identity) else None


def forget_floor(index: "Index") -> bool:
    """Let the index answer everything again; False if it had no floor."""
    try:
        (index.folder / FILE).unlink()
    except FileNotFoundError:
        return False
    return True


def floor_in_words(floor: Floor | None, generation: int) -> list[str]:
    """What there is to know of a floor, in lines; `generation` is that of the index now."""
    if floor is None:
        return ["There is no floor: every question is answered. `python -m rag calibrate` chooses one."]
    lines = [
        f"floor            {floor.value:.3f} of nearness, calibrated {floor.calibrated}",
        f"false refusals   {in_words(floor.false_refusals)} answerable questions",
        f"false answers    {in_words(floor.false_answers)} foreign questions",
    ]
    if floor.made:
        lines.append("The answerable questions were made from the documents; give people's to know better.")
    if floor.generation != generation:
        lines.append("The documents have changed since; calibrate again.")
    return lines


def _held_out(inside: np.ndarray, outside: np.ndarray, most_refusals: float) -> tuple[int, int]:
    """Errors of each kind, every question under a floor that the others chose."""
    order = np.random.default_rng(0)
    parts = [order.permutation(len(scores)) % FOLDS for scores in (inside, outside)]
    refused = answered = 0
    for fold in range(FOLDS):
        floor = choose(inside[parts[0] != fold], outside[parts[1] != fold], most_refusals)
        refused += int((inside[parts[0] == fold] < floor).sum())
        answered += int((outside[parts[1] == fold] >= floor).sum())
    return refused, answered


def _write(path: Path, floor: Floor) -> None:
    temporary = path.with_name(f".{path.name}-{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(asdict(floor), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); free some space, then try again.") from error
    finally:
        temporary.unlink(missing_ok=True)
