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
    assert votes[-1].acceptable is True
    assert votes[-1].blind
    for pane, variant in zip(PANES, votes[-1].order, strict=True):
        expect(page.locator(pane)).to_contain_text(f"· {variant}:")
    expect(page.locator("#vote-1")).to_be_disabled()


def test_a_button_votes_and_the_results_page_counts_it(visit: Visit, app: RunningApp) -> None:
    before = len(stored(app))
    page = ask(visit, app, "What is the Seed Tray known for?")
    wait_for_vote(page)
    page.click("#vote-all_bad")
    expect(page.locator("#status")).to_contain_text("Vote saved")
    votes = stored(app)
    assert len(votes) == before + 1
    assert votes[-1].choice == "all_bad"
    assert votes[-1].acceptable is False
    assert len({vote.rater for vote in votes}) == 1, "one browser is one rater"
    page.get_by_role("link", name="Results", exact=True).click()
    expect(page.locator("#results")).to_contain_text("all bad", ignore_case=True)
    for variant in IDS:
        expect(page.locator("#results")).to_contain_text(variant)


def choose(page: Page, label: str, option: str) -> None:
    if not page.get_by_label(label, exact=True).is_visible():
        page.get_by_role("button", name="Settings").first.click()
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()


def test_a_ranking_by_keys_and_by_drag_waits_for_the_reveal(visit: Visit, app: RunningApp) -> None:
    """What was filled in goes with the vote, and a vote that is held can be taken back."""
    page = visit.page
    page.goto(app.url)
    expect(page.locator("#ask")).to_be_enabled(timeout=120_000)
    choose(page, "Vote for", "All four in order")
    page.get_by_label("Wait before the reveal").check()
    page.fill("#question textarea", "Who founded Ollerquist?")
    page.press("#question textarea", "Enter")
    expect(page.locator("#vote-ranking")).to_be_enabled(timeout=120_000)
    expect(page.locator("#vote-0")).to_be_hidden()
    page.get_by_text("Rate each answer").click()
    page.locator("#details [data-pane='3'] textarea[data-part='comment']").fill("the fourth: g 1 x")
    page.locator("#details [data-pane='3'] input[data-id='style'][value='2']").check()
    page.locator("#asked").click()
    chips = page.locator(".ranking .chip")
    places = page.locator(".ranking .place")
    page.keyboard.press("1")
    page.keyboard.press("ArrowUp")
    if chips.count() == 4:  # equal answers move as one, and what a model says is its own affair
        expect(places).to_have_count(2)
        dragged, target = chips.nth(2).bounding_box(), places.first.bounding_box()
        assert dragged is not None
        assert target is not None
        page.mouse.move(dragged["x"] + 8, dragged["y"] + 8)
        page.mouse.down()
        page.mouse.move(target["x"] + 200, target["y"] + target["height"] / 2, steps=3)
        page.mouse.up()
        expect(places.first.locator(".chip")).to_have_count(2)
    before = len(stored(app))
    page.keyboard.press("-")
    expect(page.locator("#status")).to_contain_text("Vote saved")
    assert page.locator("#sources").inner_text().strip() == ""
    (vote,) = stored(app)[before:]
    assert (vote.mode, vote.acceptable) == ("ranking", False)
    assert vote.order[0] in vote.ranking[0]
    judged = vote.judgements[vote.order[3]]
    assert (judged.comment, dict(judged.scores)) == ("the fourth: g 1 x", {"style": 2})
    page.keyboard.press("u")
    expect(page.locator("#status")).to_contain_text("Taken back")
    assert len(stored(app)) == before
    expect(page.locator("#details [data-pane='3'] textarea").first).to_have_value("the fourth: g 1 x")
    page.keyboard.press("+")
    expect(page.locator("#status")).to_contain_text("Vote saved")
    page.keyboard.press("r")
    expect(page.locator("#sources")).to_contain_text("Passages given")
    assert stored(app)[-1].acceptable is True


def test_of_a_pair_two_panes_are_shown(visit: Visit, app: RunningApp) -> None:
    page = visit.page
    page.goto(app.url)
    expect(page.locator("#ask")).to_be_enabled(timeout=120_000)
    choose(page, "Vote for", "The better of two")
    choose(page, "Which two", "base and rag")
    page.fill("#question textarea", QUESTION)
    page.press("#question textarea", "Enter")
    wait_for_vote(page)
    expect(page.locator("#pane-C")).to_be_hidden()
    expect(page.locator("#vote-2")).to_be_hidden()
    page.keyboard.press("6")
    expect(page.locator("#status")).to_contain_text("B is best, yet not good enough")
    vote = stored(app)[-1]
    assert (set(vote.answers), vote.mode, vote.choice) == ({"base", "rag"}, "pair", vote.order[1])


def test_stop_ends_the_answers_and_keeps_the_words(visit: Visit, app: RunningApp) -> None:
    page = ask(visit, app, "Tell a long story about the sea.")
    page.wait_for_function("document.querySelector('#pane-A .message')?.innerText.length > 3")
    page.keyboard.press("Escape")
    wait_for_vote(page)
    assert any(lengths(page))


def test_an_empty_question_is_told_how(visit: Visit, app: RunningApp) -> None:
    page = ask(visit, app, "   ")
    expect(page.get_by_text("The question is empty; type one.")).to_be_visible()


@pytest.mark.parametrize("path", ["", "documents", "tune", "form", "results"])
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
