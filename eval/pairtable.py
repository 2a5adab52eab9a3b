"""A CSV of pairwise votes -> choices: columns left, right, winner and, if wanted, rater, prompt and properties."""

import csv
from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path

import numpy as np

from eval.choices import Choices, Floats, Integers, pair_choices
from eval.errors import InputError
from eval.outcomes import normalised, numbered

REQUIRED = ("left", "right", "winner")
MOST_NAMES = 1000
"""Contrasts are listed for every pair of names, so their number is bounded."""

Line = tuple[int, dict[str, str]]


def read(path: Path, adjust: Sequence[str] = ()) -> Choices:
    """The choices in `path`, names sorted. Lines with the same prompt share a cluster, and lines with the same rater.

    `winner` is the name of a side, `left`, `right` or `tie`. For each property in `adjust` there are numbers in the
    columns left_PROPERTY and right_PROPERTY. Raises `InputError` naming file, line and remedy.
    """
    rows: list[tuple[str, str, float]] = []
    prompts, raters = [], []
    values: list[list[tuple[float, float]]] = []
    for number, line in _lines(path, [f"{side}_{name}" for name in adjust for side in ("left", "right")]):
        left, right, winner = (line[column] for column in REQUIRED)
        if not left or not right:
            raise InputError(f"{path}, line {number}: a name is empty; give both left and right.")
        score = _score(left, right, winner)
        if score is None:
            raise InputError(
                f"{path}, line {number}: the winner {winner!r} is not clear; give one side's name, left, right or tie."
            )
        rows.append((left, right, score))
        prompt, rater = normalised(line.get("prompt", "")), line.get("rater", "")
        prompts.append(f"prompt {prompt}" if prompt else f"line {number}")
        raters.append(f"rater {rater}" if rater else f"line {number}")
        values.append([_properties(path, number, line, name) for name in adjust])
    names = sorted({name for row in rows for name in row[:2]})
    if len(names) > MOST_NAMES:
        raise InputError(f"{path} compares {len(names)} names; at most {MOST_NAMES} can be ranked, so split the file.")
    index = {name: number for number, name in enumerate(names)}
    clusters: list[tuple[str, Integers]] = []
    if any(key.startswith("prompt") for key in prompts):
        clusters.append(("prompt", numbered(prompts)))
    if any(key.startswith("rater") for key in raters):
        clusters.append(("rater", numbered(raters)))
    return pair_choices(
        names,
        [index[left] for left, _, _ in rows],
        [index[right] for _, right, _ in rows],
        [score for _, _, score in rows],
        clusters=clusters,
        covariates=[(name, _standard(values, number)) for number, name in enumerate(adjust)],
    )


def _properties(path: Path, number: int, line: dict[str, str], name: str) -> tuple[float, float]:
    """Of the left and of the right answer."""
    found = []
    for column in (f"left_{name}", f"right_{name}"):
        try:
            value = float(line[column])
        except ValueError:
            value = float("nan")
        if not isfinite(value):
            raise InputError(f"{path}, line {number}: {column} is {line[column]!r}; give a number.")
        found.append(value)
    return found[0], found[1]


def _standard(values: Sequence[Sequence[tuple[float, float]]], number: int) -> Floats:
    """(lines, 2) In standard deviations from the mean, so that a prior weighs on all properties alike."""
    table = np.array([row[number] for row in values], dtype=np.float64).reshape(-1, 2)
    spread = table.std() if len(table) else 0.0
    return np.asarray((table - (table.mean() if len(table) else 0.0)) / (spread or 1.0))


def _score(left: str, right: str, winner: str) -> float | None:
    """What the left side got; None where the word means nothing, or means both a name and the other side."""
    words = {"left": 1.0, "right": 0.0, "tie": 0.5}
    meanings = {score for name, score in ((left, 1.0), (right, 0.0)) if name == winner}
    if left == right:
        return 0.5 if meanings or winner.lower() in words else None  # a self-pair, which is dropped and counted
    if winner.lower() in words:
        meanings.add(words[winner.lower()])
    return meanings.pop() if len(meanings) == 1 else None


def _lines(path: Path, more: Sequence[str]) -> Iterator[Line]:
    number = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [column.strip().lower() for column in next(reader, [])]
            missing = [column for column in (*REQUIRED, *more) if column not in header]
            if missing:
                raise InputError(
                    f"{path}, line 1: the column {missing[0]} is missing; the first line must name"
                    f" {', '.join((*REQUIRED, *more))}."
                )
            for cells in reader:
                number = reader.line_num
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise InputError(
                        f"{path}, line {number}: {len(cells)} cells under {len(header)} columns;"
                        " quote cells that hold commas."
                    )
                yield number, dict(zip(header, (cell.strip() for cell in cells), strict=True))
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text (byte {error.start}); save it as CSV in UTF-8.") from error
    except csv.Error as error:
        raise InputError(f"{path}, line {number + 1}: not readable as CSV ({error}); correct its quotes.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give the path of a CSV file.") from error
