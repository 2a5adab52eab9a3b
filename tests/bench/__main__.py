"""`python -m tests.bench decode`: one measurement, its ratios and raw medians as JSON on the last line."""

import argparse
import importlib
import json

NAMES = ("decode", "page", "threads")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__, epilog="Example: python -m tests.bench decode"
    )
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--rounds", type=int, default=5, help="times that each way is measured, in turns")
    given = parser.parse_args()
    measure = importlib.import_module(f"tests.bench.{given.name}").measure
    print(json.dumps({"name": given.name, **measure(given.rounds)}))


if __name__ == "__main__":
    main()
