"""The results page of 100,000 votes in Chromium, from the click to its sentences: the first visit and later ones.

`ratio` is the first visit's seconds over the aim of 2.
"""

import tempfile
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import expect

from eval.votes import Votes, database_url
from tests.bench.rank import PAGE_VOTES, fill
from tests.browser.conftest import chromium, free_port, start_app
from tests.conftest import REPO

AIM = 2.0
SETTLING = 3.0
"""Seconds in which a new app is left alone: it reads its votes, which takes two."""


def measure(rounds: int) -> dict[str, object]:
    """Seconds of each visit; the models of data/local are used where they are there."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        home.mkdir()
        for name in ("base", "compiled"):
            if (made := REPO / "data" / "local" / name).is_dir():
                (home / name).symlink_to(made)
        Votes(database_url(home)).close()
        fill(database_url(home), PAGE_VOTES)
        port = free_port()
        process = start_app(home, port)
        try:
            seconds = visits(f"http://127.0.0.1:{port}/", Path(folder, "profile"), 1 + rounds)
        finally:
            process.terminate()
            process.wait(20)
    return {"ratio": seconds[0] / AIM, "first": seconds[0], "later": median(seconds[1:]), "votes": PAGE_VOTES}


def visits(url: str, profile: Path, number: int) -> list[float]:
    found = []
    with chromium(profile) as context:
        page = context.new_page()
        page.goto(url)
        expect(page.locator("#ask")).to_be_enabled(timeout=240_000)
        time.sleep(SETTLING)
        for _ in range(number):
            start = time.perf_counter()
            page.goto(url + "results")
            expect(page.locator("#results")).to_contain_text("What each ingredient adds")
            found.append(round(time.perf_counter() - start, 2))
    return found
