"""A CSV of pairwise votes -> pair outcomes: columns left, right, winner and, if wanted, rater and prompt."""

import csv
from collections.abc import Iterator
from pathlib import Path

from eval.errors import InputError
from eval.outcomes import Pairs, make_pairs, normalised

REQUIRED = ("left", "right", "winner")
MOST_NAMES = 1000
"""Contrasts are listed for every pair of names, so their number is bounded."""

Line = tuple[int, dict[str, str]]


def read(path: Path) -> Pairs:
    """The outcomes in `path`, names sorted. Lines with the same prompt share a cluster; without prompts none do.

    `winner` is the name of a side, `left`, `right` or `tie`. Raises `InputError` naming file, line and remedy.
    """
    rows: list[tuple[str, str, float, str]] = []
    for number, line in _lines(path):
        left, right, winner = (line[column] for column in REQUIRED)
        if not left or not right:
            raise InputError(f"{path}, line {number}: a name is empty; give both left and right.")
        score = _score(left, right, winner)
        if score is None:
            raise InputError(
                f"{path}, line {number}: the winner {winner!r} is not clear; give one side's name, left, right or tie."
            )
        prompt = normalised(line.get("prompt", ""))
        rows.append((left, right, score, f"prompt {prompt}" if prompt else f"line {number}"))
    names = sorted({name for row in rows for name in row[:2]})
    if len(names) > MOST_NAMES:
        raise InputError(f"{path} compares {len(names)} names; at most {MOST_NAMES} can be ranked, so split the file.")
    index = {name: number for number, name in enumerate(names)}
    clusters = {key: number for number, key in enumerate(dict.fromkeys(row[3] for row in rows))}
    numbered = [
        (index[left], index[right], score, clusters[key], vote) for vote, (left, right, score, key) in enumerate(rows)
    ]
    return make_pairs(names, numbered, "prompt" if any(key.startswith("prompt") for key in clusters) else "vote")


def _score(left: str, right: str, winner: str) -> float | None:
    """What the left side got; None where the word means nothing, or means both a name and the other side."""
    words = {"left": 1.0, "right": 0.0, "tie": 0.5}
    meanings = {score for name, score in ((left, 1.0), (right, 0.0)) if name == winner}
    if left == right:
        return 0.5 if meanings or winner.lower() in words else None  # a self-pair, which is dropped and counted
    if winner.lower() in words:
        meanings.add(words[winner.lower()])
    return meanings.pop() if len(meanings) == 1 else None


def _lines(path: Path) -> Iterator[Line]:
    number = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [column.strip().lower() for column in next(reader, [])]
            missing = [column for column in REQUIRED if column not in header]
            if missing:
                raise InputError(
                    f"{path}, line 1: the column {missing[0]} is missing; the first line must name left, right, winner."
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
