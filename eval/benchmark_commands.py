"""The command that compares the four variants on held-out rows."""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval import pace
from eval.commands import command, home, show, table
from eval.errors import InputError
from eval.pace import Pace

if TYPE_CHECKING:
    from eval.benchmark import Plan
    from eval.workbench import Workbench

EXAMPLE = "data/samples/rows.jsonl --adapter samples --index samples"
WORTH_COMPILING = 200
"""Answers that win back the minute for which the decoder is compiled."""
TEXT = "ask the four variants held-out rows and score their answers, without people"


def add(commands: Any) -> None:
    """Add the command to those of `python -m eval`."""
    parser = command(commands, "benchmark", benchmark, TEXT, EXAMPLE, json_file=True)
    text = "what to ask; of rows with a split the test rows (default: those kept with the adapter, which it never saw)"
    parser.add_argument("rows", nargs="?", type=Path, help=text)
    parser.add_argument("--adapter", required=True, metavar="NAME", help="of the variants tuned and combined")
    text = "let base and rag run this adapter, to see what training on from it has added (default: the bare base)"
    parser.add_argument("--parent", metavar="NAME", help=text)
    parser.add_argument("--index", metavar="NAME", help="of the variants rag and combined")
    parser.add_argument("--name", help="what the benchmark is called, to go on with it later (default: ADAPTER-INDEX)")
    parser.add_argument("--most", type=int, default=120, metavar="N", help="ask so many rows at most (default 120)")
    parser.add_argument("--trained-too", action="store_true", help="ask rows that the adapter was trained on as well")
    text = "what the index finds (search, the default), or those that each row brings (given)"
    parser.add_argument("--passages", metavar="search|given", default="search", help=text)
    parser.add_argument("--count", type=int, default=3, metavar="N", help="passages of a search (default 3)")
    text = "let rag and combined answer also where the passages found are below the index's floor"
    parser.add_argument("--no-floor", action="store_true", help=text)
    text = "examples in the prompt: `0 3` compares the four without any and with three (default 0)"
    parser.add_argument("--shots", type=int, nargs="+", default=[0], metavar="N", help=text)
    text = "the same examples always (fixed, the default), or those nearest to the question (nearest)"
    parser.add_argument("--examples", metavar="fixed|nearest", default="fixed", help=text)
    parser.add_argument(
        "--train", type=Path, metavar="FILE", help="rows of the examples (default: training rows of ROWS)"
    )
    parser.add_argument("--max-tokens", type=int, default=64, metavar="N", help="of an answer (default 64)")
    parser.add_argument("--temperature", type=float, default=0.0, help="(default 0: the likeliest token each time)")
    parser.add_argument("--seed", type=int, default=0)
    text = "questions answered one by one, as a user waits for them (default 8); all others share their steps"
    parser.add_argument("--timed", type=int, default=8, metavar="N", help=text)
    parser.add_argument("--base", metavar="MODEL", default=os.environ.get("FOURFOLD_BASE") or None)
    parser.add_argument("--embedder", metavar="MODEL", default=os.environ.get("FOURFOLD_EMBEDDER") or None)


def benchmark(options: argparse.Namespace) -> None:
    """Ask, score and say what came of it."""
    from eval.benchmark import run
    from eval.questions import rows_to_ask
    from eval.workbench import SAMPLES
    from tuning.adapters import check_name, find_adapter

    out = _json_file(options.json)
    adapter = find_adapter(options.adapter, home() / "adapters", SAMPLES / "adapter")
    plan = _plan(options)
    folder = home() / "benchmarks" / check_name(options.name or f"{plan.adapter}-{plan.index or 'given'}"[:64])
    shots = max(plan.shots)
    rows, training, notes = rows_to_ask(adapter, options.rows, options.most, options.trained_too, options.train, shots)
    workbench = _workbench(options)
    meter = Meter()

    def report(event: Mapping[str, Any]) -> None:
        if "before" in event and event["done"] < event["answers"]:
            workbench.warm_up_first(compile_missing=event["answers"] - event["done"] >= WORTH_COMPILING)
        meter(event)

    result = run(workbench, rows, training, plan, folder, report)
    meter.close()
    result = {**result, "notes": [*notes, *result["notes"]], "folder": str(folder)}
    if out:
        _write(out, result)
    for note in result["notes"]:
        sys.stderr.write(f"note: {note}\n")
    show(options, {name: value for name, value in result.items() if name != "figures"}, in_words(result))


def _json_file(given: bool | str) -> Path | None:
    """The file after --json. Raises InputError for one that would be lost, as rows given in its place would be."""
    if isinstance(given, bool):
        return None
    path = Path(given)
    if path.suffix != ".json":
        raise InputError(
            f"--json {path} does not end in .json; give the rows before --json, and a .json file after it."
        )
    return path


def _plan(options: argparse.Namespace) -> "Plan":
    from eval.benchmark import Plan

    if options.most < 1:
        raise InputError(f"--most {options.most} asks nothing; give 1 or more.")
    return Plan(
        adapter=options.adapter,
        parent=options.parent,
        index=options.index if options.passages != "given" else None,
        shots=tuple(sorted(set(options.shots))),
        examples=options.examples,
        passages=options.passages,
        count=options.count,
        floor=not options.no_floor,
        max_tokens=options.max_tokens,
        temperature=options.temperature,
        seed=options.seed,
        timed=options.timed,
    )


def _workbench(options: argparse.Namespace) -> "Workbench":
    from eval.workbench import Workbench
    from tuning.worker import quiet

    quiet()
    workbench = Workbench(home(), options.base, options.embedder, os.environ.get("FOURFOLD_INT8", "") not in ("", "0"))
    workbench.load()
    return workbench


class Meter:
    """How far it is, on a line that is written over, where somebody watches."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._pace, self._last = Pace(), 0.0

    def __call__(self, event: Mapping[str, Any]) -> None:
        left, now = self._pace.left(event), time.monotonic()
        if not self._shown or now - self._last < 0.5:
            return
        self._last = now
        sys.stderr.write(f"\r\033[K{pace.in_words(event['done'], event['answers'], left)}")
        sys.stderr.flush()

    def close(self) -> None:
        if self._shown:
            sys.stderr.write("\r\033[K")


def _write(path: Path, result: Mapping[str, Any]) -> None:
    from tuning.process import write_json

    try:
        json.dumps(result, allow_nan=False)
        write_json(path, result)
    except OSError as error:
        raise InputError(
            f"{path} could not be written ({error.strerror}); give a file in a folder with room."
        ) from error


def in_words(result: Mapping[str, Any]) -> list[str]:
    """The result as lines of text: each cell's means, then what tuning and retrieval change."""
    from eval.metrics import METRICS

    ids = list(result["variants"])
    lines = [f"{result['rows']} rows from {result['sources']} sources, answered by {result['base']['name']}"]
    rows = [["", *ids]]
    for metric, about in METRICS.items():
        cells = [_cell(result["variants"][id][metric], about.shape) for id in ids]
        rows.append([about.words, *cells])
    lines += ["", *table(rows), "", "What each ingredient changes, with 95 % intervals:"]
    changes = [["", "tuning", "retrieval", "interaction"]]
    for metric, about in METRICS.items():
        effects = result["effects"][metric]
        changes.append([about.words, *(_change(effects[name], about.shape) for name in changes[0][1:])])
    lines += table(changes)
    for task, part in result["by_task"].items():
        kinds = [[f"{task} ({part['rows']} rows)", *ids]]
        for metric in ("f1", "holds", "rouge_l", "refused_rightly"):
            cells = [_cell(part["variants"][id][metric], METRICS[metric].shape) for id in ids]
            if any(not cell.startswith("NaN") for cell in cells):
                kinds.append([METRICS[metric].words, *cells])
        lines += ["", *table(kinds)]
    return lines


def _cell(found: Mapping[str, Any], shape: str) -> str:
    """A mean; NaN with how many rows had nothing to measure, else their count where there are some."""
    if found["value"] is None:
        return f"NaN ({found['missing']})"
    return shape.format(found["value"]) + (f" ({found['missing']} NaN)" if found["missing"] else "")


def _change(found: Mapping[str, Any], shape: str) -> str:
    if found["value"] is None:
        return "NaN"
    signed = shape.replace("{:", "{:+")
    if found["low"] is None:
        return f"{signed.format(found['value'])} (no interval)"
    return f"{signed.format(found['value'])} [{signed.format(found['low'])}, {signed.format(found['high'])}]"
