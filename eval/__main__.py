"""Commands over votes: rank, export. Run `python -m eval --help`."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from eval.errors import InputError

if TYPE_CHECKING:
    from eval.outcomes import Pairs
    from eval.ranking import Contrast, Effect, Ranking, Settings
    from eval.vote import Vote

REPO = Path(__file__).resolve().parent.parent
FORMATS = ("json", "csv", "dpo", "kto", "sft")  # as in eval.export, whose imports take time that --help should not


def main(arguments: list[str] | None = None) -> int:
    """Run a command; exit status 0, or 2 for what the user has to correct."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = options.command
    try:
        command(options)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, say `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def rank(options: argparse.Namespace) -> None:
    """Rank the names of a CSV file, or the four variants of the app's own log."""
    from eval.outcomes import tally
    from eval.pairtable import read
    from eval.ranking import Settings, rank, rank_votes

    prior = Settings.prior if options.prior is None else options.prior
    settings = Settings(prior=prior, tie_policy=options.ties, level=options.level)
    extra = {}
    if options.votes is None:
        votes = _votes()
        ranking, extra = rank_votes(votes, settings), {"counts": asdict(tally(votes))}
    elif options.prior is None:
        ranking = _rank_plainly(read(options.votes), settings)
    else:
        ranking = rank(read(options.votes), settings)
    if options.json:
        print(json.dumps(ranking.to_json() | extra, allow_nan=False))
    else:
        _print(ranking)


def _rank_plainly(pairs: "Pairs", settings: "Settings") -> "Ranking":
    """Without a prior where that has a finite fit, so that a table gets the figures that are published for it."""
    from eval.ranking import rank

    try:
        return rank(pairs, replace(settings, prior=0.0))
    except InputError:
        return rank(pairs, settings)


def export(options: argparse.Namespace) -> None:
    """Write the votes that count to a file."""
    from eval.export import write

    votes = _votes()
    write(votes, options.format, options.out)
    if options.json:
        print(json.dumps({"path": str(options.out), "format": options.format, "votes": len(votes)}))
    else:
        print(f"{len(votes)} votes written to {options.out}")


def _votes() -> list["Vote"]:
    from eval.votes import StoreError, Votes, database_url

    home = Path(os.environ.get("FOURFOLD_HOME") or REPO / "data" / "local")
    try:
        log = Votes(os.environ.get("FOURFOLD_DATABASE_URL") or database_url(home))
        try:
            return log.votes()
        finally:
            log.close()
    except StoreError as error:
        raise InputError(str(error)) from error


def _print(ranking: "Ranking") -> None:
    ties = "a tie is half a win" if ranking.settings.tie_policy == "half" else "ties left out"
    print(f"{ranking.votes} votes ({ties}; prior {ranking.settings.prior:g}; clustered by {ranking.clustered_by})")
    if ranking.provisional:
        print("Provisional: fewer than 10 votes.")
    level = f"{ranking.settings.level:.0%}"
    rows: list[tuple[str, ...]] = [("name", "log strength", level, "wins", "losses", "ties")]
    for row in ranking.strengths:
        record = (str(count) for count in (row.wins, row.losses, row.ties))
        rows.append((row.name, f"{row.log_strength:+.3f}", f"{row.low:+.3f} .. {row.high:+.3f}", *record))
    _print_table(rows)
    if ranking.contrasts:
        differences: list[tuple[str, ...]] = [("difference", "value", level, "p")]
        for contrast in ranking.contrasts:
            differences.append((f"{contrast.left} - {contrast.right}", *_cells(contrast.difference, contrast)))
        for effect in ranking.effects:
            differences.append((f"effect of {effect.name}", *_cells(effect.value, effect)))
        print()
        _print_table(differences)


def _cells(value: float, row: "Contrast | Effect") -> tuple[str, str, str]:
    return f"{value:+.3f}", f"{row.low:+.3f} .. {row.high:+.3f}", f"{row.p:.3f}"


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *rest = (
            cell.ljust(width) if not number else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join((first, *rest)).rstrip())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m eval", description="Rank and export blind votes.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    ranking = commands.add_parser(
        "rank",
        help="strengths and differences with intervals",
        description="Bradley-Terry strengths with clustered standard errors, and every difference with its interval.",
        epilog="Example: python -m eval rank votes.csv --json",
    )
    ranking.add_argument(
        "votes", nargs="?", type=Path, metavar="votes.csv",
        help="columns left, right, winner (a side's name, left, right or tie), and if wanted prompt, by which errors "
        "are clustered, and rater; without a file: the app's own log",
    )  # fmt: skip
    ranking.add_argument(
        "--prior", type=float, metavar="RIDGE",
        help="on the log strengths; default: 0.5 for the app's log, and for a file only where none has no finite fit",
    )  # fmt: skip
    ranking.add_argument("--ties", choices=("half", "drop"), default="half", help="half a win each, or left out")
    ranking.add_argument("--level", type=float, default=0.95, help="of the intervals (default 0.95)")
    ranking.add_argument("--json", action="store_true", help="print one JSON object")
    ranking.set_defaults(command=rank)

    writing = commands.add_parser(
        "export",
        help="write the votes to a file",
        description="Write the votes that count to a file, whole or not at all.",
        epilog="Example: python -m eval export --format json votes.json",
    )
    writing.add_argument("out", type=Path, metavar="OUT", help="the file to write")
    writing.add_argument(
        "--format", choices=FORMATS, default="json", help="json: every vote whole; csv: a line an answer"
    )
    writing.add_argument("--json", action="store_true", help="print one JSON object")
    writing.set_defaults(command=export)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
