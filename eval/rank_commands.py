"""`python -m eval rank`: strengths and differences with intervals."""

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.commands import command, read_votes, show, table
from eval.errors import InputError

if TYPE_CHECKING:
    from eval.outcomes import Pairs
    from eval.ranking import Contrast, Effect, Ranking, Settings


def add(commands: Any) -> None:
    ranking = command(
        commands,
        "rank",
        rank,
        "Bradley-Terry strengths with clustered standard errors, and every difference with its interval",
        "votes.csv --json",
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


def rank(options: argparse.Namespace) -> None:
    """Rank the names of a CSV file, or the four variants of the app's own log."""
    from eval.outcomes import tally
    from eval.pairtable import read
    from eval.ranking import Settings, rank, rank_votes

    prior = Settings.prior if options.prior is None else options.prior
    settings = Settings(prior=prior, tie_policy=options.ties, level=options.level)
    extra = {}
    if options.votes is None:
        votes = read_votes()
        ranking, extra = rank_votes(votes, settings), {"counts": asdict(tally(votes))}
    elif options.prior is None:
        ranking = _rank_plainly(read(options.votes), settings)
    else:
        ranking = rank(read(options.votes), settings)
    show(options, ranking.to_json() | extra, _lines(ranking))


def _rank_plainly(pairs: "Pairs", settings: "Settings") -> "Ranking":
    """Without a prior where that has a finite fit, so that a table gets the figures that are published for it."""
    from eval.ranking import rank

    try:
        return rank(pairs, replace(settings, prior=0.0))
    except InputError:
        return rank(pairs, settings)


def _lines(ranking: "Ranking") -> list[str]:
    ties = "a tie is half a win" if ranking.settings.tie_policy == "half" else "ties left out"
    lines = [f"{ranking.votes} votes ({ties}; prior {ranking.settings.prior:g}; clustered by {ranking.clustered_by})"]
    if ranking.provisional:
        lines.append("Provisional: fewer than 10 votes.")
    level = f"{ranking.settings.level:.0%}"
    rows: list[tuple[str, ...]] = [("name", "log strength", level, "wins", "losses", "ties")]
    for row in ranking.strengths:
        record = (str(count) for count in (row.wins, row.losses, row.ties))
        rows.append((row.name, f"{row.log_strength:+.3f}", f"{row.low:+.3f} .. {row.high:+.3f}", *record))
    lines += table(rows)
    if ranking.contrasts:
        differences: list[tuple[str, ...]] = [("difference", "value", level, "p")]
        for contrast in ranking.contrasts:
            differences.append((f"{contrast.left} - {contrast.right}", *_cells(contrast.difference, contrast)))
        for effect in ranking.effects:
            differences.append((f"effect of {effect.name}", *_cells(effect.value, effect)))
        lines += ["", *table(differences)]
    return lines


def _cells(value: float, row: "Contrast | Effect") -> tuple[str, str, str]:
    return f"{value:+.3f}", f"{row.low:+.3f} .. {row.high:+.3f}", f"{row.p:.3f}"
