"""`python -m eval export`: the votes as files, as a data set of the Hub, or as a training run."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.commands import command, home, read_votes, show
from eval.errors import InputError

if TYPE_CHECKING:
    from eval.vote import Vote

FORMATS = ("json", "csv", "parquet", "dpo", "kto", "sft")
"""As in eval.export, whose imports take time that --help should not."""
TEXT = "write the votes that count to a file, whole or not at all, or train on them"


def add(commands: Any) -> None:
    writing = command(commands, "export", export, TEXT, "--format dpo preferences.jsonl --tune preferred")
    writing.add_argument("out", type=Path, nargs="?", metavar="OUT", help="the file to write")
    text = (
        "json: every vote whole; csv, parquet: a line an answer with all that was said of it; dpo: preferences, kto: "
        "feedback, sft: instructions to train on"
    )
    writing.add_argument("--format", choices=FORMATS, default="json", help=text)
    writing.add_argument("--push", metavar="OWNER/NAME", help="upload the export to this data set of the Hub too")
    writing.add_argument("--public", action="store_true", help="make that data set public (default: private)")
    text = "train on the votes: put a run into the queue that makes this adapter (dpo, kto and sft)"
    writing.add_argument("--tune", metavar="NAME", help=text)
    text = "with --tune, go on from this adapter (default: the one that was voted on; `base` for a fresh one)"
    writing.add_argument("--from", dest="start", metavar="ADAPTER", help=text)
    writing.add_argument("--base", metavar="MODEL", default=os.environ.get("FOURFOLD_BASE") or None)


def export(options: argparse.Namespace) -> None:
    """Write, push and train, as far as each is wanted."""
    from eval.export import LESSONS, lessons, write

    if not (options.out or options.push or options.tune):
        raise InputError("Nothing is asked for; give a file to write, --push OWNER/NAME or --tune NAME.")
    votes = read_votes()
    result: dict[str, Any] = {"format": options.format, "votes": len(votes)}
    lines = [f"{len(votes)} votes"]
    if options.format in LESSONS:
        _, report = lessons(votes, options.format)
        result["report"] = report.to_json()
        lines += report.in_words()
    if options.out:
        write(votes, options.format, options.out)
        result["path"] = str(options.out)
        lines.append(f"written to {options.out}")
    if options.push:
        from eval.hubexport import push

        result["url"] = push(votes, options.format, options.push, public=options.public)
        lines.append(f"pushed to {result['url']}")
    if options.tune:
        result["job"] = _tune(votes, options)
        lines.append(f"run {result['job']} is in the queue; `python -m tuning runs` shows it")
    show(options, result, lines)


def _tune(votes: "list[Vote]", options: argparse.Namespace) -> str:
    from eval.tuning_on_votes import tune
    from eval.workbench import SAMPLES

    shelves = (home() / "adapters", SAMPLES / "adapter")
    return tune(votes, options.format, options.tune, home(), shelves, options.start, options.base).id
