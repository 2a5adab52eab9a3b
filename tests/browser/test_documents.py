"""The Documents page: add, tag, filter, follow a folder, look into a hit, delete; on a wide page and on a phone."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import RunningApp, Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CLUB = "# Kettle club\n\nThe kettle club of Nimmersatt meets in May. Its president is called Ulla Brandt.\n"
BAND = "# Kettle band\n\nThe kettle band plays in June. Its president is called Otto Grün.\n"


def test_an_index_is_filled_tagged_filtered_synced_and_deleted(visit: Visit, app: RunningApp, tmp_path: Path) -> None:
    page = visit.page
    (tmp_path / "club.md").write_text(CLUB)
    (tmp_path / "band.md").write_text(BAND)
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "tea.txt").write_text("Tea is drawn for four minutes.")
    (notes / "empty.txt").write_text("")

    page.goto(app.url + "documents")
    expect(page.locator("#index-state")).to_contain_text("Embedder", timeout=120_000)
    page.get_by_label("New index").fill("kettles")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_label("New index")).to_have_value("")
    page.set_input_files("input[type=file]", [tmp_path / "club.md", tmp_path / "band.md"])
    expect(page.locator(".file-preview").first).to_contain_text("band")
    page.get_by_label("Tags for them").fill("Music")
    page.get_by_role("button", name="Add to the index").click()
    expect(page.locator("#index-state")).to_contain_text("2 documents")
    expect(page.locator("#index-state")).to_contain_text("search caches to be built for 2 chunks")
    expect(page.locator(".listing").get_by_text("#music")).to_have_count(2)

    page.get_by_label("Look into a document").click()
    page.get_by_role("option", name="club.md", exact=True).click()
    expect(page.get_by_label("Its tags")).to_have_value("music")
    page.get_by_label("Its tags").fill("People, 2026")
    page.get_by_role("button", name="Save the tags").click()
    expect(page.locator(".listing").get_by_text("#2026 · #people")).to_be_visible()

    page.get_by_role("button", name="Search only in some documents").click()
    page.get_by_label("With all of these tags").click()
    page.get_by_role("option", name="people (1)").click()
    page.keyboard.press("Escape")
    page.get_by_label("Question", exact=True).fill("Who is the president?")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator(".passage")).to_have_count(1)
    expect(page.locator("#index-state")).to_contain_text("search caches up to date")
    page.get_by_label("From the day").fill("soon")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("'soon' is no day; write it as 2026-01-31.")).to_be_visible()
    page.get_by_text("Ulla Brandt").first.click()
    expect(page.locator(".cuts .found")).to_contain_text("Ulla Brandt")

    page.get_by_role("button", name="Follow a folder of this machine").click()
    page.get_by_label("Folder", exact=True).fill(str(notes))
    page.get_by_role("button", name="Sync the folder").click()
    report = page.locator(".adding")
    expect(report).to_contain_text("1 added, 1 failed")
    expect(report).to_contain_text("is empty; give a file that holds text.")
    expect(page.locator("#index-state")).to_contain_text(f"Follows {notes}")
    (notes / "tea.txt").write_text("Tea is drawn for five minutes.")
    (notes / "empty.txt").unlink()
    page.get_by_role("button", name="Sync the folder").click()
    expect(report).to_contain_text("1 of 1 files")
    expect(report).to_contain_text("1 updated")

    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.set_viewport_size({"width": 1400, "height": 1000})
    page.get_by_role("button", name="Delete the index").click()
    page.get_by_role("button", name="Yes, delete it").first.click()
    expect(page.locator("#index-state")).not_to_contain_text("Follows")
    assert not (app.home / "indexes" / "kettles").exists()
    assert (notes / "tea.txt").exists()
