"""The main job, in a real browser against the real model: ask, watch four answers grow, vote blind, see the result."""

import re
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from eval.variants import IDS
from eval.votes import Vote, Votes, database_url
from tests.browser.conftest import RunningApp, Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]

QUESTION = "What are the two company bicycles of Ollerquist named?"
PANES = [f"#pane-{letter}" for letter in "ABCD"]


def ask(visit: Visit, app: RunningApp, question: str) -> Page:
    page = visit.page
    page.goto(app.url)
    expect(page.locator("#ask")).to_be_enabled(timeout=120_000)
    page.fill("#question textarea", question)
    page.press("#question textarea", "Enter")
    return page


def lengths(page: Page) -> list[int]:
    return [sum(map(len, page.locator(f"{pane} .message").all_inner_texts())) for pane in PANES]


def wait_for_vote(page: Page) -> None:
    expect(page.locator("#vote-0")).to_be_enabled(timeout=120_000)


def stored(app: RunningApp) -> list[Vote]:
    return Votes(database_url(app.home)).votes()


def test_four_panes_grow_together_and_a_key_votes(visit: Visit, app: RunningApp) -> None:
    before = len(stored(app))
    page = ask(visit, app, QUESTION)
    samples: list[list[int]] = []
    while not page.locator("#vote-0").is_enabled():
        samples.append(lengths(page))
        assert page.locator("#sources").inner_text().strip() == "", "sources give the variant away before the vote"
        time.sleep(0.05)
        assert len(samples) < 3000
    together = [sample for sample in samples if all(sample)]
    assert together, "all four panes never showed text at once while the answers were being written"
    assert len({tuple(sample) for sample in together}) > 1, "no pane grew once all four had begun"
    labels = [page.locator(pane).inner_text() for pane in PANES]
    assert not any(re.search("adapter|documents|base model", label.split("\n")[0]) for label in labels)

    page.keyboard.press("2")
    expect(page.locator("#status")).to_contain_text("Vote saved")
    expect(page.locator("#sources")).to_contain_text("staff-handbook.txt")
    votes = stored(app)
    assert len(votes) == before + 1
    assert votes[-1].question == QUESTION
    assert votes[-1].choice == votes[-1].order[1]
    assert votes[-1].blind
    for pane, variant in zip(PANES, votes[-1].order, strict=True):
        expect(page.locator(pane)).to_contain_text(f"· {variant}:")
    expect(page.locator("#vote-1")).to_be_disabled()


def test_a_button_votes_and_the_results_page_counts_it(visit: Visit, app: RunningApp) -> None:
    before = len(stored(app))
    page = ask(visit, app, "What is the Seed Tray known for?")
    wait_for_vote(page)
    page.get_by_role("radio", name="No").check()
    page.click("#vote-tie")
    expect(page.locator("#status")).to_contain_text("Vote saved")
    votes = stored(app)
    assert len(votes) == before + 1
    assert votes[-1].choice == "tie"
    assert votes[-1].acceptable is False
    assert len({vote.rater for vote in votes}) == 1, "one browser is one rater"
    page.get_by_role("link", name="Results", exact=True).click()
    expect(page.locator("#results")).to_contain_text("tie", ignore_case=True)
    for variant in IDS:
        expect(page.locator("#results")).to_contain_text(variant)


def test_stop_ends_the_answers_and_keeps_the_words(visit: Visit, app: RunningApp) -> None:
    page = ask(visit, app, "Tell a long story about the sea.")
    page.wait_for_function("document.querySelector('#pane-A .message')?.innerText.length > 3")
    page.keyboard.press("Escape")
    wait_for_vote(page)
    assert any(lengths(page))


def test_an_empty_question_is_told_how(visit: Visit, app: RunningApp) -> None:
    page = ask(visit, app, "   ")
    expect(page.get_by_text("The question is empty; type one.")).to_be_visible()


@pytest.mark.parametrize("path", ["", "documents", "tune", "results"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_a_phone(visit: Visit, app: RunningApp, path: str, scheme: str) -> None:
    page = visit.page
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(app.url + path)
    page.wait_for_selector("h1")
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    unnamed = page.locator("button:visible").evaluate_all(
        "all => all.filter(b => !(b.innerText.trim() || b.ariaLabel || b.title || b.getAttribute('aria-labelledby')))"
        ".map(b => b.outerHTML.slice(0, 120))"
    )
    assert unnamed == []


def status_of(url: str, **headers: str) -> int:
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_what_is_not_a_page_is_not_served(app: RunningApp) -> None:
    assert status_of(app.url) == 200
    assert status_of(app.url, Origin="https://evil.example") == 403
    votes = app.home / "votes.sqlite"
    for path in ("/etc/passwd", str(Path(__file__)), str(votes)):
        assert status_of(f"{app.url}gradio_api/file={path}") in (403, 404)
    assert status_of(f"{app.url}gradio_api/run/begin") in (404, 405)
