"""Who gets which prompt: every prompt gets what it needs and no more, whoever comes when and goes away."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.handout import Next, Plan, Turn, choose


def plan_of(prompts: int, raters: int, overlap: int, retest: int = 0, seed: int = 0) -> Plan:
    return Plan([raters if number < overlap else 1 for number in range(prompts)], raters, retest, seed)


def rate(plan: Plan, turns: list[Turn], rater: str, beyond: bool = False) -> Next:
    """Hand out one prompt and rate it."""
    given = choose(plan, turns, rater, beyond)
    if given.number is not None:
        turns.append(Turn(given.number, rater, done=True, live=False, retest=given.retest))
    return given


def rate_all(plan: Plan, turns: list[Turn], rater: str) -> list[Next]:
    found = []
    while (given := rate(plan, turns, rater)).number is not None:
        found.append(given)
    return found


def test_every_prompt_goes_to_every_rater_once_where_all_overlap() -> None:
    plan, turns = plan_of(20, 3, 20), []
    for rater in "abc":
        given = rate_all(plan, turns, rater)
        assert sorted(one.number for one in given) == list(range(20))
        assert [(one.done + 1, one.total) for one in given] == [(number, 20) for number in range(1, 21)]
    assert choose(plan, turns, "d") == Next(None, False, 0, 0, 0, 0)


def test_what_does_not_overlap_is_dealt_out_in_equal_parts() -> None:
    plan, turns = plan_of(20, 3, 5), []
    counts = {rater: len(rate_all(plan, turns, rater)) for rater in "abc"}
    assert counts == {"a": 10, "b": 10, "c": 10}
    assert Counter(turn.number for turn in turns) == {n: 3 if n < 5 else 1 for n in range(20)}


def test_who_is_done_may_go_on_where_others_stay_away() -> None:
    plan, turns = plan_of(12, 3, 0), []
    rate_all(plan, turns, "a")
    given = choose(plan, turns, "a")
    assert (given.number, given.done, given.beyond) == (None, 4, 8)
    assert choose(plan, turns, "a", beyond=True).number is not None
    while rate(plan, turns, "a", beyond=True).number is not None:
        pass
    assert sorted(turn.number for turn in turns) == list(range(12))


def test_the_fewest_ratings_come_first() -> None:
    plan = plan_of(6, 4, 6)
    turns = [Turn(n, rater, True, False) for rater in "ab" for n in range(6) if (n, rater) != (4, "b")]
    assert choose(plan, turns, "c").number == 4


def test_ties_are_broken_at_random_alike_after_a_restart_and_differently_for_each_rater() -> None:
    plan = plan_of(50, 5, 50)
    first = {rater: choose(plan, [], rater).number for rater in "abcdefgh"}
    assert first == {rater: choose(plan, [], rater).number for rater in "abcdefgh"}
    assert len(set(first.values())) > 4
    assert choose(replace(plan, seed=1), [], "a").number != first["a"]


def test_a_prompt_in_somebodys_hands_is_not_handed_out_past_its_need() -> None:
    plan = plan_of(1, 2, 1)
    held = [Turn(0, "a", False, True), Turn(0, "b", True, False)]
    assert choose(plan, held, "c") == Next(None, False, 0, 0, 0, 1)
    assert choose(plan, [Turn(0, "a", False, False), held[1]], "c").number == 0


def test_prompts_are_shown_again_at_the_end_only_where_that_is_asked_for() -> None:
    plan, turns = plan_of(5, 1, 5, retest=2), []
    given = rate_all(plan, turns, "a")
    assert [one.retest for one in given] == [False] * 5 + [True] * 2
    assert [one.number for one in given[5:]] == [one.number for one in given[:2]]
    assert {one.total for one in given} == {7}


PEOPLE = st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=80)


@settings(max_examples=60)
@given(st.integers(1, 8), st.integers(1, 4), st.integers(0, 8), st.integers(0, 2), PEOPLE)
def test_no_order_of_comings_and_goings_hands_out_too_much(
    prompts: int, raters: int, overlap: int, retest: int, people: list[tuple[str, bool]]
) -> None:
    """Whoever asks gets a prompt and rates it, or holds it until the end; nobody gets a prompt twice by chance."""
    plan = plan_of(prompts, raters, min(overlap, prompts), retest)
    turns: list[Turn] = []
    for rater, rates in people:
        if any(turn.rater == rater and turn.live for turn in turns):
            continue
        given = choose(plan, turns, rater, beyond=True)
        assert given.done <= given.total or given.number is None
        if given.number is not None:
            turns.append(Turn(given.number, rater, rates, not rates, given.retest))
    taken = Counter(turn.number for turn in turns if not turn.retest)
    assert all(taken[number] <= quota for number, quota in enumerate(plan.quotas))
    first = Counter((turn.number, turn.rater) for turn in turns if not turn.retest)
    assert set(first.values()) <= {1}
    again = Counter((turn.number, turn.rater) for turn in turns if turn.retest)
    assert set(again.values()) <= {1}
    assert all(count <= retest for count in Counter(turn.rater for turn in turns if turn.retest).values())


@pytest.mark.parametrize(("raters", "overlap"), [(1, 0), (3, 4), (5, 10)])
def test_together_they_finish(raters: int, overlap: int) -> None:
    plan, turns = plan_of(10, raters, overlap), []
    names = [f"r{number}" for number in range(raters)]
    moved = True
    while moved:
        handed_out = [rate(plan, turns, name).number for name in names]
        moved = any(number is not None for number in handed_out)
    assert Counter(turn.number for turn in turns) == dict(enumerate(plan.quotas))
