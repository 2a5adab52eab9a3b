"""Docs/evidence.md out of finished benchmarks: tables by kind of question, who wins where, published shapes, plots."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval.scoreboard import column, figures_from
from eval.variants import IDS
from tuning.bootstrap import Interval
from tuning.paired import spread

COLOURS = {"base": "#64748b", "tuned": "#d97706", "rag": "#2563eb", "combined": "#059669"}
GROUNDED, PLAIN = "grounded", "plain"
"""How an adapter was trained."""
WORDS = {
    "f1": "token F1 of the answer, in points of 100",
    "holds": "answers that hold an accepted one, in 100",
    "rouge_l": "ROUGE-L against the answer in house style, in points of 100",
}


@dataclass(frozen=True)
class Set:
    """Questions that the variants are measured on, once with each of two adapters."""

    name: str
    words: str
    metrics: tuple[str, ...]
    """The verdict goes by the first."""
    options: tuple[str, ...]
    adapters: Mapping[str, str]
    """Name of the adapter by how it was trained."""


Results = Mapping[str, Mapping[str, Any]]
"""A set's benchmark by how its adapter was trained."""
ALL = "all"


def page(found: Sequence[tuple[Set, Results]], seed: int, minutes: float) -> Iterator[str]:
    yield "# Evidence: which of the four wins, and on what"
    yield ""
    yield f"Written by `make evidence` (seed {seed}; all of its runs together took {minutes:.0f} minutes). Base: the"
    yield "default model of 135 million parameters. Intervals are 95 %, by resampling whole sources; `+3` is a variant"
    yield "with three examples in its prompt. Two adapters are compared: one trained on the rows as they are"
    yield f"(**{PLAIN}**), and one on rows with the right passage among others (**{GROUNDED}**)."
    for one, results in found:
        yield from part(one, results)
    yield from shapes({one.name: results for one, results in found})


def part(one: Set, results: Results) -> Iterator[str]:
    yield from ("", f"## {one.name}", "", f"On {one.words}.", "")
    yield f"![Means by kind of question]({one.name}-evidence.png)"
    for how, result in results.items():
        verdict = result["verdict"]
        yield from ("", f"### With the {how} adapter", "")
        settled = "settled" if verdict["settled"] else "not settled"
        yield f"Verdict by {one.metrics[0]}: **{verdict['recommendation']}** ({settled}). {verdict['reason']}"
        yield from (line for note in result["notes"] for line in ("", f"- {note}"))
        for metric in one.metrics:
            yield from measured(result, metric)
        if result["by_task"]:
            yield from (
                "",
                "Who wins, and how far ahead of the second. The same rows choose both, which flatters a small lead:",
                "",
            )
            yield from table(
                ["", *one.metrics],
                [[name, *(winner(result, metric, name) for metric in one.metrics)] for name, _ in kinds(result)],
            )


def measured(result: Mapping[str, Any], metric: str) -> Iterator[str]:
    """A table of means, and one of effects, for all questions and by kind, where there is something to measure."""
    cells = list(result["variants"])
    shown_kinds = [one for one in kinds(result) if one[1]["variants"]["base"][metric]["value"] is not None]
    yield from ("", f"**{metric}**: {WORDS[metric]}.", "")
    yield from table(["", "rows", *cells], [kind(name, table_of, cells, metric) for name, table_of in shown_kinds])
    yield from ("", "What tuning, retrieval and the two together change, without examples:", "")
    names = ("tuning", "retrieval", "interaction")
    changes = [
        [name, *(shown(table_of["effects"][metric][effect], signed=True) for effect in names)]
        for name, table_of in shown_kinds
    ]
    yield from table(["", *names], changes)


def winner(result: Mapping[str, Any], metric: str, task: str) -> str:
    """The best of the four on a kind of question, and its paired lead over the second with an interval."""
    means = {cell: dict(kinds(result))[task]["variants"][cell][metric]["value"] for cell in IDS}
    if None in means.values():
        return "–"
    first, second = sorted(IDS, key=lambda cell: -means[cell])[:2]
    lead = gap((result, first), (result, second), metric, () if task == ALL else (task,))
    return f"{first}, {shown(vars(lead), signed=True)} over {second}"


def kinds(result: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(ALL, result), *result["by_task"].items()]


def kind(name: str, result: Mapping[str, Any], cells: Sequence[str], metric: str) -> list[str]:
    means = {cell: result["variants"][cell][metric] for cell in cells}
    best = max((mean["value"] for mean in means.values() if mean["value"] is not None), default=None)
    found = [f"**{shown(mean)}**" if mean["value"] == best else shown(mean) for mean in means.values()]
    return [name, str(result["rows"]), *found]


def shown(figure: Mapping[str, Any], signed: bool = False) -> str:
    """A share as points of 100 with its interval."""
    if figure["value"] is None:
        return "–"
    form = "{:+.0f}" if signed else "{:.0f}"
    bounds = [form.format(100 * figure[end]) if figure[end] is not None else "?" for end in ("low", "high")]
    return f"{form.format(100 * figure['value'])} [{', '.join(bounds)}]"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


@dataclass(frozen=True)
class Shape:
    """A difference that published work reports: `one` minus `other` on questions of some kinds (none: all)."""

    words: str
    set: str
    one: tuple[str, str]
    """How the adapter was trained, and the cell."""
    other: tuple[str, str]
    kinds: tuple[str, ...] = ()
    metric: str = "f1"
    expected: int = 1
    """1: above zero. 0: about zero. -1: below zero, which is known to happen and need not."""


ABOUT_ZERO, MAY_BE_BELOW = 0, -1
P, G = PLAIN, GROUNDED
SHAPES = (
    Shape("unseen facts: retrieval far above tuning", "samples", (P, "rag"), (P, "tuned"), ("documents",), "holds"),
    Shape("unseen facts: tuning about base", "samples", (P, "tuned"), (P, "base"), ("documents",), "holds", ABOUT_ZERO),
    Shape("style: tuning above retrieval", "samples", (P, "tuned"), (P, "rag"), ("style",), "rouge_l"),
    Shape("revised facts: retrieval above tuning", "samples", (P, "rag"), (P, "tuned"), ("revised",), "holds"),
    Shape("plain combined against rag", "samples", (P, "combined"), (P, "rag"), (), "holds", MAY_BE_BELOW),
    Shape("the same, unseen facts", "samples", (P, "combined"), (P, "rag"), ("documents",), "holds", MAY_BE_BELOW),
    Shape("retrieval-aware combined above rag", "samples", (G, "combined"), (G, "rag"), (), "holds"),
    Shape("retrieval-aware above plain combined", "samples", (G, "combined"), (P, "combined"), (), "holds"),
    Shape("both needed: combined above tuned", "samples", (G, "combined"), (G, "tuned"), ("both",), "rouge_l"),
    Shape("both needed: combined above rag", "samples", (G, "combined"), (G, "rag"), ("both",), "rouge_l"),
    Shape("SQuAD: retrieval far above tuning", "squad", (P, "rag"), (P, "tuned"), (), "holds"),
    Shape("SQuAD: tuning alone against base", "squad", (P, "tuned"), (P, "base"), (), "holds", MAY_BE_BELOW),
    Shape("SQuAD: plain combined against rag", "squad", (P, "combined"), (P, "rag"), expected=MAY_BE_BELOW),
    Shape("SQuAD: retrieval-aware combined above rag", "squad", (G, "combined"), (G, "rag")),
    Shape("SQuAD: retrieval-aware combined above base", "squad", (G, "combined"), (G, "base")),
    Shape("SQuAD: retrieval-aware above plain combined", "squad", (G, "combined"), (P, "combined")),
)


def shapes(found: Mapping[str, Results]) -> Iterator[str]:
    yield from ("", "## Shapes that published work reports", "")
    yield "Differences on the same questions, in points of 100; `holds`: the answer holds an accepted one."
    yield ""
    rows = []
    for shape in SHAPES:
        if shape.set in found:
            gap = difference(found[shape.set], shape)
            figure = {"value": gap.value, "low": gap.low, "high": gap.high}
            rows.append([shape.words, shape.metric, shown(figure, signed=True), said(gap, shape.expected)])
    yield from table(["shape", "figure", "difference", "here"], rows)


def difference(results: Results, shape: Shape) -> Interval:
    (how, cell), (other, against) = shape.one, shape.other
    return gap((results[how], cell), (results[other], against), shape.metric, shape.kinds)


def gap(
    one: tuple[Mapping[str, Any], str], other: tuple[Mapping[str, Any], str], metric: str, tasks: Sequence[str]
) -> Interval:
    """By how much a cell of one result is above a cell of another on the rows of these kinds (none: all) of both."""
    sides = [
        {each.digest: each for each in figures_from(result) if not tasks or each.task in tasks}
        for result, _ in (one, other)
    ]
    shared = [digest for digest in sides[0] if digest in sides[1]]
    left, right = (
        column([side[digest] for digest in shared], cell, metric)
        for side, (_, cell) in zip(sides, (one, other), strict=True)
    )
    whole = np.isfinite(left - right)
    sources = [sides[0][digest].source for digest, fine in zip(shared, whole, strict=True) if fine]
    return spread((left - right)[whole].tolist(), sources, [1.0] * len(sources), 1.0)


def said(gap: Interval, expected: int) -> str:
    if gap.below_zero:
        return "the other way round" if expected == 1 else "below, as some report" if expected else "below"
    if gap.above_zero:
        return "shown" if expected == 1 else "above"
    return "no difference shown" if expected != 0 else "shown: no difference seen"


def plot(one: Set, results: Results, folder: Path) -> None:
    """Means by kind of question, a panel for each adapter and metric; saved as NAME-evidence.png."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = [(how, metric) for metric in one.metrics for how in results]
    figure, axes = pyplot.subplots(len(panels), 1, figsize=(9, 3 * len(panels)), squeeze=False, sharey=True)
    for axis, (how, metric) in zip(axes[:, 0], panels, strict=True):
        names = [each for each in kinds(results[how]) if each[1]["variants"]["base"][metric]["value"] is not None]
        for number, (cell, colour) in enumerate(COLOURS.items()):
            means = [ends_of(mine["variants"][cell][metric]) for _, mine in names]
            values = [value for value, _, _ in means]
            reach = [[value - low for value, low, _ in means], [high - value for value, _, high in means]]
            places = [place + (number - 1.5) * 0.2 for place in range(len(names))]
            axis.bar(places, values, 0.19, color=colour, label=cell)
            axis.errorbar(places, values, reach, fmt="none", ecolor="#111827", elinewidth=0.8, capsize=2)
        axis.set_xticks(range(len(names)), [name for name, _ in names])
        axis.set_title(f"{one.name}, {how} adapter: {WORDS[metric]}", loc="left", fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="upper right", ncols=4, frameon=False, fontsize=9)
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.1 / len(panels)))  # the legend's line is above the first panel's title
    figure.savefig(folder / f"{one.name}-evidence.png", dpi=110)
    pyplot.close(figure)


def ends_of(mean: Mapping[str, Any]) -> tuple[float, float, float]:
    """A mean and the ends of its interval in points of 100; the ends are the mean where there is no interval."""
    value = 100 * (mean["value"] or 0.0)
    low, high = (value if mean[end] is None else 100 * mean[end] for end in ("low", "high"))
    return value, min(value, low), max(value, high)
