"""Tables of any shape become rows on the page, on a wide screen and on a telephone's, and the report tells each row."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import RunningApp, Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize("width", [1280, 390])
def test_columns_and_templates_are_chosen_and_the_report_shows_what_is_learnt(
    visit: Visit, app: RunningApp, tmp_path: Path, width: int
) -> None:
    page = visit.page
    page.set_viewport_size({"width": width, "height": 900})
    lines = [f"Wie lang ist Seil {n}?,Seil {n} ist {n + 3} Meter lang." for n in range(30)]
    (tmp_path / "faq.csv").write_text("\n".join(["Frage,Antwort", *lines, "Leer?,"]))
    (tmp_path / "reviews.csv").write_text("review,stars\n" + "".join(f"It lasts {n} days,{n % 5}\n" for n in range(20)))
    page.goto(app.url + "tune")
    page.get_by_label("My files").check()
    page.set_input_files("input[type=file]", [tmp_path / "faq.csv", tmp_path / "reviews.csv"])
    expect(page.get_by_label("Question").first).to_have_value("Frage")
    expect(page.get_by_label("Answer").first).to_have_value("Antwort")
    page.get_by_label("Read").nth(1).click()
    page.get_by_role("option", name="Template: rating").click()
    expect(page.get_by_label("Response").first).to_have_value("{{ rating }}")
    page.get_by_label("Response").first.fill("{{ stars }} stars")
    page.get_by_role("button", name="Look at the rows").click()
    report = page.locator("[role=status]", has_text="rows of faq.csv + reviews.csv are used")
    expect(report).to_be_visible(timeout=60_000)
    expect(report).to_contain_text("50 of 51")
    expect(page.get_by_role("cell", name="faq.csv, line 32")).to_be_visible()
    learnt = page.locator(".rows-seen mark").all_inner_texts()
    assert len(learnt) == 8
    assert all(text.endswith("<|im_end|>") for text in learnt)
    assert any("Meter lang." in text for text in learnt) or any(" stars" in text for text in learnt)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_pasted_rows_are_looked_at(visit: Visit, app: RunningApp) -> None:
    page = visit.page
    page.goto(app.url + "tune")
    page.get_by_label("Pasted text").check()
    rows = [json.dumps({"prompt": f"What is {n}?", "response": f"It is {n}."}) for n in range(12)]
    expect(page.get_by_label("Pasted rows")).to_be_visible()
    page.wait_for_timeout(1000)  # a box is not listened to in the very moment in which it appears
    page.get_by_label("Pasted rows").fill("\n".join(rows))
    expect(page.get_by_text("columns: prompt, response")).to_be_visible()
    page.get_by_role("button", name="Look at the rows").click()
    expect(page.get_by_text("12 of 12 rows of pasted.jsonl are used", exact=False)).to_be_visible(timeout=60_000)
    expect(page.get_by_text("cannot be measured", exact=False).first).to_be_visible()
