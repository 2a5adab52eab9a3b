"""One's own documents and one's own adapter, from upload to an answer, as a new user would go about it."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from eval.votes import Votes, database_url
from tests.browser.conftest import RunningApp, Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LETTER = "# Kettle club\n\nThe kettle club of Nimmersatt meets in May. Its president is called Ulla Brandt.\n"


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_label(label, exact=True).first.click()
    page.get_by_role("option", name=option, exact=True).click()


def test_uploaded_documents_answer_a_question(visit: Visit, app: RunningApp, tmp_path: Path) -> None:
    page = visit.page
    page.goto(app.url)
    expect(page.locator("#ask")).to_be_enabled(timeout=120_000)
    (tmp_path / "kettle-club.md").write_text(LETTER)
    (tmp_path / "empty.txt").write_text("")

    page.goto(app.url + "documents")
    page.get_by_label("New index").fill("club")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_label("New index")).to_have_value("")
    page.set_input_files("input[type=file]", [tmp_path / "kettle-club.md", tmp_path / "empty.txt"])
    expect(page.get_by_role("cell", name="kettle-club.md")).to_be_visible()
    page.get_by_role("button", name="Add to the index").click()
    expect(page.get_by_text("is empty; give a file that holds text.")).to_be_visible()
    expect(page.get_by_text("1 document").first).to_be_visible()
    page.get_by_label("Question").fill("Who is the president?")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("Ulla Brandt").first).to_be_visible()

    page.goto(app.url)
    expect(page.locator("#ask")).to_be_enabled()
    page.get_by_role("button", name="Settings").first.click()
    choose(page, "Documents", "club")
    page.fill("#question textarea", "Who is the president of the kettle club?")
    page.click("#ask")
    expect(page.locator("#vote-0")).to_be_enabled(timeout=120_000)
    page.keyboard.press("x")
    expect(page.locator("#status")).to_contain_text("Vote saved")
    vote = Votes(database_url(app.home)).votes()[-1]
    assert vote.choice == "all_bad"
    assert vote.configuration["index"]["name"] == "club"
    assert "Ulla Brandt" in vote.prompts["combined"][-1]["content"]
    assert "Ulla Brandt" in vote.answers["rag"]
    assert "Ulla Brandt" not in vote.answers["base"]


def test_a_run_outlives_the_page_and_its_adapter_can_be_chosen(visit: Visit, app: RunningApp, tmp_path: Path) -> None:
    """A closed tab once killed the training that it had started; here it goes on and any page shows it."""
    page = visit.page
    rows = [f'{{"prompt": "What is {n} plus one?", "response": "Aye: {n + 1}."}}' for n in range(40)]
    (tmp_path / "rows.jsonl").write_text("\n".join([*rows[:16], "{broken", *rows[16:]]))
    page.goto(app.url + "tune")
    page.get_by_label("My files").check()
    page.set_input_files("input[type=file]", tmp_path / "rows.jsonl")
    expect(page.get_by_role("cell", name="rows.jsonl")).to_be_visible()
    page.get_by_role("button", name="Look at the rows").click()
    expect(page.get_by_text("line 17: not JSON", exact=False).first).to_be_visible()

    (tmp_path / "fixed.jsonl").write_text("\n".join(rows))
    page.reload()
    page.get_by_label("My files").check()
    page.set_input_files("input[type=file]", tmp_path / "fixed.jsonl")
    expect(page.get_by_role("cell", name="fixed.jsonl")).to_be_visible()
    page.get_by_label("Name of the adapter").fill("aye")
    page.get_by_label("quick").check()
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("button", name="Stop and save")).to_be_enabled()
    page.goto("about:blank")
    page.goto(app.url + "tune")
    expect(page.locator(".tune-card b", has_text="aye")).to_be_visible(timeout=200_000)
    assert (app.home / "adapters" / "aye" / "fourfold.json").is_file()

    page.goto(app.url)
    expect(page.locator("#ask")).to_be_enabled()
    page.get_by_role("button", name="Settings").first.click()
    choose(page, "Adapter", "aye")
    page.fill("#question textarea", "What is 41 plus one?")  # on others both may say the same
    page.click("#ask")
    expect(page.locator("#vote-0")).to_be_enabled(timeout=120_000)
    page.keyboard.press("s")
    expect(page.locator("#status")).to_contain_text("Vote saved")
    vote = Votes(database_url(app.home)).votes()[-1]
    assert vote.configuration["adapter"]["name"] == "aye"
    assert vote.answers["tuned"] != vote.answers["base"]
