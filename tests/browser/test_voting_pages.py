"""Verdict, Campaigns, Rating form and Results with votes of every kind, on a desk and a phone, by day and night."""

import pytest
from playwright.sync_api import Page, expect

from eval.votes import Votes, database_url
from tests.browser.conftest import RunningApp, Visit
from tests.browser.seeding import CAMPAIGN, seed

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOWN = {
    "verdict": ("#verdict", ["blind votes of 2 raters", "Evidence: votes", "What it costs", "Examples that speak for"]),
    "campaigns": ("#campaign-body", [CAMPAIGN, "13 of 16 ratings", "Krippendorff's alpha", "Agrees with others"]),
    "form": ("#form-preview", ["Correctness: Is what it says true?", "Hallucinated", "Edit it into a better answer"]),
    "results": (
        "#results",
        ["child over house", "What each ingredient adds", "by topic or task", "on a parent, apart"],
    ),
}


@pytest.fixture(scope="module")
def seeded(app: RunningApp) -> None:
    seed(app.home)


def once_loaded(visit: Visit, app: RunningApp, path: str) -> Page:
    """The page at the path, once the models are there."""
    visit.page.goto(app.url)
    expect(visit.page.locator("#ask")).to_be_enabled(timeout=120_000)
    visit.page.goto(app.url + path)
    return visit.page


def test_without_a_campaign_there_is_nothing_to_close_and_one_can_be_made(visit: Visit, app: RunningApp) -> None:
    """Both buttons once stood there from the first, and failed when pressed."""
    page = once_loaded(visit, app, "campaigns")
    expect(page.locator("#campaign-body")).to_contain_text("No campaign yet")
    for hidden in ("#compute-answers", "#close-campaign", "#campaign"):
        expect(page.locator(hidden)).to_be_hidden()
    page.get_by_role("button", name="New campaign").click()
    page.locator("#campaign-name textarea, #campaign-name input").fill("first")
    page.locator("#campaign-prompts textarea").fill("Who founded Ollerquist?\nWhat is the Seed Tray?")
    page.click("#make-campaign")
    expect(page.locator("#campaign-body")).to_contain_text("first · open")
    expect(page.locator("#compute-answers")).to_have_text("Compute the answers to 2 prompts now")
    page.click("#close-campaign")
    expect(page.locator("#campaign-body")).to_contain_text("It is closed")
    expect(page.locator("#close-campaign")).to_be_disabled()
    expect(page.locator("#compute-answers")).to_be_disabled()


def test_what_is_measured_without_people_becomes_the_verdicts_evidence(visit: Visit, app: RunningApp) -> None:
    page = once_loaded(visit, app, "verdict")
    expect(page.locator("#measure-adapter input")).to_have_value("samples")
    page.locator("#measure-most input[type=number]").fill("2")
    page.click("#measure")
    expect(page.locator("#measure-said")).to_contain_text("of 16 answers and scores", timeout=120_000)
    page.goto(app.url)  # it goes on without its page
    page.goto(app.url + "verdict")
    expect(page.locator("#measure-said")).to_contain_text("Finished: 2 questions", timeout=120_000)
    expect(page.locator("#stop-measuring")).to_be_hidden()
    expect(page.locator("#measure")).to_be_enabled()
    if page.locator("#evidence input").input_value() != "samples-samples":  # it had ended before the page was back
        page.locator("#evidence input").click()
        page.get_by_role("option", name="samples-samples").click()
    expect(page.locator("#verdict")).to_contain_text("2 held-out rows from")


def opened(page: Page, app: RunningApp, path: str, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(app.url + path)
    place, words = SHOWN[path]
    for said in words:
        expect(page.locator(place)).to_contain_text(said)


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize("path", SHOWN)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_shows_its_votes_and_fits(visit: Visit, app: RunningApp, path: str, scheme: str) -> None:
    for width in (390, 1280):
        opened(visit.page, app, path, scheme, width)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        place = SHOWN[path][0]
        cut = visit.page.locator(f"{place} table:not(.matrix)").evaluate_all(
            "all => all.filter(t => t.getBoundingClientRect().right > innerWidth).map(t => t.outerHTML.slice(0, 200))"
        )
        assert cut == [], "a table runs out of the page"
        contrast = visit.page.locator(f"{place} p, {place} legend").first.evaluate(CONTRAST)
        assert contrast >= 4.5, f"text of contrast {contrast:.1f} against its ground"


CONTRAST = """(element) => {
  const drawn = (colour) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (rgb) => {
    const share = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = rgb.slice(0, 3).map(share);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let ground = element;
  const clear = (one) => drawn(getComputedStyle(one).backgroundColor)[3] < 255;
  while (ground.parentElement && clear(ground)) ground = ground.parentElement;
  const pair = [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor].map((c) => light(drawn(c)));
  return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
}"""


@pytest.mark.usefixtures("seeded")
def test_the_verdict_follows_its_margin_and_says_what_the_votes_teach(visit: Visit, app: RunningApp) -> None:
    page = visit.page
    opened(page, app, "verdict", "light", 1280)
    page.locator("#margin input[type=number]").fill("20")
    page.locator("#margin input[type=number]").press("Enter")
    page.locator("#margin input[type=range]").press("ArrowLeft")
    expect(page.locator("#verdict")).to_contain_text("Margin: 19 points")
    expect(page.locator("#lesson-report")).to_contain_text("conversations or prompts")


def test_an_adapter_is_set_against_its_parent_on_the_page(visit: Visit, app: RunningApp) -> None:
    page = visit.page
    page.goto(app.url)
    expect(page.locator("#ask")).to_be_enabled(timeout=120_000)
    page.get_by_role("button", name="Settings").first.click()
    for label, option in (("Vote for", "The adapter or its parent"), ("Which two", "Both with the documents")):
        page.get_by_label(label, exact=True).click()
        page.get_by_role("option", name=option, exact=True).click()
    page.fill("#question textarea", "Who founded Ollerquist?")
    page.press("#question textarea", "Enter")
    expect(page.locator("#vote-0")).to_be_enabled(timeout=120_000)
    expect(page.locator("#pane-C")).to_be_hidden()
    before = page.locator(".panes").inner_text() + page.locator("#status").inner_text()
    assert not any(word in before.lower() for word in ("samples", "smollm", "combined"))
    page.keyboard.press("1")
    expect(page.locator("#sources")).to_contain_text("Passages given to both")
    vote = Votes(database_url(app.home)).votes()[-1]
    assert (vote.mode, set(vote.order)) == ("parent", {"rag", "combined"})
    assert vote.configuration["parent"]["name"] != vote.configuration["adapter"]["name"] == "samples"
    labels = page.locator(".panes").inner_text()
    assert "adapter: samples" in labels
    assert f"parent: {vote.configuration['parent']['name']}" in labels
    page.goto(app.url + "results")
    expect(page.locator("#results")).to_contain_text("samples over ")
