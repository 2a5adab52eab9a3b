"""Rows -> the part that trains, the part that says when to stop, and the part that nothing sees before the end."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuning.errors import InputError
from tuning.rows import Row

SMALLEST = 8
"""Fewer held-out rows than this measure noise."""

LARGEST = 200
"""More held-out rows than this cost time and hardly sharpen the mean."""

TELLING = 50
"""With fewer test rows than this, only large differences show."""


@dataclass(frozen=True)
class Splits:
    """Rows by their use. All rows of a source, and all of a conversation, are in one split."""

    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    """Choose the checkpoint and the moment to stop."""
    test: tuple[Row, ...]
    """Not seen before the final measurement."""
    notes: tuple[str, ...] = ()
    """What these splits cannot tell, in words."""


def split(rows: Sequence[Row], seed: int, fraction: float = 0.1) -> Splits:
    """Draw validation and test rows, `fraction` of all rows each (between 8 and 200), together at most a third.

    All rows of a source or conversation stay together; a row without either is its own prompt's source. The order in
    which sources are drawn is a hash of seed and source: it depends neither on the order of the rows nor on the other
    rows. A file's own `split` fields are followed, and only a held-out split that the file does not name is drawn
    (validation also from the rows that the file calls training rows: stopping in time is a part of training).

    Raises InputError where the file puts one source into two splits or leaves nothing to train on.
    """
    groups = _groups(rows)
    group_of = {id(row): source for source, members in groups.items() for row in members}
    placed = {source: _named_split(source, members) for source, members in groups.items()}
    order = sorted(groups, key=lambda source: hashlib.sha256(f"{seed}\n{source}".encode()).digest())
    target = max(SMALLEST, min(LARGEST, round(len(rows) * fraction)))
    budget = len(rows) // 3
    for kind, free in (("validation", ("", "train")), ("test", ("",))):
        if kind not in placed.values():
            sizes = {source: len(groups[source]) for source in order if placed[source] in free}
            drawn = _draw(sizes, target, budget)
            placed.update(dict.fromkeys(drawn, kind))
            budget -= sum(sizes[source] for source in drawn)
    parts: dict[str, list[Row]] = {"train": [], "validation": [], "test": []}
    for row in rows:
        parts[placed[group_of[id(row)]] or "train"].append(row)
    if not parts["train"]:
        raise InputError("no training rows: every row is marked validation or test; mark some as train")
    train, validation, test = (tuple(part) for part in parts.values())
    return Splits(train, validation, test, notes=tuple(_notes(parts)))


def _groups(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows that belong together, under the name of their source, their conversation or their prompt.

    A conversation over several sources keeps all of these together, and so does a source with several conversations.
    """
    names: dict[str, str] = {}  # a source or conversation to another of its group; the last of such a chain names it

    def last(name: str) -> str:
        while names[name] != name:
            names[name] = names[names[name]]
            name = names[name]
        return name

    of = []
    for row in rows:
        source, conversation = row.source, row.conversation and f"conversation {row.conversation}"
        name = source or conversation or repr((row.prompt, row.passages) if row.passages else row.prompt)
        names.setdefault(name, name)
        if source and conversation:
            names.setdefault(conversation, conversation)
            first, second = sorted((last(source), last(conversation)))
            names[second] = first
        of.append(name)
    groups: dict[str, list[Row]] = defaultdict(list)
    for row, name in zip(rows, of, strict=True):
        groups[last(name)].append(row)
    return groups


def _named_split(source: str, members: Sequence[Row]) -> str:
    """The split that the file names for a source; empty where it names none."""
    first: dict[str, Row] = {}
    for row in members:
        if row.split:
            first.setdefault(row.split, row)
    if len(first) > 1:
        (one, here), (other, there) = list(first.items())[:2]
        told = any(row.source or row.conversation for row in members)
        name = source if told else "the same prompt"
        raise InputError(f"{name!r} is in {one} ({here.place}) and in {other} ({there.place}); give it one split")
    return next(iter(first), "")


def _draw(sizes: Mapping[str, int], target: int, budget: int) -> list[str]:
    """Sources, in order, until their rows reach `target`; none if that many rows cannot be had within `budget`."""
    drawn: list[str] = []
    count = 0
    for source, size in sizes.items():
        if count < target and count + size <= min(2 * target, budget):
            drawn.append(source)
            count += size
    return drawn if count >= SMALLEST else []


def _notes(parts: Mapping[str, Sequence[Row]]) -> list[str]:
    total = sum(len(part) for part in parts.values())
    notes = []
    if not parts["validation"]:
        notes.append(f"Rows here ({total}, by source) leave none for validation: no early stop, the last step is kept")
    if not parts["test"]:
        notes.append(f"Rows here ({total}, by source) leave none for a test: whether it helped cannot be measured")
    elif (tests := len(parts["test"])) < TELLING:
        points = round(100 * tests**-0.5)  # twice the standard error of a share of one half
        notes.append(f"{tests} test rows: a share of right answers is uncertain by {points} points either way")
    return notes
