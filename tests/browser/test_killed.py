"""kill -9 while somebody votes on the page: what it confirmed is in the log once, and the next start goes on."""

import random
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from playwright.sync_api import Error, Page, expect

from eval.campaigns import Campaigns
from eval.prompts import Prompt
from eval.setup import Setup
from eval.vote_rules import check
from eval.votes import Votes, database_url
from tests.browser.conftest import CHROMIUM, chromium, free_port, start_app
from tests.eval.conftest import make_card
from tests.tiny import make_adapter

pytestmark = [pytest.mark.browser, pytest.mark.slow]

KILLS = 4
VOTES = 3
"""That are confirmed before each kill; one more is on its way then."""
PROMPTS = [Prompt(f"p{number}", f"What stands at place {number}?") for number in range((VOTES + 1) * KILLS + 1)]


@pytest.fixture
def campaign_home(home: Path, tiny_base_path: Path) -> Path:
    """A home with a small adapter and a campaign for one rater."""
    if not CHROMIUM:
        pytest.skip("no Chromium on this machine: install Debian's package chromium")
    home.mkdir()
    make_card(make_adapter(tiny_base_path, home / "adapters" / "house"))
    Votes(database_url(home)).close()
    campaigns = Campaigns(database_url(home), lease_seconds=0.0)
    campaigns.create("k", PROMPTS, Setup("house", "samples", 1, max_tokens=4), raters=1)
    campaigns.dispose()
    return home


def show_next(page: Page) -> str:
    """Ask for the next prompt; its question, once it can be voted on."""
    expect(page.locator("#vote-0")).to_be_disabled()
    page.click("#next-prompt")
    expect(page.locator("#vote-0")).to_be_enabled()
    return page.locator("#asked").inner_text().strip()


def vote(page: Page) -> str:
    """Vote on the next prompt; its question, once the page has confirmed that."""
    question = show_next(page)
    page.keyboard.press("2")
    expect(page.locator("#status")).to_contain_text("Vote saved")
    return question


def vote_until_killed(page: Page, process: "subprocess.Popen[bytes]", delay: float) -> list[str]:
    """Questions whose votes the page confirmed before or after the app was killed with one on its way."""
    confirmed = [vote(page) for _ in range(VOTES)]
    question = show_next(page)
    page.keyboard.press("2")
    time.sleep(delay)
    process.kill()
    process.wait()
    try:
        page.wait_for_function("document.querySelector('#status').innerText.includes('Vote saved')", timeout=300)
        confirmed.append(question)
    except Error:
        pass  # nothing was promised
    return confirmed


def test_every_vote_that_the_page_confirmed_is_there_once(
    campaign_home: Path, tiny_base_path: Path, tmp_path: Path
) -> None:
    draw, port, confirmed = random.Random(4), free_port(), []
    with chromium(tmp_path / "profile") as browser:
        for kill in range(KILLS):
            process = start_app(campaign_home, port, "--base", str(tiny_base_path))
            page = browser.new_page()
            try:
                page.goto(f"http://127.0.0.1:{port}/?campaign=k")
                expect(page.locator("#loading")).to_contain_text("Base model", timeout=60_000)
                # Some before the handler began, some within the transaction, some after the page was told.
                confirmed += vote_until_killed(page, process, delay=draw.uniform(0, 0.15))
            finally:
                process.kill()
                page.close()
            log = Votes(database_url(campaign_home))
            written = [event.vote for event in log.events() if event.vote]
            log.close()
            asked = Counter(given.question for given in written)
            assert set(asked.values()) <= {1}, "a vote was written twice, or a prompt was asked again"
            assert set(confirmed) <= set(asked), "a vote that the page had confirmed is lost"
            assert len(written) <= (VOTES + 1) * (kill + 1)
            for given in written:
                check(given)
    assert len(confirmed) >= VOTES * KILLS
    assert len({given.rater for given in written}) == 1, "a restart made another rater of the same browser"
