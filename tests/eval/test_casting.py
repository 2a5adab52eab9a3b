"""What a page sends becomes the vote that the rater meant, or an error in words; anyone can send anything."""

import contextlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.casting import Said, make_vote, read_said
from eval.comparison import Comparison, prepare
from eval.errors import InputError
from eval.form import Forms, Version
from eval.judgement import Judgement
from eval.vote_rules import check
from eval.workbench import Workbench
from tests.eval.test_comparison import QUESTION, SETUP, answered

RATER = "ab" * 16


@pytest.fixture
def comparison(loaded: Workbench) -> Comparison:
    return answered(loaded)


@pytest.fixture
def form(loaded: Workbench) -> Version:
    return Forms(loaded.home).current()


def filled_in(**content: Any) -> str:
    return json.dumps(content)


def test_the_vote_holds_all_that_made_it(loaded: Workbench, comparison: Comparison) -> None:
    vote = make_vote(comparison, read_said("2+", ""), RATER)
    check(vote)
    assert (vote.choice, vote.order, vote.mode, vote.blind) == (comparison.order[2], comparison.order, "best", True)
    assert vote.acceptable is True
    assert "Orla" in vote.prompts["rag"][-1]["content"]
    assert "Orla" not in vote.prompts["tuned"][-1]["content"]
    assert vote.configuration["base"]["digest"] == loaded.engine().base.digest
    assert vote.configuration["index"]["digest"] == loaded.index("samples").digest
    assert vote.configuration["sampling"]["seed"] == 0
    assert set(vote.tokens) == set(vote.seconds) == set(vote.configuration["finished"]) == set(comparison.order)


@pytest.mark.parametrize(
    ("button", "choice", "acceptable"),
    [
        ("0+", 0, True),
        ("3-", 3, False),
        ("1", 1, None),
        ("tie", "tie", None),
        ("all_good", "all_good", True),
        ("all_bad", "all_bad", False),
        ("skip", "skip", None),
    ],
)
def test_every_button_says_what_it_says(
    comparison: Comparison, button: str, choice: int | str, acceptable: bool | None
) -> None:
    vote = make_vote(comparison, read_said(button, "{}"), RATER)
    check(vote)
    assert vote.choice == (comparison.order[choice] if isinstance(choice, int) else choice)
    assert vote.acceptable is acceptable


def test_a_ranking_with_ties(loaded: Workbench) -> None:
    comparison = answered(loaded, replace(SETUP, mode="ranking"))
    comparison.answers = {name: replace(given, text=name) for name, given in comparison.answers.items()}
    a, b, c, d = comparison.order
    vote = make_vote(comparison, read_said("ranking-", filled_in(places=[[2], [0, 3], [1]])), RATER)
    check(vote)
    assert vote.ranking == ((c,), (a, d), (b,))
    assert (vote.choice, vote.acceptable, vote.mode) == (c, False, "ranking")
    tied = make_vote(comparison, read_said("ranking+", filled_in(places=[[1, 2], [0, 3]])), RATER)
    check(tied)
    assert (tied.choice, tied.ranking[0]) == ("tie", (b, c))


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ([], "does not hold each answer once"),
        ([[0], [1], [2]], "does not hold each answer once"),
        ([[0], [1], [2], [3], [3]], "does not hold each answer once"),
        ([[0], [], [1, 2, 3]], "does not hold each answer once"),
        ([[0, 1, 2, 3]], "share one place"),
        ([[0], [1, 2, 3]], "same text"),
    ],
)
def test_a_ranking_that_is_none(comparison: Comparison, places: list[list[int]], said: str) -> None:
    same = {comparison.order[0], comparison.order[1]}
    for name, given_ in comparison.answers.items():
        comparison.answers[name] = replace(given_, text="same" if name in same else name)
    with pytest.raises(InputError, match=said):
        make_vote(comparison, read_said("ranking+", filled_in(places=places)), RATER)


def test_each_answer_is_judged_by_itself(comparison: Comparison, form: Version) -> None:
    text = comparison.answers[comparison.order[1]].text
    answers = {
        "0": {"thumb": "up", "scores": {"correctness": 5}, "tags": ["too_long"], "comment": " fine ", "better": "B"},
        "1": {"thumb": "", "scores": {}, "tags": [], "better": text},
        "2": {"thumb": "down"},
    }
    vote = make_vote(comparison, read_said("0+", filled_in(answers=answers)), RATER, form)
    check(vote)
    assert vote.form == form.digest
    assert vote.judgements == {
        comparison.order[0]: Judgement(
            thumb=True, scores={"correctness": 5}, tags=("too_long",), comment="fine", better="B"
        ),
        comparison.order[2]: Judgement(thumb=False),
    }


@pytest.mark.parametrize(
    "answers",
    [
        {"4": {"thumb": "up"}},
        {"-1": {"thumb": "up"}},
        {"0": {"scores": {"taste": 3}}},
        {"0": {"scores": {"correctness": 6}}},
        {"0": {"tags": ["<script>"]}},
        {"x": {"thumb": "up"}},
        {"0": {"scores": {"correctness": "many"}}},
        {"0": 7},
        [],
    ],
)
def test_forged_judgements_are_refused(comparison: Comparison, form: Version, answers: Any) -> None:
    with pytest.raises(InputError):
        make_vote(comparison, read_said("0+", filled_in(answers=answers)), RATER, form)


def test_scores_need_the_form_that_was_shown(comparison: Comparison) -> None:
    with pytest.raises(InputError, match="need the rating form"):
        make_vote(comparison, Said("0", judgements={0: Judgement(scores={"correctness": 1})}), RATER)


def test_a_vote_is_refused_before_the_answers_and_after_the_reveal(loaded: Workbench, comparison: Comparison) -> None:
    with pytest.raises(InputError, match="not finished"):
        make_vote(prepare(loaded, QUESTION, SETUP), Said("0"), RATER)
    comparison.voted = True
    with pytest.raises(InputError, match="revealed"):
        make_vote(comparison, Said("0"), RATER)


@pytest.mark.parametrize("details", ["{", "[1]", "7", '{"places": 3}', '{"places": [["a"]]}', '{"answers": 3}', "null"])
def test_details_that_cannot_be_read_are_said(details: str) -> None:
    with pytest.raises(InputError, match="reload the page"):
        read_said("0+", details)
    with pytest.raises(InputError, match="shorten"):
        read_said("0+", "x" * 600_000)


@given(button=st.text(max_size=12), details=st.text(max_size=40))
def test_whatever_is_sent_is_read_or_refused(button: str, details: str) -> None:
    with contextlib.suppress(InputError):
        assert isinstance(read_said(button, details), Said)
