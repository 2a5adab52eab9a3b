"""Statistics of many votes: fit and intervals of a million, and the results page of a hundred thousand.

`ratios` are seconds over their aims: 1 s for the million, 2 s for the page from its log to its HTML.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
import sqlalchemy as sa

from eval.ballot import ballot_of, encode
from eval.database import BALLOTS, EVENTS
from eval.ranking import rank
from eval.results import report
from eval.simulation import World
from eval.variants import IDS
from eval.vote import Vote, to_text
from eval.votes import Votes, database_url

VOTES, PAGE_VOTES = 1_000_000, 100_000


def measure(rounds: int) -> dict[str, object]:
    world = World(votes_a_prompt=200, raters=500, raters_differ=0.3)
    choices = world.votes(VOTES, np.random.default_rng(0))
    fits = timed(lambda: rank(choices), rounds)
    with tempfile.TemporaryDirectory() as folder:
        place = database_url(Path(folder))
        log = Votes(place)
        fill(place, PAGE_VOTES)
        reads = timed(log.ballots, rounds)
        pages = timed(lambda: report(log.ballots()), rounds)
        log.close()
    wall = {"rank": median(row[0] for row in fits), "page": median(row[0] for row in pages)}
    return {
        "ratios": {"rank": round(wall["rank"] / 1.0, 3), "page": round(wall["page"] / 2.0, 3)},
        "rank_seconds": [round(row[0], 3) for row in fits],
        "rank_processor_seconds": [round(row[1], 3) for row in fits],
        "read_seconds": [round(row[0], 3) for row in reads],
        "page_seconds": [round(row[0], 3) for row in pages],
        "page_processor_seconds": [round(row[1], 3) for row in pages],
        "votes": VOTES,
        "page_votes": PAGE_VOTES,
        "cores": os.cpu_count(),
    }


def timed(work: Callable[[], object], rounds: int) -> list[tuple[float, float]]:
    """Seconds on the clock and on the processors, of each round after one that warms up."""
    work()
    found = []
    for _ in range(rounds):
        wall, processor = time.perf_counter(), time.process_time()
        work()
        found.append((time.perf_counter() - wall, time.process_time() - processor))
    return found


def fill(place: str, number: int) -> None:
    """So many votes of a made-up world into the tables of an empty log, without waiting for the disk at each."""
    engine = sa.create_engine(place)
    with engine.begin() as connection:
        for start in range(0, number, 2000):
            made = list(votes(start, min(start + 2000, number)))
            keys = [
                {"number": number, "comparison": vote.comparison, "rater": vote.rater, "turn": vote.turn}
                for number, vote in enumerate(made, start + 1)
            ]
            connection.execute(
                EVENTS.insert(),
                [
                    {**key, "id": vote.id, "kind": "vote", "time": vote.time, "payload": to_text(vote)}
                    for key, vote in zip(keys, made, strict=True)
                ],
            )
            lean = [{**key, "payload": encode(ballot_of(vote))} for key, vote in zip(keys, made, strict=True)]
            connection.execute(BALLOTS.insert(), lean)
    engine.dispose()


def votes(start: int, end: int) -> Iterator[Vote]:
    """Votes as the app writes them, prompts with passages included."""
    random = np.random.default_rng(start)
    passage = "The keeper of the lighthouse is called Orla. The lamp is lit at six. " * 8
    for number in range(start, end):
        order = tuple(random.permutation(IDS).tolist())
        question = f"What is said of place {number % 30_000}?"
        yield Vote(
            comparison=f"c{number}",
            conversation=f"c{number}",
            turn=0,
            question=question,
            prompts={name: [{"role": "user", "content": f"{passage} {question}"}] for name in order},
            answers=dict.fromkeys(order, "Orla keeps the lamp, which is lit at six. " * 3),
            order=order,
            choice=[*order, "tie"][int(random.integers(5))],
            rater=f"rater {number % 200}",
            tokens=dict.fromkeys(order, 40),
            seconds=dict.fromkeys(order, 1.5),
            first_token_seconds=dict.fromkeys(order, 0.2),
        )
