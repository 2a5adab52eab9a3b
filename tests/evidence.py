"""`make evidence`: which of the four wins on which kind of question, written to docs/evidence.md with its plots.

Every figure comes from the commands that a user has: `rag add`, `tuning train`, `eval benchmark`, `eval verdict`.
All is kept under data/local/evidence, so that a stopped run goes on where it was; `--fresh` begins anew.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval.scoreboard import column, figures_from
from tests.bench.squad import DATA, squad_rows
from tuning.bootstrap import Interval
from tuning.paired import spread

REPO = Path(__file__).resolve().parent.parent
HOME = REPO / "data" / "local" / "evidence"
SAMPLES = REPO / "data" / "samples"
PAGE, PLOTS = REPO / "docs" / "evidence.md", REPO / "docs"
COLOURS = {"base": "#64748b", "tuned": "#d97706", "rag": "#2563eb", "combined": "#059669"}
GROUNDED, PLAIN = "grounded", "plain"
SHOTS = {GROUNDED: ("0", "3"), PLAIN: ("0",)}
"""Examples in the prompt; what they bring the bare base and retrieval does not depend on the adapter."""


@dataclass(frozen=True)
class Set:
    """Questions that the variants are measured on, once with each of two adapters."""

    name: str
    words: str
    metric: str
    options: tuple[str, ...]
    adapters: Mapping[str, str]
    """Name of the adapter by how it was trained."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.evidence", description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs computed")
    parser.add_argument("--seed", type=int, default=0, help="of splits, training and sampling (default 0)")
    options = parser.parse_args()
    if options.fresh:
        shutil.rmtree(HOME, ignore_errors=True)
    began = time.monotonic()
    HOME.mkdir(parents=True, exist_ok=True)
    if not (HOME / "base").exists():
        (REPO / "data" / "local" / "base").mkdir(parents=True, exist_ok=True)
        (HOME / "base").symlink_to("../base")
    sets = [samples(options.seed)]
    if DATA.is_file():
        sets.append(squad(options.seed))
    found = [(one, {how: benchmark(one, how, options.seed) for how in one.adapters}) for one in sets]
    PAGE.write_text("\n".join(page(found, options.seed, time.monotonic() - began)) + "\n", encoding="utf-8")
    for one, results in found:
        plot(one, results)
    sys.stdout.write(f"{PAGE.relative_to(REPO)} written after {(time.monotonic() - began) / 60:.0f} min\n")


def samples(seed: int) -> Set:
    """The made-up domain, with its tracked adapter and one trained on the same rows without passages."""
    run("rag", "add", str(SAMPLES / "documents"), "--index", "samples")
    train(PLAIN, SAMPLES / "rows.jsonl", "--rank", "8", "--alpha", "16", "--seed", str(seed))
    rows = ("--index", "samples", "--trained-too", "--train", str(SAMPLES / "rows.jsonl"))
    words = "the made-up domain of data/samples: 182 questions of seven kinds, passages searched"
    return Set(
        "samples", words, "rouge_l", (str(SAMPLES / "benchmark.jsonl"), *rows), {GROUNDED: "samples", PLAIN: PLAIN}
    )


def squad(seed: int) -> Set:
    """SQuAD's questions on articles that no training row touches, each with its passage and one of another article."""
    rows = list(squad_rows(seed))
    full = written(HOME / "squad.jsonl", rows)
    bare = written(HOME / "squad-bare.jsonl", [{k: v for k, v in row.items() if k != "passages"} for row in rows])
    settings = ("--epochs", "1", "--patience", "0", "--learning-rate", "1e-3", "--seed", str(seed))
    train("squad-grounded", full, "--max-length", "2048", *settings)
    train("squad-plain", bare, *settings)
    words = "120 questions on SQuAD passages of articles that were not trained on, the right passage and another given"
    adapters = {GROUNDED: "squad-grounded", PLAIN: "squad-plain"}
    return Set("squad", words, "f1", (str(full), "--passages", "given"), adapters)


def written(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def train(name: str, rows: Path, *options: str) -> None:
    if not (HOME / "adapters" / name).exists():
        run("tuning", "train", str(rows), "--name", name, "--no-assess", *options)


def benchmark(one: Set, how: str, seed: int) -> dict[str, Any]:
    out = HOME / f"{one.name}-{how}.json"
    options = ("--adapter", one.adapters[how], "--shots", *SHOTS[how], "--most", "200", "--seed", str(seed))
    run("eval", "benchmark", *one.options, *options, "--name", out.stem, "--json", str(out))
    result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    result["verdict"] = run("eval", "verdict", "--benchmark", out.stem, "--metric", one.metric, "--json")
    return result


def run(*command: str) -> dict[str, Any]:
    """What one of the program's commands prints as JSON, where it does."""
    sys.stderr.write(f"python -m {' '.join(command)}\n")
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=REPO,
        env={**os.environ, "FOURFOLD_HOME": str(HOME)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"python -m {' '.join(command)} ended with status {done.returncode}")
    last = done.stdout.strip().splitlines()[-1:] or [""]
    return dict(json.loads(last[0])) if last[0].startswith("{") else {}


Results = Mapping[str, Mapping[str, Any]]
"""A set's benchmark by how its adapter was trained."""


def page(found: Sequence[tuple[Set, Results]], seed: int, seconds: float) -> Iterator[str]:
    yield "# Evidence: which of the four wins, and on what"
    yield ""
    yield f"Written by `make evidence` (seed {seed}; the last run took {seconds / 60:.0f} minutes and used what was"
    yield "there of earlier ones). Base: the default model of 135 million parameters. Intervals are 95 %, by"
    yield "resampling whole sources; `+3` is a variant with three examples in its prompt. Two adapters are"
    yield f"compared: one trained on the rows as they are (**{PLAIN}**), and one on rows with the right passage"
    yield f"among others (**{GROUNDED}**)."
    for one, results in found:
        yield from part(one, results)
    yield from shapes({one.name: results for one, results in found})


def part(one: Set, results: Results) -> Iterator[str]:
    yield from ("", f"## {one.name}", "", f"On {one.words}. The figure is {WORDS[one.metric]}.", "")
    yield f"![Means by kind of question]({one.name}-evidence.png)"
    for how, result in results.items():
        verdict = result["verdict"]
        yield from ("", f"### With the {how} adapter", "")
        settled = "settled" if verdict["settled"] else "not settled"
        yield f"Verdict: **{verdict['recommendation']}** ({settled}). {verdict['reason']}"
        yield ""
        cells = list(result["variants"])
        yield from table(
            ["", "rows", *cells], [kind(name, table_of, cells, one.metric) for name, table_of in kinds(result)]
        )
        yield ""
        yield "What tuning, retrieval and the two together change, without examples:"
        yield ""
        names = ("tuning", "retrieval", "interaction")
        changes = [
            [name, *(shown(table_of["effects"][one.metric][effect], signed=True) for effect in names)]
            for name, table_of in kinds(result)
        ]
        yield from table(["", *names], changes)


def kinds(result: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [("all", result), *result["by_task"].items()]


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


WORDS = {
    "f1": "token F1 of the answer, in points of 100",
    "rouge_l": "ROUGE-L against the answer in house style, in points of 100",
}


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
    Shape("plain combined against rag", "samples", (P, "combined"), (P, "rag"), ("documents",), "holds", MAY_BE_BELOW),
    Shape("retrieval-aware combined above rag", "samples", (G, "combined"), (G, "rag"), (), "rouge_l"),
    Shape("retrieval-aware above plain combined", "samples", (G, "combined"), (P, "combined"), (), "rouge_l"),
    Shape("both needed: combined above tuned", "samples", (G, "combined"), (G, "tuned"), ("both",), "rouge_l"),
    Shape("both needed: combined above rag", "samples", (G, "combined"), (G, "rag"), ("both",), "rouge_l"),
    Shape("SQuAD: retrieval far above tuning", "squad", (P, "rag"), (P, "tuned")),
    Shape("SQuAD: tuning alone against base", "squad", (P, "tuned"), (P, "base"), expected=MAY_BE_BELOW),
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
    sides = []
    for how, cell in (shape.one, shape.other):
        mine = {one.digest: one for one in figures_from(results[how]) if not shape.kinds or one.task in shape.kinds}
        sides.append((mine, cell))
    (one, left), (other, right) = sides
    shared = [digest for digest in one if digest in other]
    values = column([one[d] for d in shared], left, shape.metric) - column(
        [other[d] for d in shared], right, shape.metric
    )
    whole = np.isfinite(values)
    sources = [one[digest].source for digest, fine in zip(shared, whole, strict=True) if fine]
    return spread(values[whole].tolist(), sources, [1.0] * len(sources), 1.0)


def said(gap: Interval, expected: int) -> str:
    if gap.below_zero:
        return "the other way round" if expected == 1 else "below, as some report" if expected else "below"
    if gap.above_zero:
        return "shown" if expected == 1 else "above"
    return "no difference shown" if expected != 0 else "shown: no difference seen"


def plot(one: Set, results: Results) -> None:
    """Means by kind of question, a panel for each adapter; saved as docs/NAME-evidence.png."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(len(results), 1, figsize=(9, 3.2 * len(results)), squeeze=False, sharey=True)
    for panel, (how, result) in zip(panels[:, 0], results.items(), strict=True):
        names = kinds(result)
        for number, (cell, colour) in enumerate(COLOURS.items()):
            means = [ends_of(mine["variants"][cell][one.metric]) for _, mine in names]
            values = [value for value, _, _ in means]
            reach = [[value - low for value, low, _ in means], [high - value for value, _, high in means]]
            places = [place + (number - 1.5) * 0.2 for place in range(len(names))]
            panel.bar(places, values, 0.19, color=colour, label=cell)
            panel.errorbar(places, values, reach, fmt="none", ecolor="#111827", elinewidth=0.8, capsize=2)
        panel.set_xticks(range(len(names)), [name for name, _ in names])
        panel.set_title(f"{one.name}, {how} adapter", loc="left", fontsize=10)
        panel.set_ylabel(one.metric)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0, 0].legend(ncols=4, frameon=False, fontsize=9)
    figure.tight_layout()
    figure.savefig(PLOTS / f"{one.name}-evidence.png", dpi=110)
    pyplot.close(figure)


def ends_of(mean: Mapping[str, Any]) -> tuple[float, float, float]:
    """A mean and the ends of its interval in points of 100; the ends are the mean where there is no interval."""
    value = 100 * (mean["value"] or 0.0)
    low, high = (value if mean[end] is None else 100 * mean[end] for end in ("low", "high"))
    return value, min(value, low), max(value, high)


if __name__ == "__main__":
    main()
