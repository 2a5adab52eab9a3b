"""`python -m tuning`: train an adapter, look at what there is, and talk to it, without a browser."""

import argparse
import os
import sys

from tuning import adapter_commands, assess_commands, check_commands, run_commands, train_commands
from tuning.errors import InputError

EXAMPLES = """examples:
  python -m tuning check data/samples/rows.jsonl
  python -m tuning train data/samples/rows.jsonl --name mine --preset quick
  python -m tuning runs
  python -m tuning list
  python -m tuning chat --adapter mine "Who are you?"
  python -m tuning export mine ./mine-merged --merge
"""


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        return int(options.command(options) or 0)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m tuning", description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for module in (check_commands, train_commands, run_commands, assess_commands, adapter_commands):
        module.add(commands)
    return top


if __name__ == "__main__":
    sys.exit(main())
