"""`python -m eval`: votes, benchmarks and the verdict, without a browser."""

import argparse
import os
import sys

from eval import (
    benchmark_commands,
    campaign_commands,
    chart_commands,
    export_commands,
    form_commands,
    mirror_commands,
    rank_commands,
    rater_commands,
    simulate_commands,
    verdict_commands,
)
from eval.errors import USER_ERRORS

EXAMPLES = """examples:
  python -m eval rank
  python -m eval rank votes.csv --json
  python -m eval charts charts/
  python -m eval simulate --votes 20 100
  python -m eval benchmark data/samples/rows.jsonl --adapter samples --index samples
  python -m eval verdict --benchmark samples-samples --report verdict.html
  python -m eval export --format json votes.json
  python -m eval form set form.yaml
  python -m eval raters
  FOURFOLD_VOTES_REPO=me/votes python -m eval mirror --push
"""
MODULES = (
    rank_commands,
    chart_commands,
    simulate_commands,
    benchmark_commands,
    verdict_commands,
    export_commands,
    form_commands,
    campaign_commands,
    rater_commands,
    mirror_commands,
)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; exit status 0, or 2 for what the user has to correct."""
    options = parser().parse_args(arguments)
    try:
        return int(options.command(options) or 0)
    except USER_ERRORS as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, say `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m eval", description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for module in MODULES:
        module.add(commands)
    return top


if __name__ == "__main__":
    raise SystemExit(main())
