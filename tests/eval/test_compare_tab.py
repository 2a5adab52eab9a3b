"""The handlers of the Compare page: nothing is revealed before its vote is on the disk."""

import json
import re
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from eval.compare_tab import Compare
from eval.form import Forms
from eval.limits import Limits
from eval.variants import IDS
from eval.votes import StoreError, Votes, database_url
from eval.voting_view import EVERY
from eval.workbench import Workbench
from tests.eval.test_comparison import QUESTION, answered


class FullDisk:
    """A log that cannot be written."""

    def append(self, vote: Any) -> None:
        raise StoreError("The votes cannot be written: the disk is full; make room, then vote again.")


@pytest.fixture
def compare(loaded: Workbench, home: Path) -> Compare:
    return Compare(loaded, Votes(database_url(home)), Limits())


def test_a_vote_that_cannot_be_written_reveals_nothing(loaded: Workbench) -> None:
    """A peer's vote button thanked its voters while the database refused every row."""
    voting = Compare(loaded, FullDisk(), Limits()).voting  # type: ignore[arg-type]
    comparison = answered(loaded)
    with pytest.raises(gr.Error, match="disk is full"):
        voting.vote("0+", comparison, "", "", False)
    assert not comparison.voted
    assert comparison.saved is None
    with pytest.raises(gr.Error, match="vote first"):
        voting.reveal(comparison)


def test_a_vote_is_written_once_and_then_revealed(compare: Compare, loaded: Workbench) -> None:
    comparison = answered(loaded)
    rater, *updates = compare.voting.vote("1+", comparison, "not a pseudonym", "", False)
    (vote,) = compare.votes.votes()
    assert vote.choice == comparison.order[1]
    assert vote.acceptable is True
    assert rater == vote.rater != "not a pseudonym"
    assert comparison.order[0] in updates[0]["label"]
    assert [event.kind for event in compare.votes.events()] == ["vote", "reveal"]
    with pytest.raises(gr.Error, match="revealed"):
        compare.voting.vote("2+", comparison, vote.rater, "", False)
    assert len(compare.votes.votes()) == 1


def test_a_held_vote_can_be_changed_and_taken_back_and_tells_nothing(compare: Compare, loaded: Workbench) -> None:
    comparison, voting, rater = answered(loaded), compare.voting, "5a" * 16
    shown = str(voting.vote("0+", comparison, rater, "", True))
    assert "A is best" in shown
    assert not set(re.findall(r"\w+", shown)) & set(IDS)
    voting.vote("1-", comparison, rater, "", True)
    (vote,) = compare.votes.votes()
    assert (vote.choice, vote.acceptable) == (comparison.order[1], False)
    assert not set(re.findall(r"\w+", str(voting.undo(comparison)))) & set(IDS)
    assert compare.votes.votes() == []
    with pytest.raises(gr.Error, match="no vote to take back"):
        voting.undo(comparison)
    voting.vote("skip", comparison, rater, "", True)
    assert comparison.order[0] in voting.reveal(comparison)[0]["label"]
    with pytest.raises(gr.Error, match="revealed"):
        voting.undo(comparison)
    assert [vote.choice for vote in compare.votes.votes()] == ["skip"]


def test_the_vote_names_the_form_that_was_shown(compare: Compare, loaded: Workbench) -> None:
    """Between the asking and the vote somebody may set another form."""
    comparison = answered(loaded)
    updates = compare.finish(comparison)
    assert "Correctness" in updates[4]
    shown = Forms(loaded.home).current()
    Forms(loaded.home).set("tags:\n  - id: new\n")
    filled_in = json.dumps({"answers": {"0": {"scores": {"correctness": 4}}}})
    compare.voting.vote("0+", comparison, "", filled_in, False)
    assert compare.votes.votes()[0].form == shown.digest


def test_what_a_page_shows_fits_what_it_has_places_for(compare: Compare, loaded: Workbench) -> None:
    """Gradio fills outputs by their number, so that one too few would put a button's state into a pane."""
    buttons = len(EVERY) + 2
    settings = ["samples", "samples", 1, 0, 12, 0, "pair", "rag,base", True, False, None]
    begun = compare.begin(QUESTION, *settings)
    assert len(begun) == 1 + 4 + 3 + 2 + 2 + buttons + 2
    assert [update["visible"] for update in begun[1:5]] == [True, True, False, False]
    comparison = answered(loaded)
    assert len(compare.finish(comparison)) == len(compare.finish(None)) == 3 + 2 + buttons
    voting = compare.voting
    assert len(voting.vote("0+", comparison, "", "", True)) == 1 + 4 + 2 + buttons
    assert len(voting.undo(comparison)) == 4 + 2 + buttons
    assert len(voting.vote("0+", comparison, "", "", False)) == 1 + 4 + 2 + buttons


@pytest.mark.parametrize("choice", ["4+", "best", "", "base; drop table", "ranking+"])
def test_a_forged_choice_is_refused(compare: Compare, loaded: Workbench, choice: str) -> None:
    with pytest.raises(gr.Error):
        compare.voting.vote(choice, answered(loaded), "", "", False)
    assert compare.votes.votes() == []


@pytest.mark.parametrize(
    "setup",
    [
        ["samples", "samples", None, 0, 12, 0, "best", "", True, False, None],
        ["", "", 3, 0, 12, 0, "best", "", True, False, None],
        ["samples", "samples", 1, 0, 12, 0, "best of all", "", True, False, None],
        ["samples", "samples", 1, 0, 12, 0, "pair", "base,judge", True, False, None],
    ],
)
def test_forged_settings_are_an_error_in_words(compare: Compare, setup: list[Any]) -> None:
    with pytest.raises(gr.Error):
        compare.begin(QUESTION, *setup)


def test_voting_on_nothing_is_told(compare: Compare) -> None:
    with pytest.raises(gr.Error, match="ask a question first"):
        compare.voting.vote("0+", None, "", "", False)
    for handler in (compare.voting.undo, compare.voting.reveal):
        with pytest.raises(gr.Error, match="vote first"):
            handler(None)
