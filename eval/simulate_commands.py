"""`python -m eval simulate`: do the intervals hold what they promise?"""

import argparse
from dataclasses import asdict
from typing import Any

from eval.commands import command, progress, show
from eval.errors import InputError


def add(commands: Any) -> None:
    simulating = command(
        commands,
        "simulate",
        simulate,
        "made-up votes with a known truth: how often the intervals hold it, looked at once and after every vote",
        "--votes 20 100 300 --runs 1000",
    )
    simulating.add_argument("--votes", nargs="+", type=int, default=[20, 100, 300], help="default: 20 100 300")
    simulating.add_argument("--runs", type=int, default=300, help="for each number of votes (default 300)")
    simulating.add_argument(
        "--looks", type=int, default=100, help="votes up to which one looks after each; 0 leaves that out (default 100)"
    )
    simulating.add_argument("--mode", choices=("best", "pair", "ranking"), default="best", help="of voting")
    simulating.add_argument("--equal", action="store_true", help="all four variants are equally good")
    simulating.add_argument("--prompts-differ", type=float, default=0.8, metavar="NATS", help="(default 0.8)")
    simulating.add_argument("--votes-a-prompt", type=int, default=2, metavar="N", help="(default 2)")
    simulating.add_argument("--raters", type=int, default=1, help="(default 1)")
    simulating.add_argument("--raters-differ", type=float, default=0.0, metavar="NATS", help="(default 0)")
    simulating.add_argument("--seed", type=int, default=0, help="(default 0)")


def simulate(options: argparse.Namespace) -> None:
    """Coverage for each number of votes, then what comes of looking after every vote."""
    from eval.simulation import World, coverage, peeking

    for name, value in (("votes", min(options.votes)), ("runs", options.runs), ("raters", options.raters),
                        ("votes-a-prompt", options.votes_a_prompt)):  # fmt: skip
        if value < 1:
            raise InputError(f"--{name} {value} is below 1; give a number from 1.")
    for name in ("looks", "prompts_differ", "raters_differ", "seed"):
        if getattr(options, name) < 0:
            raise InputError(f"--{name.replace('_', '-')} {getattr(options, name)} is below 0; give a number from 0.")
    world = World(
        strengths=(0.0,) * 4 if options.equal else World.strengths,
        prompts_differ=options.prompts_differ,
        raters_differ=options.raters_differ,
        votes_a_prompt=options.votes_a_prompt,
        raters=options.raters,
        mode=options.mode,
    )

    def told(run: int) -> None:
        if run % 20 == 0:
            progress(f"run {run} of {options.runs}")

    held = [coverage(world, votes, options.runs, options.seed, told) for votes in options.votes]
    looked = peeking(world, options.looks, options.runs, options.seed, told) if options.looks else None
    result = {
        "world": asdict(world),
        "level": 0.95,
        "coverage": [asdict(row) for row in held],
        "peeking": asdict(looked) if looked else None,
    }
    show(options, result, [*map(str, held), *([str(looked)] if looked else [])])
