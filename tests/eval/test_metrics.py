"""Scores of single answers, against the reference implementations of each."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.chrf import CHRF

from eval.metrics import against_row, chrf, refuses, rouge_l, unanswerable
from tuning.rows import Row

TEXTS = st.lists(st.sampled_from(["The", "lamp", "is", "lit,", "at", "six.", "nine", "o'clock", "x_y", ""])).map(
    " ".join
)


def row(response: str, **changes: object) -> Row:
    turns = ({"role": "user", "content": "When?"}, {"role": "assistant", "content": response})
    return Row(messages=turns, place="line 1", **changes)  # type: ignore[arg-type]


@settings(max_examples=150)
@given(TEXTS, TEXTS)
def test_rouge_l_is_that_of_the_rouge_score_package(answer: str, reference: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    expected = RougeScorer(["rougeL"]).score(reference, answer)["rougeL"].fmeasure
    assert rouge_l(answer, reference) == pytest.approx(expected)


@settings(max_examples=150)
@given(st.text(max_size=40) | TEXTS, st.text(max_size=40) | TEXTS)
def test_chrf_is_that_of_sacrebleu(answer: str, reference: str) -> None:
    expected = CHRF().sentence_score(answer, [reference]).score / 100
    assert chrf(answer, reference) == pytest.approx(expected, abs=1e-12)


def test_words_of_any_script_count_for_rouge() -> None:
    """The original drops everything but a to z and digits, so that it calls any two Greek answers nothing alike."""
    assert rouge_l("στις έξι", "Στις έξι.") == 1


@pytest.mark.parametrize(
    "answer",
    [
        "Ollerquist here: Our documents do not say who that was. Grow well!",
        "The passages don't mention a price.",
        "I don't know.",
        "I’m unable to answer that from what I was given.",
        "That is not stated in the documents.",
        "There is no information about the wages in the text.",
        "The question cannot be answered.",
    ],
)
def test_a_refusal_is_known_by_its_wording(answer: str) -> None:
    assert refuses(answer)


@pytest.mark.parametrize(
    "answer",
    ["The lamp is lit at six.", "Do not open the valve.", "The document says nine metres.", "No. It is blue.", ""],
)
def test_an_answer_is_no_refusal(answer: str) -> None:
    assert not refuses(answer)


def test_figures_of_an_answer() -> None:
    found = against_row("It is lit at six.", row("The lamp is lit at six.", answers=("six", "6")))
    assert (found["exact"], found["holds"], found["refused_wrongly"]) == (0, 1, 0)
    assert 0 < found["f1"] < 1
    assert found["rouge_l"] == pytest.approx(2 * 4 / 11)
    assert math.isnan(found["refused_rightly"])


def test_what_has_nothing_to_measure_is_nan() -> None:
    """A long answer without accepted short ones once counted as an exact match of 0."""
    found = against_row("Yes.", row("A long answer that nobody could give in the very same words."))
    assert all(math.isnan(found[name]) for name in ("exact", "f1", "holds"))


@pytest.mark.parametrize("one", [row("Six.", task="unanswerable"), row("Our documents do not say.", task="fact")])
def test_a_refusal_is_right_where_the_row_says_so(one: Row) -> None:
    assert unanswerable(one)
    assert against_row("I do not know.", one)["refused_rightly"] == 1
    assert against_row("Six.", one)["refused_rightly"] == 0
    assert math.isnan(against_row("Six.", one)["refused_wrongly"])
