"""The Adapters page in a real browser: read the verdict, rename, compare, download, and delete what votes refer to."""

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from eval.votes import Votes, database_url
from tests.browser.conftest import RunningApp, Visit
from tests.eval.making import make_vote
from tuning.adapters import list_adapters, open_adapter
from tuning.commands import SAMPLES

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def page(visit: Visit, app: RunningApp) -> Iterator[Page]:
    """The page with an adapter of the user's own beside the program's, whose weights it has."""
    shutil.copytree(SAMPLES / "samples", app.home / "adapters" / "mine")
    visit.page.goto(app.url + "adapters")
    expect(visit.page.locator("#adapter-head .verdict")).to_be_visible()
    visit.page.get_by_label("mine: keep").check()
    expect(visit.page.locator("#adapter-head h2")).to_contain_text("mine")
    yield visit.page
    shutil.rmtree(app.home / "adapters")


def test_what_is_known_of_an_adapter_is_shown_on_a_phone_too(page: Page) -> None:
    head, tail = page.locator("#adapter-head"), page.locator("#adapter-tail")
    expect(head).to_contain_text("It helped: token F1")
    expect(head.get_by_role("row", name="perplexity").first).to_contain_text("×")
    expect(head).to_contain_text("What it forgot: general rows")
    expect(tail.locator("article").first).to_contain_text("Ollerquist here:")
    tail.get_by_text("How it was made").click()
    card = json.loads((SAMPLES / "samples" / "fourfold.json").read_text(encoding="utf-8"))
    expect(tail.get_by_role("row", name="learning rate")).to_contain_text(str(card["config"]["learning_rate"]))
    expect(page.locator(".vega-embed, canvas, svg.marks").first).to_be_visible()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": 390, "height": 844})
        expect(head.locator(".verdict b")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size({"width": 1400, "height": 1000})
    page.emulate_media(color_scheme="light")


def test_renamed_compared_downloaded(page: Page, app: RunningApp, tmp_path: Path) -> None:
    page.get_by_label("New name").fill("better")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_label("better: keep")).to_be_checked()
    expect(page.locator("#adapter-head h2")).to_contain_text("better")
    page.get_by_label("New name").fill("samp les")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_text("'samp les' cannot be a name")).to_be_visible()

    page.get_by_role("combobox", name="With").click()
    page.get_by_role("option", name="samples").click()
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.locator("#adapter-comparison")).to_contain_text("The very same weights.")
    expect(page.locator("#adapter-comparison")).to_contain_text("33 held-out rows from 3 sources")

    page.get_by_role("button", name="Take it elsewhere").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    archive = tmp_path / "better.zip"
    download.value.save_as(archive)
    names = zipfile.ZipFile(archive).namelist()
    assert {"better/README.md", "better/adapter_model.safetensors"} <= set(names)
    assert "better/test.jsonl" not in names
    assert [adapter.name for adapter in list_adapters(app.home / "adapters")] == ["better"]


def test_deleting_asks_and_is_told_twice_while_votes_refer_to_it(page: Page, app: RunningApp) -> None:
    digest = open_adapter(app.home / "adapters" / "mine").digest
    log = Votes(database_url(app.home))
    log.append(make_vote("c-adapters", configuration={"adapter": {"name": "mine", "digest": digest}}))
    log.close()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("Delete mine (4.9 MB) for good?")).to_be_visible()
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_text("Delete mine (4.9 MB) for good?")).to_be_hidden()

    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Yes, delete it").click()
    expect(page.get_by_text("1 vote refers to mine, whose answers")).to_be_visible()
    page.get_by_label("Delete it although 1 vote refers to it").check()
    page.get_by_role("button", name="Yes, delete it").click()
    expect(page.locator("#adapter-status")).to_contain_text("mine is deleted.")
    expect(page.get_by_label("mine: keep")).to_have_count(0)
    expect(page.locator("#adapter-head h2")).to_contain_text("samples")
    assert list_adapters(app.home / "adapters") == []
