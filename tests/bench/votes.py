"""Durable votes a second from sixteen writers at once, threads and processes, none lost; and reading 100,000 votes.

Votes are of the size that the app writes, some 8 kB. A write of the disk (fsync) is timed beside them, since a log that
waited for one per vote could not be faster than that; `ratios` compare with such a log.
"""

import json
import multiprocessing
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from eval import ballot, database
from eval.ballot import ballot_of
from eval.variants import IDS
from eval.vote import Vote, to_text
from eval.votes import Votes, database_url
from tests.eval.making import make_vote
from tests.eval.postgres import folder_of_programs, server

WRITERS = 16
SECONDS = 4.0
MANY = 100_000


def measure(rounds: int) -> dict[str, Any]:
    """Medians over `rounds`, at most three."""
    rates: dict[str, list[float]] = {"disk_writes": []}
    for _ in range(min(rounds, 3)):
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
            rates["disk_writes"].append(disk_writes(Path(name)))
            both("sqlite", database_url(Path(name)), rates)
        if folder_of_programs():
            with server() as url:
                both("postgresql", url, rates)
    medians = {name: round(statistics.median(found), 1) for name, found in rates.items()}
    ratios = {name: rate / medians["disk_writes"] for name, rate in medians.items() if name != "disk_writes"}
    return {"ratios": ratios, "votes_a_second": medians, "writers": WRITERS, **reading()}


def both(name: str, url: str, rates: dict[str, list[float]]) -> None:
    """Threads of one process, then as many processes; what they confirmed must be in the log, once."""
    log = Votes(url)
    confirmed: list[str] = []
    threads = [threading.Thread(target=lambda: confirmed.extend(vote_for(log))) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rates.setdefault(f"{name}_threads", []).append(len(confirmed) / SECONDS)
    with multiprocessing.get_context("spawn").Pool(WRITERS) as pool:
        pool.map(warm, [url] * WRITERS, chunksize=1)
        found = pool.map(vote_alone, [url] * WRITERS, chunksize=1)
    rates.setdefault(f"{name}_processes", []).append(sum(map(len, found)) / SECONDS)
    ids = [vote.id for vote in log.ballots()]
    log.close()
    if sorted(ids) != sorted([*confirmed, *(vote for some in found for vote in some)]):
        raise RuntimeError(f"{name} lost votes or kept some twice")


def warm(url: str) -> None:
    Votes(url).close()
    time.sleep(0.2)  # so that every process of the pool has its turn


def vote_alone(url: str) -> list[str]:
    log = Votes(url)
    try:
        return vote_for(log)
    finally:
        log.close()


def vote_for(log: Votes) -> list[str]:
    """The ids that were confirmed within `SECONDS`."""
    end, confirmed = time.perf_counter() + SECONDS, []
    while True:
        vote = big_vote(f"{os.getpid()}-{threading.get_ident()}-{len(confirmed)}")
        log.append(vote)
        if time.perf_counter() > end:
            return [*confirmed, vote.id]
        confirmed.append(vote.id)


def big_vote(comparison: str) -> Vote:
    """A vote with three passages in two of its prompts."""
    prompts = {name: [{"role": "user", "content": "passage " * (400 if "b" in name else 10)}] for name in IDS}
    return make_vote(comparison, prompts=prompts, answers={name: f"{name} says " + "word " * 60 for name in IDS})


def disk_writes(folder: Path) -> float:
    """How many a second, one after another."""
    with (folder / "disk").open("wb") as file:
        end, count = time.perf_counter() + 1, 0
        while time.perf_counter() < end:
            file.write(b"x" * 8192)
            file.flush()
            os.fsync(file.fileno())
            count += 1
    return float(count)


def reading() -> dict[str, Any]:
    """Seconds until 100,000 votes are there for the statistics: the first time, and once more after one more vote."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        url = database_url(Path(name))
        Votes(url).close()
        fill(url)
        log = Votes(url)
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            count = len(log.ballots())
            seconds.append(round(time.perf_counter() - start, 3))
            log.append(big_vote("one more"))
        log.close()
    return {"votes_read": count, "seconds_to_read": seconds[0], "seconds_to_read_again": seconds[1]}


def fill(url: str) -> None:
    """A log of 100,000 votes in one transaction."""
    votes = [big_vote(f"c{number}") for number in range(1000)]
    rows, lean = [], []
    for number in range(1, MANY + 1):
        vote = votes[number % 1000]
        key = {"comparison": f"c{number}", "rater": vote.rater, "turn": 0}
        row = {"number": number, "id": f"{number:032x}", "kind": "vote", "time": vote.time}
        rows.append({**row, **key, "payload": to_text(vote)})
        lean.append({"number": number, **key, "payload": ballot.encode(ballot_of(vote))})
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(database.EVENTS.insert(), rows)
        connection.execute(database.BALLOTS.insert(), lean)
    engine.dispose()


if __name__ == "__main__":
    print(json.dumps(measure(1)))
