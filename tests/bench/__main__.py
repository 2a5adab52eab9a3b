"""`python -m tests.bench decode`: one measurement, its ratios and raw medians as JSON on the last line.

`cores_busy_elsewhere` says how many cores the machine's other programs kept busy meanwhile; near 0 is well.
"""

import argparse
import importlib
import json
import os
import time

import psutil

# Read when torch is imported, here and in the processes that a measurement starts: as app.py has it, and for all alike.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

NAMES = (
    "decode",
    "users",
    "turns",
    "attach",
    "memory",
    "int8",
    "page",
    "threads",
    "train",
    "squad",
    "followups",
    "swapped",
    "embed",
    "search",
    "fusion",
    "votes",
    "rank",
    "results",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__, epilog="Example: python -m tests.bench decode"
    )
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--rounds", type=int, default=5, help="times that each way is measured, in turns")
    given = parser.parse_args()
    measure = importlib.import_module(f"tests.bench.{given.name}").measure
    start, before = time.monotonic(), elsewhere()
    result = measure(given.rounds)
    busy = (elsewhere() - before) / (time.monotonic() - start)
    print(json.dumps({"name": given.name, **result, "cores_busy_elsewhere": round(busy, 2)}))


def elsewhere() -> float:
    """Seconds that all cores have computed so far, but for this process and its children that have ended."""
    machine, own = psutil.cpu_times(), os.times()
    idle = machine.idle + getattr(machine, "iowait", 0.0) + getattr(machine, "steal", 0.0)
    guests = getattr(machine, "guest", 0.0) + getattr(machine, "guest_nice", 0.0)  # counted in `user` and `nice` too
    return sum(machine) - idle - guests - sum(own[:4])


if __name__ == "__main__":
    main()
