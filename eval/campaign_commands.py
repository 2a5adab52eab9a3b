"""`python -m eval campaign`: prompts that several raters rate."""

import argparse
import os
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.commands import command, home, progress, show, table, vote_log
from eval.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from eval.campaign import Standing
    from eval.campaigns import Campaigns

EXAMPLES = """examples:
  python -m eval campaign new support questions.txt --raters 3 --overlap 10 --adapter samples --index samples
  python -m eval campaign answer support      compute all answers now, so that no rater waits
  python -m eval campaign status support
  python -m eval campaign list
  python -m eval campaign close support
"""


def add(commands: Any) -> None:
    top = commands.add_parser(
        "campaign",
        help="prompts that several raters rate, each with the same stored answers",
        description="Prompts that several raters rate, each with the same stored answers. Raters open"
        " the Compare page with ?campaign=NAME.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = top.add_subparsers(required=True, metavar="WHAT")
    new = _kind(kinds, "new", create, "start one from a file of prompts", "support questions.txt --raters 3")
    new.add_argument("name", metavar="NAME", help="letters, digits, - and _")
    new.add_argument("file", type=Path, metavar="FILE", help="a prompt a line, or a table with a column question")
    new.add_argument("--raters", type=int, default=3, help="people that each shared prompt needs (default 3)")
    new.add_argument("--overlap", type=int, metavar="N", help="prompts that all raters share; the others are rated by"
                     " one each (default: all)")  # fmt: skip
    new.add_argument("--retest", type=int, default=0, metavar="N", help="prompts shown to each rater a second time")
    new.add_argument("--seed", type=int, default=0, help="of the order and of the choice of shared prompts")
    new.add_argument("--adapter", default="samples", help="for tuned and combined (default samples)")
    new.add_argument("--index", default="samples", help="for rag and combined (default samples)")
    new.add_argument("--passages", type=int, default=3, help="that rag and combined are given (default 3)")
    new.add_argument("--temperature", type=float, default=0.0, help="0: always the likeliest word (default)")
    new.add_argument("--max-tokens", type=int, default=160, help="of an answer (default 160)")
    new.add_argument("--mode", choices=("best", "ranking", "pair"), default="best", help="what raters are asked")
    for name, function, text in (
        ("answer", answer, "compute the answers that are missing, so that no rater waits for them"),
        ("status", status, "how far it is, by rater, and how far raters agree"),
        ("close", close, "hand no prompt out any more"),
    ):
        _kind(kinds, name, function, text, "support").add_argument("name", metavar="NAME")
    _kind(kinds, "list", list_all, "all campaigns", "")


def _kind(
    kinds: Any, name: str, function: "Callable[[argparse.Namespace], None]", text: str, example: str
) -> argparse.ArgumentParser:
    parser = command(kinds, name, function, text, example)
    parser.epilog = f"Example: python -m eval campaign {name} {example}".rstrip()
    return parser


@contextmanager
def _campaigns() -> "Iterator[Campaigns]":
    from eval.campaigns import Campaigns
    from eval.votes import StoreError, database_url

    with vote_log():  # brings the tables to this version
        campaigns = Campaigns(os.environ.get("FOURFOLD_DATABASE_URL") or database_url(home()))
        try:
            yield campaigns
        except StoreError as error:
            raise InputError(str(error)) from error
        finally:
            campaigns.dispose()


def create(options: argparse.Namespace) -> None:
    from eval.prompts import read_prompts
    from eval.setup import Setup

    setup = Setup(
        adapter=options.adapter,
        index=options.index,
        passages=options.passages,
        temperature=options.temperature,
        max_tokens=options.max_tokens,
        seed=options.seed,
        mode=options.mode,
    )
    prompts = read_prompts(options.file)
    with _campaigns() as campaigns:
        campaigns.create(options.name, prompts, setup, options.raters, options.overlap, options.retest, options.seed)
        standing = campaigns.standing(options.name)
    lines = [
        f"{options.name}: {len(prompts)} prompts, {standing.needed} ratings to be made.",
        f"Raters open http://127.0.0.1:7860/?campaign={options.name} (the address of your app).",
    ]
    show(options, _facts(standing), lines)


def answer(options: argparse.Namespace) -> None:
    from eval.rating import answer_all
    from eval.workbench import Workbench

    with _campaigns() as campaigns:
        campaign = campaigns.find(options.name)
        if campaigns.unanswered(options.name):
            workbench = Workbench(
                home(), os.environ.get("FOURFOLD_BASE") or None, os.environ.get("FOURFOLD_EMBEDDER") or None
            )
            progress("Loading the models")
            workbench.load()
            for done, total in answer_all(workbench, campaigns, campaign):
                progress(f"{done} of {total} prompts answered")
        standing = campaigns.standing(options.name)
    show(options, _facts(standing), [f"{standing.answered} of {campaign.prompts} prompts have their answers."])


def status(options: argparse.Namespace) -> None:
    from eval.agreement import agreements, rater_reports
    from eval.rater_commands import agreement_lines, rater_lines

    with _campaigns() as campaigns:
        standing = campaigns.standing(options.name)
    with vote_log() as log:
        votes = [vote for vote in log.ballots() if vote.campaign == options.name]
    found, raters = agreements(votes), rater_reports(votes)
    facts = _facts(standing) | {
        "agreement": {name: asdict(value) for name, value in found.items()},
        "reports": [asdict(report) for report in raters],
    }
    show(options, facts, [in_words(standing), "", *rater_lines(raters), "", *agreement_lines(found)])


def close(options: argparse.Namespace) -> None:
    with _campaigns() as campaigns:
        campaigns.close(options.name)
        standing = campaigns.standing(options.name)
    show(options, _facts(standing), [in_words(standing)])


def list_all(options: argparse.Namespace) -> None:
    with _campaigns() as campaigns:
        standings = [campaigns.standing(campaign.name) for campaign in campaigns.all()]
    rows = [("campaign", "prompts", "rated", "of", "state"), *map(_row, standings)]
    lines = table(rows) if standings else ["No campaign yet: python -m eval campaign new NAME FILE"]
    show(options, {"campaigns": [_facts(standing) for standing in standings]}, lines)


def _row(standing: "Standing") -> tuple[str, ...]:
    from eval.campaign import state_of

    campaign = standing.campaign
    return campaign.name, str(campaign.prompts), str(standing.rated), str(standing.needed), state_of(standing)


def in_words(standing: "Standing") -> str:
    """How far a campaign is, in a sentence."""
    from eval.campaign import state_of

    campaign = standing.campaign
    return (
        f"{campaign.name} ({state_of(standing)}): {standing.rated} of {standing.needed} ratings of {campaign.prompts}"
        f" prompts by {len(standing.by_rater)} raters; {standing.answered} prompts have their answers."
    )


def _facts(standing: "Standing") -> dict[str, Any]:
    from eval.campaign import state_of

    campaign = standing.campaign
    return {
        "name": campaign.name, "prompts": campaign.prompts, "raters": campaign.raters, "overlap": campaign.overlap,
        "retest": campaign.retest, "needed": standing.needed, "rated": standing.rated, "held": standing.held,
        "answered": standing.answered, "by_rater": dict(standing.by_rater), "state": state_of(standing),
    }  # fmt: skip
