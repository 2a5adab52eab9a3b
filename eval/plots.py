"""Figures as PNG pictures, for a slide or a paper. matplotlib is imported only when one is drawn."""

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eval.figures import Figure, as_csv, in_words, shown, span_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, LINE = 7.2, 0.42
"""Inches."""


@dataclass(frozen=True)
class Theme:
    """Colours on a light or a dark ground; those of data can be told apart by the colour-blind (Okabe and Ito 2008)."""

    ground: str
    text: str
    faint: str
    data: tuple[str, ...]


LIGHT = Theme(ground="#ffffff", text="#1f2328", faint="#8b949e", data=("#0072B2", "#E69F00", "#999999"))
DARK = Theme(ground="#14181d", text="#e6edf3", faint="#7d8590", data=("#56B4E9", "#E69F00", "#999999"))


def as_png(figure: Figure, theme: Theme = LIGHT) -> bytes:
    """The figure drawn, 150 dots an inch."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    lines = max(len(figure.intervals), len(figure.table) if figure.kind == "heatmap" else 5)
    canvas = Canvas(figsize=(WIDTH, 1.3 + LINE * lines), facecolor=theme.ground, layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.add_subplot(facecolor=theme.ground)
    axes.set_title(figure.title, color=theme.text, loc="left", fontsize=11)
    axes.tick_params(colors=theme.text, labelsize=9)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(theme.faint)
    DRAWERS[figure.kind](axes, figure, theme)
    out = io.BytesIO()
    # Programs that show pictures read their text from here; it is written as Latin-1.
    said = in_words(figure).replace("−", "-").replace("–", "unknown").encode("latin-1", "replace").decode("latin-1")
    canvas.savefig(out, format="png", dpi=150, metadata={"Title": figure.title, "Description": said})
    return out.getvalue()


def as_markdown(figures: Sequence[Figure]) -> str:
    """A page of all pictures, each with its text for those who cannot see it."""
    shown = (f"## {figure.title}\n\n![{_plain(in_words(figure))}]({figure.id}.png)\n" for figure in figures)
    return "\n".join(shown)


def _plain(text: str) -> str:
    """Names that others gave, without what would end the text."""
    return " ".join(re.sub(r"([\\`*_{}\[\]<>#|!&~])", r"\\\1", text).split())


def as_zip(figures: Sequence[Figure], theme: Theme = LIGHT) -> bytes:
    """Every figure as a picture and as a table, and a page of the pictures with their texts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for figure in figures:
            file.writestr(f"{figure.id}.png", as_png(figure, theme))
            file.writestr(f"{figure.id}.csv", as_csv(figure))
        file.writestr("charts.md", as_markdown(figures))
    return out.getvalue()


def _intervals(axes: "Axes", figure: Figure, theme: Theme) -> None:
    places = range(len(figure.intervals), 0, -1)
    for place, row in zip(places, figure.intervals, strict=True):
        axes.plot(
            [row.low, row.high], [place, place], color=theme.data[0], linewidth=2.5, alpha=0.6, solid_capstyle="round"
        )
        if row.looks is not None:
            axes.plot(row.looks, [place, place], color=theme.data[0], linewidth=0.9, alpha=0.6)
        if row.value is not None:
            axes.plot([row.value], [place], "o", color=theme.data[0], markersize=8)
    if figure.reference is not None:
        axes.axvline(figure.reference, color=theme.faint, linestyle="--", linewidth=1)
    axes.set_yticks(list(places), [row.name for row in figure.intervals])
    axes.set_ylim(0.3, len(figure.intervals) + 0.7)
    axes.set_xlim(*span_of(figure))
    axes.xaxis.set_major_formatter(lambda value, _: shown(float(value), figure.unit))
    thin = "; thin: holding at every look" if any(row.looks for row in figure.intervals) else ""
    axes.set_xlabel(f"95 % intervals{thin}", color=theme.text, fontsize=9)


def _heat_map(axes: "Axes", figure: Figure, theme: Theme) -> None:
    names = figure.columns[1:]
    table = [[float(v) if isinstance(v, float) else float("nan") for v in row[1:]] for row in figure.table]
    axes.imshow(table, cmap="PuOr_r", vmin=0.0, vmax=1.0, aspect="auto")
    for y, row in enumerate(table):
        for x, value in enumerate(row):
            said = "–" if value != value else shown(value, figure.unit)
            middle = 0.2 < value < 0.8 or value != value
            axes.text(x, y, said, ha="center", va="center", color="#1f2328" if middle else "#ffffff", fontsize=10)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(figure.table)), [str(row[0]) for row in figure.table])
    axes.set_xlabel("row wins a pair against column", color=theme.text, fontsize=9)


def _columns(axes: "Axes", figure: Figure, theme: Theme) -> None:
    days = [str(row[0]) for row in figure.table]
    below = [0.0] * len(days)
    for number, kind in enumerate(figure.columns[1:]):
        values = [float(row[number + 1] or 0) for row in figure.table]
        axes.bar(range(len(days)), values, bottom=below, color=theme.data[number % 3], label=kind)
        below = [a + b for a, b in zip(below, values, strict=True)]
    step = max(1, len(days) // 6)
    axes.set_xticks(range(0, len(days), step), days[::step])
    axes.legend(frameon=False, labelcolor=theme.text, fontsize=9)


def _scatter(axes: "Axes", figure: Figure, theme: Theme) -> None:
    for name, strength, *_, seconds in figure.table:
        x, y = float(seconds or 0), float(strength or 0)
        axes.plot([x], [y], "o", color=theme.data[0], markersize=9)
        axes.annotate(str(name), (x, y), xytext=(7, 4), textcoords="offset points", color=theme.text, fontsize=9)
    axes.margins(0.2)
    axes.set_xlabel("median seconds of an answer", color=theme.text, fontsize=9)
    axes.set_ylabel("log strength", color=theme.text, fontsize=9)


DRAWERS: dict[str, Callable[["Axes", Figure, Theme], None]] = {
    "intervals": _intervals, "heatmap": _heat_map, "columns": _columns, "scatter": _scatter,
}  # fmt: skip
