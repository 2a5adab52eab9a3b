"""A question on its way to a vote, with a real engine and a real index."""

import threading
import time
from collections import Counter
from dataclasses import replace

import pytest

from eval.casting import Said, make_vote
from eval.comparison import Comparison, answer, prepare
from eval.errors import USER_ERRORS
from eval.setup import Setup, shown
from eval.variants import IDS
from eval.vote_rules import check
from eval.workbench import Workbench

SETUP = Setup(adapter="samples", index="samples", passages=1, max_tokens=12)
QUESTION = "Who keeps the lighthouse?"


def answered(workbench: Workbench, setup: Setup = SETUP) -> Comparison:
    comparison = prepare(workbench, QUESTION, setup)
    for _ in answer(workbench, comparison):
        pass
    return comparison


def decoding_threads() -> int:
    return sum(thread.name == "decoding" for thread in threading.enumerate())


def test_the_four_answers_come_from_the_four_variants(loaded: Workbench) -> None:
    comparison = answered(loaded)
    assert comparison.done
    assert set(comparison.answers) == set(IDS)
    assert all(given.finished for given in comparison.answers.values())
    assert comparison.hits[0].document == "lighthouse.md"
    assert len({given.text for given in comparison.answers.values()}) > 1


def test_panes_are_shuffled_only_where_blind(loaded: Workbench) -> None:
    assert prepare(loaded, QUESTION, replace(SETUP, mode="open")).order == IDS
    first = Counter(prepare(loaded, QUESTION, SETUP).order[0] for _ in range(40))
    assert set(first) == set(IDS), "a variant that never comes first in 40 shuffles (chance 4e-5)"


def test_of_a_pair_only_the_two_are_computed(loaded: Workbench) -> None:
    comparison = answered(loaded, replace(SETUP, mode="pair", pair=("rag", "base")))
    assert set(comparison.order) == set(comparison.requests) == set(comparison.answers) == {"rag", "base"}
    drawn = Counter(shown(replace(SETUP, mode="pair")) for _ in range(400))
    assert len(drawn) == 12, "an ordered pair that is never drawn in 400 (chance 1e-14)"
    sides = Counter(shown(replace(SETUP, mode="pair", pair=("rag", "base")))[0] for _ in range(60))
    assert set(sides) == {"rag", "base"}


def test_identical_answers_are_grouped(loaded: Workbench) -> None:
    comparison = answered(loaded)
    comparison.answers["tuned"] = comparison.answers["base"] = replace(comparison.answers["rag"], text="Orla")
    assert ("base", "tuned") in comparison.identical


def test_stop_keeps_what_was_written(loaded: Workbench) -> None:
    setup = replace(SETUP, max_tokens=300, temperature=1.5)
    comparison = prepare(loaded, QUESTION, setup)
    for _ in answer(loaded, comparison):
        if comparison.answers:
            comparison.stop.set()
    assert comparison.done
    assert {given.finished for given in comparison.answers.values()} <= {"stopped", "end"}
    assert all(given.tokens < 300 for given in comparison.answers.values())
    check(make_vote(comparison, Said("skip"), "ab" * 16))


def test_a_closed_page_ends_the_decoding(loaded: Workbench) -> None:
    """The reader of a closed tab is closed; the thread behind it must not decode to the end for nobody."""
    comparison = prepare(loaded, QUESTION, replace(SETUP, max_tokens=400, temperature=1.5))
    stream = answer(loaded, comparison)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 10
    while decoding_threads() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not decoding_threads()
    assert not comparison.done


def test_a_failure_while_decoding_reaches_the_reader(loaded: Workbench) -> None:
    comparison = prepare(loaded, QUESTION, SETUP)
    loaded.engine().detach("samples")
    with pytest.raises(USER_ERRORS, match="samples is not loaded"):
        list(answer(loaded, comparison))


@pytest.mark.parametrize(
    ("question", "setup", "words"),
    [
        ("  ", SETUP, "question is empty"),
        ("x" * 5000, SETUP, "shorten it to 4000"),
        (QUESTION, replace(SETUP, passages=11), "choose 1 to 10"),
        (QUESTION, replace(SETUP, temperature=9.0), "temperature 9.0 must lie in"),
        (QUESTION, replace(SETUP, mode="guess"), "'guess' is no way to vote"),
        (QUESTION, replace(SETUP, mode="pair", pair=("rag", "rag")), "are no pair"),
        (QUESTION, replace(SETUP, adapter="nobody"), "nobody"),
        (QUESTION, replace(SETUP, index="nowhere"), "nowhere"),
        ("word " * 700, SETUP, "shorten the question"),
    ],
)
def test_bad_input_is_named_with_its_remedy(loaded: Workbench, question: str, setup: Setup, words: str) -> None:
    with pytest.raises(USER_ERRORS, match=words):
        list(answer(loaded, prepare(loaded, question, setup)))
