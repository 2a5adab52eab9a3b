"""A recipe of row files -> checked, split and mixed rows; the face of all that reads, judges and encodes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tuning.encoding import IGNORED, Example, encode, prompt_ids
from tuning.errors import InputError
from tuning.general import GENERAL, replayed_rows
from tuning.mixture import Part, mix, replay
from tuning.recipe import Recipe, Table
from tuning.report import Finding, Report, check, leaks
from tuning.rows import Row, read_rows
from tuning.splits import Splits, split

if TYPE_CHECKING:  # the Tune page reads rows, and must not wait for the library that trains on them
    from transformers import PreTrainedTokenizerBase

__all__ = [
    "IGNORED",
    "Dataset",
    "Example",
    "Finding",
    "Recipe",
    "Report",
    "Row",
    "Splits",
    "Table",
    "check",
    "encode",
    "load",
    "prompt_ids",
    "read_rows",
    "split",
]


@dataclass(frozen=True)
class Dataset:
    """The rows of a recipe, checked and split, with the hash that says which rows these were."""

    file: str
    sha256: str
    report: Report
    splits: Splits
    kind: str = "answers"
    """What its rows teach: answers, preferences or feedback."""


def load(
    recipe: Recipe | Path, tokenizer: PreTrainedTokenizerBase, max_length: int, seed: int, general: Path = GENERAL
) -> Dataset:
    """Read, check, split and mix the rows of a recipe, or of one file as it is; `general` holds the rows to replay.

    Tables and general rows are mixed in training alone; what is held out is each row once. Raises InputError if nothing
    of it can be trained on.
    """
    recipe = Recipe.of(recipe) if isinstance(recipe, Path) else recipe
    tables = recipe.rows()
    report = check([row for rows in tables for row in rows], tokenizer, max_length)
    if not report.kept:
        first = report.dropped[0]
        why = f"{first.place}: {first.reason}, and so on"
        raise InputError(f"{recipe.name}: none of {len(report.dropped)} rows can be used ({why}); correct them")
    kind = _kind(recipe.name, report.kept)
    splits = split(report.kept, seed)
    table_of = {row.place: number for number, rows in enumerate(tables) for row in rows}
    parts = [
        Part(label, [row for row in splits.train if table_of[row.place] == number], table.weight)
        for number, (label, table) in enumerate(zip(recipe.labels, recipe.tables, strict=True))
    ]
    train, notes = mix(parts, seed)
    if recipe.replay:
        if kind != "answers":
            remedy = "among which no general rows can be replayed; leave them out"
            raise InputError(f"{recipe.name} teaches {kind}, {remedy}")
        shared = check(replayed_rows(general), tokenizer, max_length)
        train, note = replay(train, Part("general rows", _unseen(shared.kept, splits)), recipe.replay, seed)
        notes = (*notes, note, *_missed(shared))
    found = leaks(splits)
    report = replace(report, notes=(*report.notes, *notes, *_flattered(found)), leaks=found)
    digest = recipe.digest(*([general] if recipe.replay else []))
    return Dataset(recipe.name, digest, report, replace(splits, train=train), kind)


def _missed(shared: Report) -> list[str]:
    """In words, the general rows that cannot be used."""
    if not shared.dropped:
        return []
    first = shared.dropped[0]
    return [f"{len(shared.dropped)} general rows cannot be replayed ({first.place}: {first.reason})"]


def _flattered(leaking: Sequence[Finding]) -> list[str]:
    if not leaking:
        return []
    flatter = f"{len(leaking)} held-out rows ask what training rows ask, so that what they measure flatters"
    return [f"{flatter}; give rows about the same thing the same `source`, or remove them"]


def _unseen(general: Sequence[Row], splits: Splits) -> list[Row]:
    """The general rows whose questions are not held out."""
    held_out = {repr(row.prompt) for row in (*splits.validation, *splits.test)}
    return [row for row in general if repr(row.prompt) not in held_out]


def _kind(name: str, rows: Sequence[Row]) -> str:
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row.kind, row)
    if len(first) > 1:
        (one, here), (other, there) = list(first.items())[:2]
        raise InputError(
            f"{name}: {here.place} teaches {one}, {there.place} {other}; put each kind in a file of its own"
        )
    return next(iter(first))
