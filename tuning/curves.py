"""The loss by step, of the training rows and of the validation rows, as the plots on the pages take it."""

from collections.abc import Sequence
from typing import Any

POINTS = 400
"""Points of a curve: more than the plot has pixels for would only be sent and not be seen."""
KINDS = ("training", "validation")

Points = Sequence[tuple[int, float]]
Table = dict[str, list[Any]]
"""Columns `step`, `loss` and `rows`, which is one of `KINDS`."""


def thin(points: Sequence[Any], most: int = POINTS) -> Sequence[Any]:
    """At most `most` of the points, evenly apart, the last one among them."""
    stride = -(-len(points) // most) or 1
    return points[::-1][::stride][::-1]


def table(training: Points, validation: Points) -> Table:
    """Both curves, thinned; empty where neither has a point.

    A curve without points has one without a loss, which is not drawn: the plot learns from its first table which
    curves there are, and would never draw one that begins later.
    """
    if not training and not validation:
        return {"step": [], "loss": [], "rows": []}
    rows: list[tuple[int, float | None, str]] = []
    for kind, points in zip(KINDS, (training, validation), strict=True):
        rows += [(step, loss, kind) for step, loss in thin(points)] or [(0, None, kind)]
    return {name: [row[place] for row in rows] for place, name in enumerate(("step", "loss", "rows"))}
