"""Loading and dropping adapters while others' answers grow: the longest wait between two tokens, with it and without.

Four answers grow; meanwhile a second adapter is loaded and dropped again and again. What is waited for is the step in
which it is seated; reading, checking and packing it go on beside the steps.
"""

import statistics
import threading
import time
from contextlib import closing
from itertools import pairwise
from typing import Any

from tests.bench.loading import ADAPTER, four, make_engine
from tuning.engine import Engine

TOKENS = 128


def measure(rounds: int) -> dict[str, Any]:
    """Median of the longest and of the middle wait of each round, in milliseconds, and the ratios."""
    with closing(make_engine()) as engine:
        found = [(waits(engine, 2 * n, False), waits(engine, 2 * n + 1, True)) for n in range(rounds + 1)][1:]
        assert engine.compiled
    names = ("alone", "while adapters come and go")
    medians = {
        f"{what} wait, {name}": 1000 * statistics.median(pick(one[place]) for one in found)
        for what, pick in (("longest", max), ("median", statistics.median))
        for place, name in enumerate(names)
    }
    ratios = {
        f"{what} wait with / without": medians[f"{what} wait, {names[1]}"] / medians[f"{what} wait, {names[0]}"]
        for what in ("longest", "median")
    }
    return {"ratios": ratios, "median_milliseconds": medians, "rounds": rounds}


def waits(engine: Engine, number: int, coming_and_going: bool) -> list[float]:
    """Seconds between the tokens of four answers, from the second on."""
    stop = threading.Event()

    def come_and_go() -> None:
        while coming_and_going and not stop.is_set():
            engine.attach("second", ADAPTER)
            engine.detach("second")
            stop.wait(0.1)

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        times = [time.perf_counter() for _ in engine.stream(four(number, TOKENS))]
    finally:
        stop.set()
        thread.join()
    return [b - a for a, b in pairwise(times[1:])]
