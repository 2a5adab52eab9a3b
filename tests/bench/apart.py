"""Ways to do the same thing, each in a process of its own, measured in turns.

Apart, because a process that has had several pools of threads makes all of them wait differently, and because nobody's
memory or settings shall be another's. In turns, because a machine's other work then slows all ways alike. The processes
sleep while it is not their turn.
"""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

Way = Callable[[int], Any]
"""Does it once, with inputs that belong to the round's number; what it returns is what it found."""
Make = tuple[Callable[..., Way], tuple[Any, ...]]
"""What makes a way, called in the way's own process, and its arguments."""


def in_turns(ways: Mapping[str, Make], rounds: int) -> dict[str, list[float]]:
    """Seconds of each way in every round but a first one, which warms up."""
    return {name: [seconds for seconds, _ in taken[1:]] for name, taken in _rounds(ways, rounds + 1).items()}


def apart(ways: Mapping[str, Make], rounds: int) -> dict[str, list[Any]]:
    """What each way found in every round."""
    return {name: [found for _, found in taken] for name, taken in _rounds(ways, rounds).items()}


def _rounds(ways: Mapping[str, Make], rounds: int) -> dict[str, list[tuple[float, Any]]]:
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    processes = []
    try:
        for name, make in ways.items():
            pipes[name], theirs = context.Pipe()
            processes.append(context.Process(target=_serve, args=(make, theirs), daemon=True, name=name))
            processes[-1].start()
            theirs.close()
            pipes[name].recv()  # one after another, so that two never compile the same
        taken: dict[str, list[tuple[float, Any]]] = {name: [] for name in ways}
        for number in range(rounds):
            for name, pipe in pipes.items():
                pipe.send(number)
                taken[name].append(pipe.recv())
        return taken
    finally:
        for process in processes:
            process.kill()
            process.join()


def _serve(make: Make, pipe: Connection) -> None:
    way = make[0](*make[1])
    pipe.send(None)
    while True:
        number = pipe.recv()
        start = time.perf_counter()
        found = way(number)
        pipe.send((time.perf_counter() - start, found))


def medians(seconds: Mapping[str, list[float]]) -> dict[str, float]:
    return {name: statistics.median(values) for name, values in seconds.items()}
