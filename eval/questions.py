"""Rows -> questions as a benchmark asks them: which rows are fair, what each cell is sent, with which passages."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eval.cells import Cell
from eval.errors import InputError
from eval.fewshot import Examples, question, with_examples

if TYPE_CHECKING:
    from rag.floor import Floor
    from rag.index import Index
    from rag.prompt import Passage
    from tuning.adapters import Adapter
    from tuning.request import Request, Sampling
    from tuning.rows import Row


@dataclass(frozen=True)
class Given:
    """A passage that a row brings along."""

    document: str
    text: str


@dataclass(frozen=True)
class Found:
    """The passages for a row, as they are numbered in the prompt of the cells with documents."""

    passages: "Sequence[Passage]"
    seconds: float = 0.0
    """That finding them took."""
    refused: bool = False
    """They are too far from the question: below the index's floor."""


@dataclass(frozen=True)
class Asked:
    """A row and what is sent for it."""

    row: "Row"
    found: Found
    requests: "Mapping[str, Request]"
    """By cell: write an answer. Not by those with documents where the floor refuses in place of a model."""
    scored: "Mapping[str, Request]"
    """By cell: say how likely the row's own answer is."""


def rows_to_ask(
    adapter: "Adapter",
    file: Path | None,
    most: int,
    trained_too: bool = False,
    train: Path | None = None,
    shots: int = 0,
) -> "tuple[list[Row], list[Row], list[str]]":
    """The rows to ask, out of `file` or those kept with the adapter; those that examples come from; and notes.

    Raises InputError where there is none to ask or a file cannot be read.
    """
    from tuning.heldout import held_out
    from tuning.rows import read_rows

    every = read_rows(file) if file else held_out(adapter)
    if every is None:
        raise InputError(f"{adapter.name} keeps no rows that it never saw; give a file of rows to ask.")
    rows, notes = fair_rows(every, adapter, most, trained_too)
    return rows, training_rows(read_rows(train) if train else every, adapter, rows) if shots else [], notes


def fair_rows(
    rows: "Sequence[Row]", adapter: "Adapter", most: int, trained_too: bool = False
) -> "tuple[list[Row], list[str]]":
    """The rows to ask, and notes on those that are not. Raises InputError where none is left.

    Where rows name a split, the test rows are taken; rows that the adapter was trained on, or chosen by, are left out
    unless they are wanted too; of more than `most` those are drawn that come first by their hash.
    """
    notes = []
    if any(row.split == "test" for row in rows):
        named = [row for row in rows if row.split == "test"]
        if len(named) < len(rows):
            notes.append(f"the {len(named)} rows marked test are asked, {len(rows) - len(named)} others are not")
        rows = named
    whole = [row for row in rows if row.prompt and row.response and row.messages[-1]["role"] == "assistant"]
    whole = list({row.digest: row for row in whole if row.good is not False}.values())
    if len(whole) < len(rows):
        notes.append(f"{len(rows) - len(whole)} left out, which repeat another or have no question or no good answer")
    known = [row for row in whole if row.digest in adapter.seen]
    if known and trained_too:
        notes.append(f"{len(known)} of {len(whole)} rows were trained on: what {adapter.name} gains on them is memory")
    elif known:
        notes.append(f"{len(known)} left out, which {adapter.name} was trained on (--trained-too asks them as well)")
        whole = [row for row in whole if row.digest not in adapter.seen]
    if not whole:
        raise InputError(
            "No rows are left to ask: " + ("; ".join(notes) or "none were given") + "; give rows it never saw."
        )
    if len(whole) > most:
        notes.append(f"{most} of {len(whole)} are asked, drawn by their hash")
    return sorted(whole, key=lambda row: hashlib.sha256(row.digest.encode()).digest())[:most], notes


def training_rows(rows: "Sequence[Row]", adapter: "Adapter", asked: "Sequence[Row]") -> "list[Row]":
    """The rows that examples may come from: those marked train, else those that the adapter was trained on, else all;
    never one that is asked."""
    taken = {row.digest for row in asked}
    free = [row for row in rows if row.digest not in taken and row.split not in ("validation", "test")]
    marked = [row for row in free if row.split == "train"]
    return marked or [row for row in free if row.digest in adapter.seen] or free


def given_passages(row: "Row") -> list[Given]:
    """The row's own passages, in the order that training words them. Raises InputError where it has none."""
    if not row.passages:
        raise InputError(
            f"{row.place}: the row has no passages; leave out --passages given, or run `python -m rag attach`."
        )
    return [Given(passage["id"], passage["text"]) for passage in row.shuffled]


def search(row: "Row", index: "Index", count: int, floor: "Floor | None" = None) -> Found:
    """The `count` best passages for a row's question, held against a floor. Raises InputError for an empty index."""
    from rag.floor import nearness

    began = time.perf_counter()
    hits = index.search(question(row), count)
    if not hits:
        raise InputError(f"The index {index.folder.name} holds no documents; add some with `python -m rag add`.")
    refused = floor is not None and nearness(question(row), hits) < floor.value
    return Found(hits, time.perf_counter() - began, refused)


def ask(
    row: "Row",
    found: Found,
    cells: Sequence[Cell],
    examples: Examples,
    adapter: str,
    parent: str | None,
    sampling: "Sampling",
) -> Asked:
    """What each cell is sent for a row: the same question, passages, examples and seed, as far as the cell has them.

    Cells that are not tuned run the adapter `parent`, or None: the bare base.
    """
    from rag.prompt import ground
    from tuning.request import Request

    plain = [dict(message) for message in row.prompt]
    grounded = ground(plain, found.passages)
    shown = {count: examples.of(row, count) for count in {cell.shots for cell in cells}}
    every = {
        cell.id: Request(
            with_examples(grounded if cell.variant.documents else plain, shown[cell.shots]),
            adapter if cell.variant.tuned else parent,
            sampling,
        )
        for cell in cells
    }
    withheld = {cell.id for cell in cells if found.refused and cell.variant.documents}
    scored = {id: Request(one.messages, one.adapter, given=row.response) for id, one in every.items()}
    return Asked(row, found, {id: one for id, one in every.items() if id not in withheld}, scored)
