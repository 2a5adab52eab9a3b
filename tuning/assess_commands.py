"""The commands that say whether training helped: measure an adapter against its base, compare two."""

import argparse
from pathlib import Path
from typing import Any

from tuning.adapter_commands import base_of, found_adapter
from tuning.commands import base_option, command, home, loaded_base, show
from tuning.errors import InputError
from tuning.meter import Meter


def add(commands: Any) -> None:
    """Add the commands to those of `python -m tuning`."""
    measure = command(commands, "assess", assess_one, "measure an adapter against its base, for a verdict", "samples")
    measure.add_argument("name", metavar="NAME", help="of the adapter, or of a model of its own")
    measure.add_argument(
        "--general", type=Path, metavar="FILE", help="rows of your own that it must not forget, beside the program's"
    )
    measure.add_argument("--rows", type=int, default=120, metavar="N", help="of each set at most (default 120)")
    measure.add_argument("--minutes", type=float, default=20.0, metavar="N", help="at most (default 20)")
    base_option(measure)
    two = command(
        commands, "compare", compare_two, "two adapters side by side, on the rows both never saw", "mine other"
    )
    two.add_argument("left", metavar="A")
    two.add_argument("right", metavar="B")


def assess_one(options: argparse.Namespace) -> None:
    from tuning.assessment import in_words
    from tuning.general import forgetting_rows

    if options.rows < 1 or not options.minutes > 0:
        raise InputError(
            f"--rows {options.rows} --minutes {options.minutes:g} measures nothing; give more than 0 of both"
        )
    adapter = found_adapter(options.name)
    own = forgetting_rows(options.general) if options.general else []

    from tuning.assess import Limits, assess

    base = base_of(adapter, options.base)
    model = loaded_base(str(adapter.path)) if adapter.is_model else None
    limits = Limits(rows=options.rows, seconds=60 * options.minutes)
    meter, folder = Meter(), home() / "compiled"
    found = assess(base, adapter, forgetting_rows(), meter, own=own, model=model, compiled=folder, limits=limits)
    meter({"event": "done"})
    show(options, found, in_words(found))


def compare_two(options: argparse.Namespace) -> None:
    from tuning.comparing import compare, in_words

    result = compare(found_adapter(options.left), found_adapter(options.right))
    show(options, result, in_words(result))
