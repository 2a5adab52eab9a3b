"""The command that trains."""

import argparse
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuning.commands import base_option, command, folders, home, losses, show
from tuning.config import METHODS, PRECISIONS, PRESETS, TrainConfig
from tuning.errors import InputError

if TYPE_CHECKING:
    from tuning.adapters import Adapter

EXAMPLE = "data/samples/rows.jsonl --name mine --preset quick"


def add(commands: Any) -> None:
    """Add the command to those of `python -m tuning`."""
    _options(command(commands, "train", train, "rows of a file -> an adapter", EXAMPLE))


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("rows", type=Path, metavar="ROWS", help="JSONL, JSON, CSV, TSV or Parquet file")
    parser.add_argument("--name", required=True, metavar="NAME", help="what to call the adapter")
    parser.add_argument(
        "--from", dest="start", metavar="ADAPTER", help="go on from this adapter (default: a fresh one)"
    )
    parser.add_argument("--preset", choices=PRESETS, default="balanced", help="where the values below start from")
    choices = {"method": METHODS, "precision": PRECISIONS}
    for field in fields(TrainConfig):
        meaning = field.metadata["meaning"]
        flag = "--" + field.name.replace("_", "-")
        if isinstance(field.default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=meaning)
        elif field.name in choices:  # the config says what is wrong with another value, and why
            parser.add_argument(flag, metavar="|".join(choices[field.name]), help=meaning)
        else:
            parser.add_argument(flag, type=type(field.default), metavar="N", help=meaning.replace("%", "%%"))
    parser.add_argument("--estimate", action="store_true", help="time a few real steps, say what training takes, end")
    base_option(parser)


def train(options: argparse.Namespace) -> int:
    from tuning.adapters import find_adapter
    from tuning.jobs import create_job
    from tuning.process import PATIENT_THREADS

    os.environ.update(PATIENT_THREADS)  # torch reads it when it is loaded, which is below
    names = [field.name for field in fields(TrainConfig)]
    changes = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    config = TrainConfig.preset(options.preset, changes)
    start = find_adapter(options.start, *folders()) if options.start else None
    if options.estimate:
        return _estimate(options, config, start)
    job = create_job(home(), options.rows, options.name, config, options.base, start)

    from tuning.worker import quiet, run

    quiet()
    end = run(job, _Meter())
    if end["event"] == "failed":
        raise InputError(end["reason"])
    result = {key: value for key, value in end.items() if key not in ("event", "reason")} | {"job": job.id}
    lines = [end["reason"]] if end.get("reason") else []
    if "adapter" in end:
        lines += [f"saved {end['adapter']} after {end['steps']} steps and {end['seconds']:.0f} s ({end['ended']})"]
        lines += ["loss of the answers: " + losses(end)]
    show(options, result, lines)
    return 0 if "adapter" in end else 130


def _estimate(options: argparse.Namespace, config: TrainConfig, start: "Adapter | None") -> int:
    from tuning.worker import quiet

    quiet()
    from tuning.base import load_base
    from tuning.dialogues import load
    from tuning.train import estimate

    base = load_base(options.base, home())
    found = estimate(base, load(options.rows, base.tokenizer, config.max_length, config.seed), config, start)
    show(options, vars(found), [f"training takes {found.words()}"])
    return 0


class _Meter:
    """Progress on standard error: a line that is written over on a terminal, else a line now and then."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = 0.0

    def __call__(self, event: Mapping[str, Any]) -> None:
        kind = event["event"]
        if not self._terminal:
            return
        if kind == "note":
            print(f"\r\033[K{event['text']}", file=sys.stderr)
        elif kind == "rows":
            for what in ("dropped", "cut"):
                for finding in event[what]:
                    print(f"\r\033[K{what}: {finding['place']}: {finding['reason']}", file=sys.stderr)
        elif kind == "validation":
            print(f"\r\033[Kstep {event['step']}: validation loss {event['loss']:.3f}", file=sys.stderr)
        elif kind == "step" and time.monotonic() - self._last > 0.2:
            self._last = time.monotonic()
            line = f"step {event['step']}/{event['steps']}  loss {event['loss']:.3f}  "
            line += f"{event['answer_tokens_per_second']:.0f} answer tokens/s  {event['seconds_left']:.0f} s left"
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
        elif kind in ("done", "stopped", "failed"):
            print("\r\033[K", end="", file=sys.stderr)
