"""`python -m rag`: documents to passages, an index of files and search over it, without a browser."""

import argparse
import os
import sys
from collections.abc import Callable

from . import document_commands, evidence_commands, index_commands, preview_commands, search_commands
from .errors import InputError


def main(arguments: list[str] | None = None) -> int:
    """Run a command; exit status 0, or 2 for what the user has to correct."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, say `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rag",
        description="Documents to passages: an index of files, and search over it.",
        epilog='example: python -m rag add handbook.pdf notes/ && python -m rag search "How long is the warranty?"',
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (document_commands, preview_commands, search_commands, index_commands, evidence_commands):
        module.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
