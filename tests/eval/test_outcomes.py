"""Which pairs, wins and counts a vote stands for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from eval.outcomes import Pairs, make_pairs, normalised, pair_outcomes, tally, wilson, win_rates
from eval.variants import IDS
from eval.vote import Vote
from tests.eval.making import make_vote

TWINS = {"base": "same", "tuned": "same", "rag": "r", "combined": "c"}


def named(pairs: Pairs) -> set[tuple[str, str, float]]:
    """The outcomes as (left, right, score), the winner first."""
    rows = zip(pairs.left, pairs.right, pairs.score, strict=True)
    found = {(pairs.names[left], pairs.names[right], float(score)) for left, right, score in rows}
    return {(right, left, 1.0) if score == 0 else (left, right, score) for left, right, score in found}


def test_a_pick_of_four_is_three_wins_and_says_nothing_of_the_losers() -> None:
    assert named(pair_outcomes([make_vote(choice="rag")])) == {
        ("rag", "base", 1.0), ("rag", "tuned", 1.0), ("rag", "combined", 1.0),
    }  # fmt: skip


def test_a_tie_is_a_tie_of_every_pair() -> None:
    pairs = pair_outcomes([make_vote(choice="tie")])
    assert sorted(pairs.score) == [0.5] * 6
    assert len({frozenset(pair) for pair in zip(pairs.left, pairs.right, strict=True)}) == 6


@pytest.mark.parametrize(
    "changes", [{"choice": "all_bad"}, {"choice": "skip"}, {"blind": False}, {"rater_kind": "judge"}]
)
def test_what_compares_nothing_gives_no_pair(changes: dict[str, object]) -> None:
    assert len(pair_outcomes([make_vote(**changes)]).score) == 0


def test_identical_answers_win_together_and_are_not_compared() -> None:
    """Almost half of the published votes of a retrieval arena are ties, mostly between equal texts."""
    vote = make_vote(answers=TWINS, identical=(("base", "tuned"),), choice="tuned")
    assert named(pair_outcomes([vote])) == {
        ("base", "rag", 1.0), ("base", "combined", 1.0), ("tuned", "rag", 1.0), ("tuned", "combined", 1.0),
    }  # fmt: skip
    assert {rate.name: rate.wins for rate in win_rates([vote])} == {"base": 0.5, "tuned": 0.5, "rag": 0, "combined": 0}
    tie = make_vote(answers=TWINS, identical=(("base", "tuned"),), choice="tie")
    assert len(pair_outcomes([tie]).score) == 5
    everything = make_vote(answers=dict.fromkeys(IDS, "same"), identical=(IDS,), choice="tie")
    assert len(pair_outcomes([everything]).score) == 0


def test_a_ranking_says_who_beat_whom_in_every_pair() -> None:
    vote = make_vote(mode="ranking", choice="tie", ranking=(("rag", "tuned"), ("combined",), ("base",)))
    assert named(pair_outcomes([vote])) == {
        ("rag", "combined", 1.0), ("rag", "base", 1.0), ("tuned", "combined", 1.0), ("tuned", "base", 1.0),
        ("combined", "base", 1.0), ("tuned", "rag", 0.5),
    }  # fmt: skip
    assert {rate.name: rate.wins for rate in win_rates([vote])} == {"base": 0, "tuned": 0.5, "rag": 0.5, "combined": 0}


def test_all_good_is_a_tie_that_is_counted_apart() -> None:
    votes = [make_vote(choice="all_good"), make_vote("c1", choice="tie"), make_vote("c2", rater_kind="judge")]
    assert sorted(pair_outcomes(votes).score) == [0.5] * 12
    found = tally(votes)
    assert (found.all_good, found.tie, found.judge, found.blind) == (1, 1, 1, 2)


def test_two_shown_of_four_give_one_pair() -> None:
    assert named(pair_outcomes([make_vote(shown=("combined", "base"))])) == {("combined", "base", 1.0)}


def test_votes_on_the_same_question_share_a_cluster() -> None:
    questions = ["Who pays?", " who  PAYS? ", "Who paid?"]
    pairs = pair_outcomes([make_vote(f"c{number}", question=text) for number, text in enumerate(questions)])
    assert list(pairs.cluster) == [0] * 6 + [1] * 3
    assert list(pairs.vote) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert normalised("A\n b") == normalised("a B")


def test_self_pairs_are_dropped_and_counted() -> None:
    pairs = make_pairs(("a", "b"), [(0, 0, 0.5, 0, 0), (0, 1, 1.0, 1, 1)], "vote")
    assert (pairs.dropped, list(pairs.vote)) == (1, [1])


def test_the_kinds_are_counted_apart() -> None:
    choices = ["rag", "base", "tie", "all_bad", "skip", "skip"]
    votes = [make_vote(f"c{number}", choice=choice) for number, choice in enumerate(choices)]
    found = tally([*votes, make_vote("open", blind=False)])
    assert (found.decided, found.tie, found.all_bad, found.skip, found.open, found.blind) == (2, 1, 1, 2, 1, 6)


def test_win_rates_split_ties_and_count_all_bad_as_won_by_nobody() -> None:
    votes = [make_vote(f"c{number}", choice=choice) for number, choice in enumerate(["rag", "tie", "all_bad", "skip"])]
    rates = {rate.name: rate for rate in win_rates(votes)}
    assert (rates["rag"].wins, rates["rag"].votes) == (1.25, 3)
    assert rates["base"].value == pytest.approx(0.25 / 3)


def test_without_votes_a_win_rate_is_unknown() -> None:
    for rate in win_rates([]):
        assert (rate.value, rate.low, rate.high) == (None, 0.0, 1.0)


@given(votes=st.integers(1, 500), data=st.data())
def test_wilson_equals_that_of_statsmodels_and_never_has_zero_width(votes: int, data: st.DataObject) -> None:
    wins = data.draw(st.integers(0, votes))
    low, high = wilson(wins, votes, 0.95)
    assert (low, high) == pytest.approx(proportion_confint(wins, votes, method="wilson"), abs=1e-9)
    assert 0 <= low < high <= 1


choices = st.lists(st.sampled_from((*IDS, "tie", "all_bad", "skip")), max_size=12)


@given(picks=choices, order=st.permutations(IDS))
def test_the_order_on_the_screen_changes_no_outcome(picks: list[str], order: list[str]) -> None:
    def votes(shown: tuple[str, ...]) -> list[Vote]:
        return [make_vote(f"c{number}", shown=shown, choice=choice) for number, choice in enumerate(picks)]

    one, other = votes(IDS), votes(tuple(order))
    assert {frozenset(row[:2]) for row in named(pair_outcomes(one))} == {
        frozenset(row[:2]) for row in named(pair_outcomes(other))
    }
    assert win_rates(one) == win_rates(other)
    assert sum(rate.wins for rate in win_rates(one)) == pytest.approx(
        sum(choice not in ("all_bad", "skip") for choice in picks)
    )
