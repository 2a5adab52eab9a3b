"""The command that trains."""

import argparse
import os
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuning.commands import base_option, command, folders, home, show
from tuning.config import METHODS, PRESETS, TrainConfig
from tuning.recipe_options import read_recipe, recipe_options
from tuning.run_commands import carry_out
from tuning.settings import CHOICES

if TYPE_CHECKING:
    from tuning.adapters import Adapter
    from tuning.jobs import Job

EXAMPLE = "data/samples/rows.jsonl --name mine --preset quick"


def add(commands: Any) -> None:
    """Add the command to those of `python -m tuning`."""
    _options(command(commands, "train", train, "rows of one or several tables -> an adapter", EXAMPLE))


def _options(parser: argparse.ArgumentParser) -> None:
    recipe_options(parser)
    parser.add_argument("--name", required=True, metavar="NAME", help="what to call the adapter")
    parser.add_argument(
        "--from", dest="start", metavar="ADAPTER", help="go on from this adapter (default: a fresh one)"
    )
    parser.add_argument("--preset", choices=PRESETS, default="balanced", help="where the values below start from")
    choices = {"method": METHODS, **CHOICES}
    for field in fields(TrainConfig):
        meaning = field.metadata["meaning"].replace("%", "%%")  # which argparse would fill in
        flag = "--" + field.name.replace("_", "-")
        if isinstance(field.default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=meaning)
        elif field.name in choices:  # the config says what is wrong with another value, and why
            parser.add_argument(flag, metavar="|".join(choices[field.name]), help=meaning)
        else:
            parser.add_argument(flag, type=type(field.default), metavar="N", help=meaning)
    parser.add_argument("--estimate", action="store_true", help="time a few real steps, say what training takes, end")
    base_option(parser)


def train(options: argparse.Namespace) -> int:
    from tuning import ranks
    from tuning.process import PATIENT_THREADS

    os.environ.update(PATIENT_THREADS)  # torch reads it when it is loaded, which is below
    names = [field.name for field in fields(TrainConfig)]
    changes = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    config = TrainConfig.preset(options.preset, changes)
    if options.estimate:
        return _estimate(options, config)
    return carry_out(options, ranks.first_does(lambda: _job(options, config)))


def _start(options: argparse.Namespace) -> "Adapter | None":
    from tuning.adapters import find_adapter

    return find_adapter(options.start, *folders()) if options.start else None


def _job(options: argparse.Namespace, config: TrainConfig) -> "Job":
    from tuning.jobs import create_job

    start = _start(options)
    with tempfile.TemporaryDirectory() as folder:  # for what is not a file yet; a run has its own copy
        recipe = read_recipe(options, Path(folder))
        return create_job(home(), recipe, options.name, config, options.base, start, here=True)


def _estimate(options: argparse.Namespace, config: TrainConfig) -> int:
    from tuning.worker import quiet

    quiet()
    from tuning.base import load_base
    from tuning.dialogues import load
    from tuning.train import estimate

    start = _start(options)
    with tempfile.TemporaryDirectory() as folder:
        recipe = read_recipe(options, Path(folder))
        base = load_base(options.base, home())
        found = estimate(base, load(recipe, base.tokenizer, config.max_length, config.seed), config, start)
    show(options, vars(found), [f"training takes {found.words()}"])
    return 0
