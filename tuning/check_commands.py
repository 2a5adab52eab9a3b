"""The command that says what becomes of each row, before anything is trained."""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuning.commands import base_option, command, home, show
from tuning.config import TrainConfig
from tuning.recipe_options import read_recipe, recipe_options

if TYPE_CHECKING:
    from tuning.dialogues import Dataset
    from tuning.preview import Preview
    from tuning.report import Finding

EXAMPLE = "rows.jsonl reviews.csv --columns prompt=question,response=answer"
WIDTH = 40
"""Characters of the longest bar."""


def add(commands: Any) -> None:
    """Add the command to those of `python -m tuning`."""
    parser = command(commands, "check", check, "what becomes of each row, before anything is trained", EXAMPLE)
    recipe_options(parser)
    default, meanings = TrainConfig(), TrainConfig.meanings()
    for name, metavar in (("max_length", "TOKENS"), ("batch_size", "ROWS"), ("seed", "N")):
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=int,
            metavar=metavar,
            default=getattr(default, name),
            help=meanings[name],
        )
    base_option(parser)


def check(options: argparse.Namespace) -> int:
    config = TrainConfig(max_length=options.max_length, batch_size=options.batch_size, seed=options.seed)
    with tempfile.TemporaryDirectory() as folder:
        recipe = read_recipe(options, Path(folder))
        recipe.rows()  # what is wrong with a file is told before the tokenizer, whose loading takes seconds

        from tuning.base import load_tokenizer
        from tuning.dialogues import load
        from tuning.preview import first_batch
        from tuning.worker import quiet

        quiet()
        tokenizer = load_tokenizer(options.base, home())
        data = load(recipe, tokenizer, config.max_length, config.seed)
        batch = first_batch(data, tokenizer, config.batch_size, config.seed)
    show(options, _record(data, batch), list(_lines(data, batch)))
    return 0


def _record(data: "Dataset", batch: Sequence["Preview"]) -> dict[str, Any]:
    parts = {name: len(getattr(data.splits, name)) for name in ("train", "validation", "test")}
    report = data.report
    return {
        "file": data.file,
        "sha256": data.sha256,
        "kind": data.kind,
        "rows": len(report.kept) + len(report.dropped),
        **report.as_json(),
        "notes": [*report.notes, *data.splits.notes],
        "splits": parts,
        "first_batch": [one.as_json() for one in batch],
    }


def _lines(data: "Dataset", batch: Sequence["Preview"]) -> Iterator[str]:
    report, splits = data.report, data.splits
    colours = sys.stdout.isatty()
    yield f"The first batch as the model will see it; it learns to write what is {'green' if colours else 'in ⟦ ⟧'}:"
    for one in batch:
        yield f"--- {one.place}"
        yield one.marked(colours)
        if one.rejected is not None:
            yield f"--- {one.place}, the answer that is to become less likely\n{one.rejected}"
    yield ""
    total = len(report.kept) + len(report.dropped)
    yield f"{data.file}: {total} rows, {len(report.kept)} kept, {len(report.dropped)} dropped, {len(report.cut)} cut"
    yield from _findings("dropped", report.dropped)
    yield from _findings("cut", report.cut)
    yield from _findings("nearly repeated (kept)", report.near)
    yield from _findings("leaks from training into what is held out", report.leaks)
    yield f"{len(splits.train)} rows train, {len(splits.validation)} validate, {len(splits.test)} test ({data.kind})"
    yield f"{report.answer_tokens:,} answer tokens; tokens a row:"
    most = max(rows for _, _, rows in report.histogram)
    for low, high, rows in report.histogram:
        span = f"{low:>6} to {high - 1:<6}" if high - low > 1 else f"{low:>6}{'':10}"
        yield f"  {span} {'█' * -(-rows * WIDTH // most):<{WIDTH}} {rows}"
    for note in (*report.notes, *splits.notes):
        yield f"note: {note}"


def _findings(title: str, findings: Sequence["Finding"]) -> Iterator[str]:
    if findings:
        yield f"{title}: {len(findings)}"
    for finding in findings:
        yield f"  {finding.place}: {finding.reason}"
