"""`python -m eval mirror`: the votes that are also kept in a dataset repository on the Hub."""

import argparse
import os
from dataclasses import asdict
from typing import Any

from eval.commands import command, home, show, vote_log
from eval.errors import InputError


def add(commands: Any) -> None:
    mirror = command(
        commands,
        "mirror",
        mirroring,
        "votes as files of a private dataset repository, which FOURFOLD_VOTES_REPO=owner/name names: how many are not"
        " there yet, push them, or read back those that this machine lacks",
        "--push",
    )
    what = mirror.add_mutually_exclusive_group()
    what.add_argument("--status", action="store_true", help="say how many votes are not yet pushed (the default)")
    what.add_argument("--push", action="store_true", help="push them now")
    what.add_argument("--pull", action="store_true", help="read every file of the repository and add what is missing")


def mirroring(options: argparse.Namespace) -> None:
    from eval.mirror import in_words, mirror_of
    from eval.votes_repo import RepoError

    with vote_log() as log:
        mirror = mirror_of(log, home(), os.environ)
        if mirror is None:
            raise InputError(
                "FOURFOLD_VOTES_REPO is not set, so votes are kept on this machine only;"
                " set it to owner/name of a private dataset repository."
            )
        result: dict[str, Any] = {}
        lines = []
        try:
            if options.push:
                result["pushed"] = mirror.push()
                lines.append(f"{result['pushed']} votes pushed to {mirror.status().repo}.")
            if options.pull:
                result["merged"] = mirror.pull(everything=True)
                lines.append(f"{result['merged']} events read back from {mirror.status().repo}.")
        except RepoError as error:
            raise InputError(f"Nothing is lost, but {mirror.status().repo} was not reached: {error}.") from error
        status = mirror.status()
        show(options, result | asdict(status), [*lines, in_words(status)])
