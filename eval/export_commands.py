"""`python -m eval export`: the votes as files."""

import argparse
from pathlib import Path
from typing import Any

from eval.commands import command, read_votes, show

FORMATS = ("json", "csv", "dpo", "kto", "sft")  # as in eval.export, whose imports take time that --help should not


def add(commands: Any) -> None:
    writing = command(
        commands,
        "export",
        export,
        "write the votes that count to a file, whole or not at all",
        "--format json votes.json",
    )
    writing.add_argument("out", type=Path, metavar="OUT", help="the file to write")
    writing.add_argument(
        "--format", choices=FORMATS, default="json", help="json: every vote whole; csv: a line an answer"
    )


def export(options: argparse.Namespace) -> None:
    """Write the votes that count to a file."""
    from eval.export import write

    votes = read_votes()
    write(votes, options.format, options.out)
    result = {"path": str(options.out), "format": options.format, "votes": len(votes)}
    show(options, result, [f"{len(votes)} votes written to {options.out}"])
