"""`python -m eval rank`: strengths and differences with intervals."""

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.commands import command, read_ballots, show, table
from eval.errors import InputError

if TYPE_CHECKING:
    from eval.choices import Choices
    from eval.fitted import Settings
    from eval.ranking import Contrast, Effect, Ranking


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
    ranking.add_argument(
        "--ties", choices=("davidson", "half", "drop", "rao-kupper"),
        help="davidson: how often ties come is estimated, and they speak for equal strength; half: half a win each; "
        "drop: left out; rao-kupper: another model, for pairs; default: davidson for the app's log, half for a file",
    )  # fmt: skip
    ranking.add_argument("--level", type=float, default=0.95, help="of the intervals (default 0.95)")
    ranking.add_argument("--position", action="store_true", help="estimate what each place on the screen adds")
    ranking.add_argument(
        "--adjust", nargs="+", default=[], metavar="PROPERTY",
        help="compare at equal length and format of the answers: length, format; for a file the names of columns "
        "left_NAME and right_NAME",
    )  # fmt: skip
    ranking.add_argument(
        "--judges", action="store_true", help="the votes of language models instead of those of people"
    )
    ranking.add_argument(
        "--bootstrap", type=int, default=0, metavar="TIMES",
        help="check the intervals by resampling prompts and raters so often, such as 1000",
    )  # fmt: skip


def rank(options: argparse.Namespace) -> None:
    """Rank the names of a CSV file, or the four variants of the app's own log."""
    from eval.bootstrap import bootstrap
    from eval.fitted import Settings
    from eval.matches import Matched, matches, sentence
    from eval.outcomes import choices_of, tally
    from eval.pairtable import read
    from eval.ranking import rank

    if options.bootstrap < 0:
        raise InputError(f"--bootstrap {options.bootstrap} is below 0; give a number such as 1000.")
    settings = Settings(
        prior=Settings.prior if options.prior is None else options.prior,
        tie_policy=options.ties or ("half" if options.votes else "davidson"),
        level=options.level,
        position=options.position,
        adjust=tuple(options.adjust),
    )
    extra: dict[str, Any] = {}
    parents: tuple[Matched, ...] = ()
    if options.votes is None:
        votes = read_ballots()
        choices = choices_of(votes, settings.adjust, "judge" if options.judges else "person")
        extra["counts"] = asdict(tally(votes))
        parents = matches(votes)
        extra["parents"] = [row.to_json() for row in parents]
    else:
        choices = read(options.votes, settings.adjust)
    plain = options.votes is not None and options.prior is None
    ranking = _rank_plainly(choices, settings) if plain else rank(choices, settings)
    if options.bootstrap:
        extra["bootstrap"] = bootstrap(choices, ranking, options.bootstrap)
    apart = ["", *map(sentence, parents)] if parents else []
    show(options, ranking.to_json() | extra, [*_lines(ranking, extra), *apart])


def _rank_plainly(choices: "Choices", settings: "Settings") -> "Ranking":
    """Without a prior where that has a finite fit, so that a table gets the figures that are published for it."""
    from eval.ranking import rank

    try:
        return rank(choices, replace(settings, prior=0.0))
    except InputError:
        return rank(choices, settings)


TIES = {
    "davidson": "ties by Davidson",
    "half": "a tie is half a win",
    "drop": "ties left out",
    "rao-kupper": "ties by Rao and Kupper",
}


def _lines(ranking: "Ranking", extra: "dict[str, Any]") -> list[str]:
    both = ranking.raters > 1 and ranking.clustered_by != "rater"
    by = f"{ranking.clustered_by} and rater" if both else ranking.clustered_by
    settings = ranking.settings
    lines = [f"{ranking.votes} votes ({TIES[settings.tie_policy]}; prior {settings.prior:g}; clustered by {by})"]
    if ranking.provisional:
        lines.append("Provisional: fewer than 10 votes.")
    lines += ranking.warnings
    level = f"{settings.level:.0%}"
    rows: list[tuple[str, ...]] = [("name", "log strength", level, "best", "wins", "losses", "ties")]
    for row in ranking.strengths:
        record = (str(count) for count in (row.wins, row.losses, row.ties))
        rows.append((row.name, f"{row.log_strength:+.3f}", _span(row.low, row.high), f"{row.p_best:.0%}", *record))
    lines += table(rows)
    if ranking.contrasts:
        lines += ["", *table(_differences(ranking, level))]
    if ranking.terms:
        terms = [(row.name, f"{row.value:+.3f}", _span(row.low, row.high)) for row in ranking.terms]
        lines += ["", *table([("also estimated", "value", level), *terms])]
    if "bootstrap" in extra:
        lines += ["", *table([("bootstrap", "from", "to"), *_resampled(extra["bootstrap"])])]
    return lines


def _differences(ranking: "Ranking", level: str) -> list[tuple[str, ...]]:
    head = ("difference", "value", level, f"{level} at every look", "wins", "p (Holm)", "votes to settle")
    rows: list[tuple[str, ...]] = [head]
    for contrast in ranking.contrasts:
        rows.append((f"{contrast.left} - {contrast.right}", *_cells(contrast.difference, contrast)))
    for effect in ranking.effects:
        rows.append((f"effect of {effect.name}", *_cells(effect.value, effect)))
    return rows


def _cells(value: float, row: "Contrast | Effect") -> tuple[str, ...]:
    needed = "over 100,000" if row.votes_needed is None else f"{row.votes_needed:,} more"
    needed = "settled" if row.settled else "unknown" if row.p == 1.0 else needed
    looks = _span(row.anytime_low, row.anytime_high)
    return f"{value:+.3f}", _span(row.low, row.high), looks, f"{row.win_rate:.0%}", f"{row.p_holm:.3f}", needed


def _resampled(record: "dict[str, Any]") -> list[tuple[str, str, str]]:
    return [(row["name"], f"{row['low']:+.3f}", f"{row['high']:+.3f}") for row in record["differences"]]


def _span(low: float, high: float) -> str:
    return f"{low:+.3f} .. {high:+.3f}"
