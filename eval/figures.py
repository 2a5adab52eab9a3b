"""What the charts show, as tables: one form from which the page, the picture and the CSV file are made alike."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

Cell = str | float | int | None


@dataclass(frozen=True)
class Interval:
    """One line of a chart: a value with its interval; None where nothing is known."""

    name: str
    note: str
    value: float | None
    low: float
    high: float
    looks: tuple[float, float] | None = None
    """The interval that holds at every look, where there is one."""
    more: tuple[Cell, ...] = ()
    """Further columns of the figure."""


@dataclass(frozen=True)
class Figure:
    """A chart of one of four kinds: `intervals`, `heatmap`, `columns` or `scatter`."""

    id: str
    title: str
    """What it is, short."""
    kind: str
    unit: str
    """`share` of 1, `nats`, `alpha`, `points`, `votes` or `seconds`."""
    reference: float | None = None
    """Where a line marks equality."""
    intervals: tuple[Interval, ...] = ()
    columns: tuple[str, ...] = ()
    """Names of `more`, or of the table's columns."""
    table: tuple[tuple[Cell, ...], ...] = ()
    """Rows of a heat map, of columns or of a scatter, the name first."""

    @property
    def empty(self) -> bool:
        return not (self.intervals or self.table)


def as_csv(figure: Figure) -> str:
    """The figure's numbers, unrounded, with a header."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    if figure.intervals:
        writer.writerow(["name", "value", "low", "high", *figure.columns])
        writer.writerows([row.name, row.value, row.low, row.high, *row.more] for row in figure.intervals)
    else:
        writer.writerow(figure.columns)
        writer.writerows(figure.table)
    return text.getvalue()


def in_words(figure: Figure) -> str:
    """What the picture shows, for those who cannot see it: its title and every number in it."""
    lines = [_interval(row, figure.unit) for row in figure.intervals] or [_row(figure, row) for row in figure.table]
    return f"{figure.title}. {'; '.join(lines)}."


def _interval(row: Interval, unit: str) -> str:
    return f"{row.name}: {shown(row.value, unit)}, 95 % interval {shown(row.low, unit)} to {shown(row.high, unit)}"


def _row(figure: Figure, row: tuple[Cell, ...]) -> str:
    units = {"heatmap": [figure.unit] * len(row), "columns": ["votes"] * len(row)}
    said = [
        f"{column} {shown(value, unit)}"
        for column, value, unit in zip(
            figure.columns[1:], row[1:], units.get(figure.kind, [figure.unit] + ["seconds"] * len(row)), strict=False
        )
        if value is not None
    ]
    return f"{row[0]}: {', '.join(said)}"


def shown(value: Cell, unit: str) -> str:
    """A value as people read it."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if unit == "share":
        return f"{100 * value:.0f} %"
    if unit == "nats":
        return f"{value:+.2f}".replace("-", "−") if round(value, 2) else "0"
    if unit == "alpha":
        return f"{value:.2f}".replace("-", "−")
    return f"{value:,.0f}" if unit == "votes" else f"{value:.1f}"


def span_of(figure: Figure) -> tuple[float, float]:
    """Where the axis of an interval chart begins and ends."""
    if figure.unit == "share":
        return 0.0, 1.0
    if figure.unit == "alpha":
        return -1.0, 1.0
    if figure.unit == "points":
        return 1.0, max(5.0, *(row.high for row in figure.intervals))
    ends = [end for row in figure.intervals for end in (row.low, row.high, *(row.looks or ()))]
    most = ceil(2 * max(0.5, *(abs(end) for end in ends))) / 2
    return -most, most


def listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
