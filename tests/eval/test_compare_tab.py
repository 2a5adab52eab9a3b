"""The handlers of the Compare page: nothing is revealed before its vote is on the disk."""

from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from eval.compare_tab import Compare
from eval.limits import Limits
from eval.votes import StoreError, Votes, database_url
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
    compare = Compare(loaded, FullDisk(), Limits())  # type: ignore[arg-type]
    comparison = answered(loaded)
    with pytest.raises(gr.Error, match="disk is full"):
        compare.vote("0", comparison, "", None)
    assert not comparison.voted


def test_a_vote_is_written_once_and_then_revealed(compare: Compare, loaded: Workbench) -> None:
    comparison = answered(loaded)
    updates = compare.vote("1", comparison, "not a pseudonym", "Yes")
    (vote,) = compare.votes.votes()
    assert vote.choice == comparison.order[1]
    assert vote.acceptable is True
    assert updates[4] == vote.rater != "not a pseudonym"
    with pytest.raises(gr.Error, match="revealed"):
        compare.vote("2", comparison, vote.rater, None)
    assert len(compare.votes.votes()) == 1


def test_a_pseudonym_is_kept(compare: Compare, loaded: Workbench) -> None:
    rater = "5a" * 16
    compare.vote("skip", answered(loaded), rater, None)
    assert compare.votes.votes()[0].rater == rater


@pytest.mark.parametrize("choice", ["4", "best", "", "base; drop table"])
def test_a_forged_choice_is_refused(compare: Compare, loaded: Workbench, choice: str) -> None:
    with pytest.raises(gr.Error):
        compare.vote(choice, answered(loaded), "", None)
    assert compare.votes.votes() == []


@pytest.mark.parametrize(
    "setup",
    [["samples", "samples", None, 0, 12, 0, True, True, False, None], ["", "", 3, 0, 12, 0, True, True, False, None]],
)
def test_forged_settings_are_an_error_in_words(compare: Compare, setup: list[Any]) -> None:
    with pytest.raises(gr.Error):
        compare.begin(QUESTION, *setup)


def test_voting_on_nothing_is_told(compare: Compare) -> None:
    with pytest.raises(gr.Error, match="ask a question first"):
        compare.vote("0", None, "", None)
