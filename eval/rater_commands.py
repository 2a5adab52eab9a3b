"""`python -m eval raters` and `judge`: how far people agree, who does not seem to read, and an AI judge beside them."""

import argparse
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from eval.commands import command, progress, read_votes, show, table, vote_log
from eval.errors import InputError

if TYPE_CHECKING:
    from eval.agreement import RaterReport
    from eval.alpha import Alpha
    from eval.judging import JudgeReport


def add(commands: Any) -> None:
    raters = command(
        commands,
        "raters",
        list_raters,
        "how far raters agree (Krippendorff's alpha), and who clicks a pane, at random, or too fast to have read",
        "--campaign support",
    )
    raters.add_argument("--campaign", metavar="NAME", help="only its votes; default: all")
    judge = command(
        commands,
        "judge",
        judge_votes,
        "have an AI judge compare the answers that people voted on; prompts, passages and answers are sent to"
        " FOURFOLD_JUDGE_URL, any OpenAI-compatible endpoint, for FOURFOLD_JUDGE_MODEL, with FOURFOLD_JUDGE_KEY",
        "--limit 60",
    )
    judge.add_argument("--limit", type=int, metavar="N", help="at most so many pairs now; the next run goes on")
    judge.add_argument("--at-once", type=int, default=4, metavar="N", help="calls under way at a time (default 4)")


def list_raters(options: argparse.Namespace) -> None:
    from eval.agreement import agreements, rater_reports
    from eval.judging import judge_reports

    with vote_log() as log:
        votes = [vote for vote in log.ballots() if options.campaign in (None, vote.campaign)]
    found, raters, judges = agreements(votes), rater_reports(votes), judge_reports(votes)
    result = {
        "agreement": {name: asdict(value) for name, value in found.items()},
        "raters": [asdict(report) for report in raters],
        "judges": [asdict(report) for report in judges],
    }
    lines = [*agreement_lines(found), "", *rater_lines(raters)]
    show(options, result, [*lines, *([""] if judges else []), *_judge_lines(judges)])


def judge_votes(options: argparse.Namespace) -> None:
    from eval.judge import Judge, settings_of
    from eval.judging import Tally, judge_pairs, judge_reports, open_pairs

    settings = settings_of(os.environ)
    if settings is None:
        raise InputError(
            "No judge is set: name an OpenAI-compatible endpoint by FOURFOLD_JUDGE_URL and FOURFOLD_JUDGE_MODEL."
        )
    for name, value in (("--limit", options.limit), ("--at-once", options.at_once)):
        if value is not None and value < 1:
            raise InputError(f"{name} is {value}; give 1 or more.")
    waiting = open_pairs(read_votes(), settings.rater)
    pairs = waiting[: options.limit]
    print(settings.warning, file=sys.stderr)
    judge, tally = Judge(settings), Tally(len(pairs))
    with vote_log() as log:
        try:
            for tally in judge_pairs(judge, pairs, log, options.at_once):
                progress(f"{tally.done} of {tally.pairs} pairs")
        finally:
            judge.close()
        reports: list[JudgeReport] = judge_reports(log.ballots())
    left = len(waiting) - tally.judged
    lines = [
        f"{tally.judged} pairs judged, {tally.inconsistent} of them otherwise once the answers changed places (ties);"
        f" {left} left."
    ]
    if tally.failed:
        lines.append(f"{tally.failed} not judged, to be asked again by the next run: {tally.reason}.")
    result = asdict(tally) | {"left": left, "agreement": [asdict(report) for report in reports]}
    show(options, result, [*lines, *_judge_lines(reports)])


def agreement_lines(found: "dict[str, Alpha]") -> list[str]:
    """Each judgement's agreement as a line, with what must be known about it."""
    rows: list[tuple[str, ...]] = [("agreement on", "alpha", "95%", "units", "raters")]
    for name, value in found.items():
        shown = "-" if value.value is None else f"{value.value:.2f}"
        rows.append((name, shown, f"{value.low:.2f} .. {value.high:.2f}", str(value.units), str(value.raters)))
    return [*table(rows), *(f"{name}: {value.note}" for name, value in found.items() if value.note)]


def rater_lines(raters: "list[RaterReport]") -> list[str]:
    """A line for each rater, then what speaks against some."""
    if not raters:
        return ["No blind votes yet."]
    rows: list[tuple[str, ...]] = [("rater", "votes", "favourite pane", "agrees", "chance", "words/min", "twice alike")]
    for report in raters:
        favourite, accord, speed = report.favourite, report.accord, report.words_a_minute
        rows.append(
            (
                report.rater,
                str(report.votes),
                f"{favourite.pane.removeprefix('pane ')} {favourite.picks}/{favourite.votes}" if favourite else "-",
                f"{accord.value:.0%} of {accord.units}" if accord else "-",
                f"{accord.chance:.0%}" if accord else "-",
                f"{speed:.0f}" if speed else "-",
                f"{report.repeated_alike}/{report.repeated}" if report.repeated else "-",
            )
        )
    remarks = [f"{report.rater} {remark}" for report in raters for remark in report.remarks]
    return [*table(rows), *remarks]


def _judge_lines(reports: "list[JudgeReport]") -> list[str]:
    lines = []
    for report in reports:
        share = (
            "no pair that people decided"
            if report.value is None
            else f"as people in {report.value:.0%} ({report.low:.0%} to {report.high:.0%}) of {report.shared} pairs"
        )
        value = report.alpha
        shown = "not defined" if value.value is None else f"{value.value:.2f} ({value.low:.2f} to {value.high:.2f})"
        lines.append(f"{report.rater}: {report.votes} votes, {report.ties} ties; {share}; alpha {shown}")
    return lines
