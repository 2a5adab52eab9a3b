"""Figures as HTML. Every text is escaped, and the colours are the page's own, light or dark.

The charts are tables that draw what they say, so that a reader of the screen and a screen reader get the same numbers.
The roles repeat what the elements mean, because the layout for a phone takes that meaning away.
"""

from collections.abc import Callable, Sequence
from html import escape

from eval.figures import Figure, Interval, shown, span_of


def chart(figure: Figure) -> str:
    """The figure in the form of its kind."""
    return {"intervals": intervals, "heatmap": heat_map, "columns": columns, "scatter": table}[figure.kind](figure)


def intervals(figure: Figure) -> str:
    """A dot with its interval for each line, over one axis."""
    low, high = span_of(figure)

    def place(value: float) -> float:
        return 100 * (min(max(value, low), high) - low) / (high - low)

    line = "" if figure.reference is None else f'<i class="line" style="left:{place(figure.reference):.2f}%"></i>'
    rows = []
    for row in figure.intervals:
        looks = _looks(row, place)
        dot = "" if row.value is None else f'<i class="dot" style="left:{place(row.value):.2f}%"></i>'
        whisker = f'<i class="whisker" style="left:{place(row.low):.2f}%;right:{100 - place(row.high):.2f}%"></i>'
        rows.append(
            f'<tr role="row"><th scope="row" role="rowheader">{escape(row.name)}<small>{escape(row.note)}</small></th>'
            f'<td class="plot" aria-hidden="true"><div class="track">{line}{looks}{whisker}{dot}</div></td>'
            f"<td role='cell'>{escape(shown(row.value, figure.unit))}<small>{_span(row, figure)}</small></td></tr>"
        )
    also = "; at every look" if any(row.looks for row in figure.intervals) else ""
    ends = "".join(f"<span>{escape(shown(value, figure.unit))}</span>" for value in (low, (low + high) / 2, high))
    head = (
        '<tr role="row"><th scope="col" role="columnheader">Of</th><td class="plot" aria-hidden="true"></td>'
        f'<th scope="col" role="columnheader">Value<small>95 % interval{also}</small></th></tr>'
    )
    foot = f'<tr><td></td><td class="plot"><div class="axis">{ends}</div></td><td></td></tr>'
    return (
        f'<table role="table" class="intervals"><caption>{escape(figure.title)}</caption><thead>{head}</thead>'
        f'<tbody>{"".join(rows)}</tbody><tfoot aria-hidden="true">{foot}</tfoot></table>'
    )


def heat_map(figure: Figure) -> str:
    """A table whose cells are the stronger coloured the farther they are from the reference: warm above, cold below."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in ("", *figure.columns[1:]))
    rows = []
    for name, *values in figure.table:
        cells = "".join(_warm(value, figure) for value in values)
        rows.append(f'<tr><th scope="row">{escape(str(name))}</th>{cells}</tr>')
    return (
        f'<div class="wide"><table class="matrix"><caption>{escape(figure.title)}: row against column</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _warm(value: object, figure: Figure) -> str:
    if not isinstance(value, float):
        return "<td>–</td>"
    away = value - (figure.reference or 0.0)
    side = "warm" if away > 0 else "cold"
    return f'<td class="{side}" style="--much:{min(90.0, 180 * abs(away)):.0f}%">{shown(value, figure.unit)}</td>'


def columns(figure: Figure) -> str:
    """A stack for each row of the table, with the numbers for a screen reader in its title."""
    most = max(sum(_number(value) for value in row[1:]) for row in figure.table)
    stacks = []
    for name, *values in figure.table:
        said = ", ".join(f"{value} {kind}" for kind, value in zip(figure.columns[1:], values, strict=True))
        parts = "".join(
            f'<i class="part{number}" style="height:{100 * _number(value) / max(most, 1):.2f}%"></i>'
            for number, value in enumerate(values)
        )
        stacks.append(f'<div class="stack" role="img" aria-label="{escape(str(name))}: {escape(said)}" '
                      f'title="{escape(str(name))}: {escape(said)}">{parts}</div>')  # fmt: skip
    legend = "".join(
        f'<span><i class="part{number}"></i>{escape(kind)}</span>' for number, kind in enumerate(figure.columns[1:])
    )
    first, last = (escape(str(figure.table[place][0])) for place in (0, -1))
    return (
        f'<div class="legend">{legend}<span>at most {most:,.0f}</span></div>'
        f'<div class="stacks">{"".join(stacks)}</div><div class="axis"><span>{first}</span><span>{last}</span></div>'
    )


def table(figure: Figure) -> str:
    """Plain numbers."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in figure.columns)
    rows = "".join(
        f'<tr><th scope="row">{escape(str(name))}</th>'
        + "".join(
            f"<td>{escape(shown(value, figure.unit if place == 0 else 'seconds'))}</td>"
            for place, value in enumerate(values)
        )
        + "</tr>"
        for name, *values in figure.table
    )
    return (
        f'<div class="wide"><table class="matrix"><caption>{escape(figure.title)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def section(title: str, body: str, kind: str = "") -> str:
    return f'<section class="{escape(kind)}"><h2>{escape(title)}</h2>{body}</section>'


def paragraphs(lines: Sequence[str]) -> str:
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def _span(row: Interval, figure: Figure) -> str:
    spans = [(row.low, row.high)] + ([row.looks] if row.looks else [])
    return "</small><small>".join(
        escape(f"{shown(low, figure.unit)} to {shown(high, figure.unit)}") for low, high in spans
    )


def _looks(row: Interval, place: Callable[[float], float]) -> str:
    """The interval that holds at every look, thinner."""
    if row.looks is None:
        return ""
    return f'<i class="looks" style="left:{place(row.looks[0]):.2f}%;right:{100 - place(row.looks[1]):.2f}%"></i>'


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
