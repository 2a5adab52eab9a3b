"""The handlers of the Campaigns page, called as anyone can call them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from eval.campaign_tab import Page
from eval.campaigns import Campaigns
from eval.votes import Votes, database_url
from eval.workbench import Workbench
from tests.eval.fake_judge import judging, prefers
from tests.eval.test_judge import fill

MORE: tuple[Any, ...] = (0, "samples", "samples", 3, 64, "best")
"""Shown twice, adapter, index, passages, longest answer, mode."""


@pytest.fixture
def votes(home: Path) -> Iterator[Votes]:
    log = Votes(database_url(home))
    yield log
    log.close()


def page_of(votes: Votes, home: Path, editable: bool = True) -> Page:
    return Page(Workbench(home), votes, Campaigns(database_url(home)), editable)


def test_a_campaign_is_made_shown_and_closed(votes: Votes, home: Path) -> None:
    page = page_of(votes, home)
    listed, shown, *actions = page.show(None)
    assert "No campaign yet" in shown
    assert not any(update["visible"] for update in (listed, *actions[:2])), "there is nothing to compute or to close"
    assert page.create(" k ", None, "One?\nTwo?\n", 2, "", *MORE)["value"] == "k"
    names, shown, *_ = page.show("unknown")
    assert names["choices"] == ["k"]
    assert "all 2 by each of 2 raters" in shown
    page.create("l", None, "One?\nTwo?\n", 2, "1", *MORE)
    assert "1 of 2 by each of 2 raters, the others by one" in page.look("l")[0]
    _, compute, close = page.look("l")
    assert (compute["value"], compute["interactive"]) == ("Compute the answers to 2 prompts now", True)
    assert (close["value"], close["interactive"]) == ("Close this campaign", True)
    assert "Closed" in page.close("k")
    shown, compute, close = page.look("k")
    assert "nothing is handed out" in shown
    assert (compute["interactive"], close["interactive"], close["value"]) == (False, False, "This campaign is closed")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lines": ""}, "holds no prompt"),
        ({"name": "a b"}, "letters, digits"),
        ({"overlap": "many"}, "many"),
        ({"overlap": "9"}, "not 0 to 1"),
        ({"raters": 0}, "give 1 to 1000"),
    ],
)
def test_what_is_wrong_is_told(votes: Votes, home: Path, changes: dict[str, Any], words: str) -> None:
    given = {"name": "k", "file": None, "lines": "One?", "raters": 2, "overlap": ""} | changes
    with pytest.raises(gr.Error, match=words):
        page_of(votes, home).create(*given.values(), *MORE)


def test_visitors_may_look_and_change_nothing(votes: Votes, home: Path) -> None:
    page_of(votes, home).create("k", None, "One?", 2, "", *MORE)
    page = page_of(votes, home, editable=False)
    shown, *actions = page.look("k")
    assert "k · open" in shown
    assert [update["visible"] for update in actions] == [False, False]
    for change in (
        lambda: page.create("l", None, "One?", 2, "", *MORE),
        lambda: page.close("k"),
        lambda: next(page.answer("k")),
        lambda: next(page.judge(10)),
    ):
        with pytest.raises(gr.Error, match="by whoever runs this app"):
            change()


def test_the_judge_from_the_page(votes: Votes, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(votes)
    page = page_of(votes, home)
    page.create("k", None, "One?", 2, "", *MORE)
    with pytest.raises(gr.Error, match="No judge is set"):
        next(page.judge(5))
    with judging() as fake:
        fake.says = prefers("rag")
        monkeypatch.setenv("FOURFOLD_JUDGE_URL", fake.url)
        monkeypatch.setenv("FOURFOLD_JUDGE_MODEL", "tiny")
        said = list(page.judge(5))
    assert said[0] == "5 pairs to judge."
    assert said[-1] == "5 of 5 pairs."
    assert "judge:tiny" in page.look("k")[0]
