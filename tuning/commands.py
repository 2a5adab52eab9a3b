"""What the commands of `python -m tuning` share: where things lie, a command's frame, how results are shown."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuning.base import Base

REPO = Path(__file__).resolve().parent.parent
SAMPLES = REPO / "data" / "samples" / "adapter"


def home() -> Path:
    """Where everything that is written at run time lives."""
    return Path(os.environ.get("FOURFOLD_HOME") or REPO / "data" / "local").expanduser()


def folders() -> tuple[Path, Path]:
    """Where adapters are looked for: the user's own first, then those that came with the program."""
    return home() / "adapters", SAMPLES


def shelves() -> tuple[Path, Path, Path]:
    """Where all that was trained is looked for: the user's adapters, models of their own, the program's adapters."""
    return home() / "adapters", home() / "models", SAMPLES


def command(
    commands: Any, name: str, function: Callable[[argparse.Namespace], int | None], text: str, example: str
) -> argparse.ArgumentParser:
    """A command with its help and `--json`. `example` is what follows `python -m tuning NAME`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:],
        epilog=f"example:\n  python -m tuning {name} {example}".rstrip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.set_defaults(command=function)
    return parser


def base_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--base",
        metavar="MODEL",
        default=os.environ.get("FOURFOLD_BASE") or None,
        help="folder or Hub id of the base model (default: FOURFOLD_BASE, or SmolLM2-135M-Instruct)",
    )


def loaded_base(name: str | None) -> "Base":
    """The base model, with what is done to get it told on a terminal."""
    from tuning.base import load_base
    from tuning.worker import quiet

    quiet()
    return load_base(name, home(), lambda text: print(text, file=sys.stderr) if sys.stderr.isatty() else None)


def show(options: argparse.Namespace, result: Mapping[str, Any], lines: Sequence[str]) -> None:
    """The result: for machines or for readers."""
    print(json.dumps(result) if options.json else "\n".join(lines))


def losses(card: Mapping[str, Any]) -> str:
    """An adapter's loss on its held-out rows, in words."""
    if card["test_loss"] is None:
        return "not measured on held-out rows: too few of them"
    change = card["test_loss"] / card["base_test_loss"] - 1
    return f"{card['test_loss']:.3f} on held-out rows, base model {card['base_test_loss']:.3f} ({change:+.0%})"
