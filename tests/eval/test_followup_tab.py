"""Going on after the vote, as the handlers of the page are called."""

from dataclasses import replace

import gradio as gr
import pytest

from eval.comparison import Comparison, prepare
from eval.followup_tab import asked, go_on, going_on, offered
from eval.workbench import Workbench
from tests.eval.making import make_vote
from tests.eval.test_comparison import QUESTION, SETUP, answered


@pytest.fixture
def revealed(loaded: Workbench) -> Comparison:
    comparison = answered(loaded)
    for variant, given in comparison.answers.items():
        comparison.answers[variant] = replace(given, text=f"{variant} says <b>Orla</b>.")
    comparison.voted, comparison.saved = True, make_vote(choice="rag")
    return comparison


def test_nothing_is_offered_before_the_vote(loaded: Workbench) -> None:
    assert offered(None)[0]["visible"] is False
    comparison = answered(loaded)
    assert offered(comparison)[0] == gr.update(choices=[], value=None, visible=False)
    with pytest.raises(gr.Error, match="vote first"):
        go_on(comparison, "rag")


def test_the_chosen_answer_is_offered_first_and_any_can_be_picked(revealed: Comparison) -> None:
    radio, button = offered(revealed)
    assert radio["value"] == "rag"
    assert [variant for _, variant in radio["choices"]] == list(revealed.order)
    assert button["visible"] is True
    revealed.saved = make_vote(choice="tie")
    assert offered(revealed)[0]["value"] is None
    with pytest.raises(gr.Error, match="pick the one"):
        go_on(revealed, None)
    with pytest.raises(gr.Error, match="no answer of 'x'"):
        go_on(revealed, "x")


def test_a_follow_up_says_what_it_goes_on_from_and_what_is_searched(revealed: Comparison, loaded: Workbench) -> None:
    conversation, words, box, _ = go_on(revealed, "tuned")
    assert (conversation.turn, conversation.chosen, box) == (1, ("tuned",), "")
    assert "turn 2" in words
    assert "> tuned says &lt;b>Orla" in words
    assert going_on(None) == ""
    assert asked(revealed) == f"**{QUESTION}**"
    second = prepare(loaded, "When is its lamp lit?", SETUP, conversation)
    assert f"Searched for: *{QUESTION} When is its lamp lit?* (joined)" in asked(second)
