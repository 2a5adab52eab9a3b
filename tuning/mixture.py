"""Training rows of several tables, each in its share, and general rows among them. Held-out rows are never repeated."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from tuning.rows import Row


@dataclass(frozen=True)
class Part:
    """The training rows of a table. `weight` is in relation to those of the other parts; None for as many as it has."""

    label: str
    rows: Sequence[Row]
    weight: float | None = None


def mix(parts: Sequence[Part], seed: int) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """As many training rows as there are, in shares as the weights say; and what that comes to, in words.

    A part that has fewer rows than its share has them repeated, one that has more has some left out, by lot.
    """
    total = sum(len(part.rows) for part in parts)
    weights = sum(part.weight or 0 for part in parts if part.rows)
    drawn = []
    for part in parts:
        wanted = len(part.rows)
        if part.weight is not None and part.rows:
            wanted = max(1, round(total * part.weight / weights))
        drawn.append(draw(part.rows, wanted, seed))
    mixed = tuple(row for rows in drawn for row in rows)
    if len(parts) < 2:
        return mixed, ()
    return mixed, tuple(_told(part, rows, len(mixed)) for part, rows in zip(parts, drawn, strict=True))


def replay(rows: Sequence[Row], general: Part, share: float, seed: int) -> tuple[tuple[Row, ...], str]:
    """The training rows with so many of the general ones that these are `share` of all; and that in words."""
    wanted = max(1, round(len(rows) * share / (1 - share)))
    drawn = draw(general.rows, wanted, seed)
    return (*rows, *drawn), _told(general, drawn, len(rows) + len(drawn))


def draw(rows: Sequence[Row], count: int, seed: int) -> list[Row]:
    """`count` of the rows, in their order: each as often as any other, but for the last ones, which are drawn by lot.

    The lot is a hash of seed and row, so that it depends neither on the order of the rows nor on the other rows.
    """
    if not rows:
        return []
    times, rest = divmod(count, len(rows))
    by_lot = sorted(range(len(rows)), key=lambda at: hashlib.sha256(f"{seed}\n{rows[at].digest}".encode()).digest())
    lucky = set(by_lot[:rest])
    return [row for at, row in enumerate(rows) for _ in range(times + (at in lucky))]


def _told(part: Part, drawn: Sequence[Row], total: int) -> str:
    here, used = len(part.rows), len(drawn)
    share = f"{used} of {total} training rows ({used / max(total, 1):.0%})"
    if used == here:
        return f"{part.label}: {share}, each once"
    if used < here:
        return f"{part.label}: {share}; {here - used} of its {here} are left out, by lot"
    fewest, most = used // here, -(-used // here)
    often = f"{fewest} times" if fewest == most else f"{fewest} to {most} times"
    return f"{part.label}: {share}; its {here} are repeated, {often} each"
