"""What the commands of `python -m eval` share: where things lie, the votes, a command's frame, how results look."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.errors import InputError

if TYPE_CHECKING:
    from eval.ballot import Ballot
    from eval.votes import Vote, Votes

REPO = Path(__file__).resolve().parent.parent


def home() -> Path:
    """Where everything that is written at run time lives."""
    return Path(os.environ.get("FOURFOLD_HOME") or REPO / "data" / "local").expanduser()


@contextmanager
def vote_log() -> "Iterator[Votes]":
    """The app's own log while the block runs. Raises InputError where it cannot be read or written."""
    from eval.votes import StoreError, Votes, database_url

    try:
        log = Votes(os.environ.get("FOURFOLD_DATABASE_URL") or database_url(home()))
        try:
            yield log
        finally:
            log.close()
    except StoreError as error:
        raise InputError(str(error)) from error


def read_votes() -> "list[Vote]":
    """The votes of the app's own log that count."""
    with vote_log() as log:
        return log.votes()


def read_ballots() -> "list[Ballot]":
    """What the statistics read of the votes that count."""
    with vote_log() as log:
        return log.ballots()


def command(
    commands: Any,
    name: str,
    function: Callable[[argparse.Namespace], int | None],
    text: str,
    example: str,
    json_file: bool = False,
) -> argparse.ArgumentParser:
    """A command with its help and `--json`. `example` is what follows `python -m eval NAME`.

    With `json_file`, `--json` may be followed by a file, which then holds the same object.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=f"Example: python -m eval {name} {example}".rstrip(),
    )
    if json_file:
        text = "print one JSON object as the last line, and write it to OUT where that is given"
        parser.add_argument("--json", nargs="?", const=True, default=False, metavar="OUT", help=text)
    else:
        parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.set_defaults(command=function)
    return parser


def show(options: argparse.Namespace, result: Mapping[str, Any], lines: Sequence[str]) -> None:
    """The result: for machines or for readers."""
    print(json.dumps(result, allow_nan=False) if options.json else "\n".join(lines))


def progress(text: str) -> None:
    """Tell how far long work is, where somebody watches."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr)


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of columns; all but the first are aligned to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        first, *rest = (
            cell.ljust(width) if not number else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join((first, *rest)).rstrip())
    return lines
