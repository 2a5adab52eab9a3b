"""Which pairs, wins and counts a vote stands for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from eval.ballot import ballot_of
from eval.choices import pair_choices
from eval.outcomes import choices_of, normalised, tally, wilson, win_rates
from eval.variants import IDS
from eval.vote import Vote
from tests.eval.making import make_vote

TWINS = {"base": "same", "tuned": "same", "rag": "r", "combined": "c"}


def said(*votes: Vote) -> list[tuple[set[str], set[str], float]]:
    """Of each choice: what was offered, what of it was called best, and the weight."""
    made = choices_of(votes)
    rows = zip(made.items.tolist(), made.chosen.tolist(), made.weight.tolist(), strict=True)
    return [
        (
            {IDS[item] for item in items if item >= 0},
            {IDS[item] for item, best in zip(items, chosen, strict=True) if best},
            weight,
        )
        for items, chosen, weight in rows
    ]


def test_a_pick_of_four_is_one_choice_and_says_nothing_of_the_losers() -> None:
    assert said(make_vote(choice="rag")) == [(set(IDS), {"rag"}, 1.0)]


def test_a_tie_is_a_choice_of_all() -> None:
    assert said(make_vote(choice="tie")) == [(set(IDS), set(IDS), 1.0)]


@pytest.mark.parametrize(
    "changes", [{"choice": "all_bad"}, {"choice": "skip"}, {"blind": False}, {"rater_kind": "judge"}]
)
def test_what_compares_nothing_gives_no_choice(changes: dict[str, object]) -> None:
    made = choices_of([make_vote(**changes)])
    assert len(made) == 0
    assert made.items.shape == (0, 4)


def test_the_votes_of_judges_are_choices_of_their_own() -> None:
    votes = [make_vote(choice="rag"), make_vote("c1", choice="base", rater_kind="judge")]
    assert len(choices_of(votes)) == 1
    judged = choices_of(votes, kind="judge")
    assert IDS[judged.items[0, judged.chosen[0]][0]] == "base"


def test_identical_answers_win_together_and_are_not_compared() -> None:
    """Almost half of the published votes of a retrieval arena are ties, mostly between equal texts."""
    vote = make_vote(answers=TWINS, identical=(("base", "tuned"),), choice="tuned")
    half = [({"tuned", "rag", "combined"}, {"tuned"}, 0.5), ({"base", "rag", "combined"}, {"base"}, 0.5)]
    assert sorted(said(vote), key=str) == sorted(half, key=str)
    assert {rate.name: rate.wins for rate in win_rates([vote])} == {"base": 0.5, "tuned": 0.5, "rag": 0, "combined": 0}
    tie = make_vote(answers=TWINS, identical=(("base", "tuned"),), choice="tie")
    assert sum(weight for _, _, weight in said(tie)) == 1.0
    assert all(len(offered) == 3 and offered == best for offered, best, _ in said(tie))
    everything = make_vote(answers=dict.fromkeys(IDS, "same"), identical=(IDS,), choice="tie")
    assert said(everything) == []


def test_a_ranking_is_a_choice_of_the_best_and_then_of_the_best_of_the_rest() -> None:
    vote = make_vote(mode="ranking", choice="tie", ranking=(("rag", "tuned"), ("combined",), ("base",)))
    assert said(vote) == [(set(IDS), {"rag", "tuned"}, 1.0), ({"combined", "base"}, {"combined"}, 1.0)]
    assert choices_of([vote]).ranked.all()
    last = make_vote(mode="ranking", choice="rag", ranking=(("rag",), ("combined", "base", "tuned")))
    assert said(last)[1] == ({"combined", "base", "tuned"}, {"combined", "base", "tuned"}, 1.0)
    assert {rate.name: rate.wins for rate in win_rates([vote])} == {"base": 0, "tuned": 0.5, "rag": 0.5, "combined": 0}


def test_all_good_is_a_tie_that_is_counted_apart() -> None:
    votes = [make_vote(choice="all_good"), make_vote("c1", choice="tie"), make_vote("c2", rater_kind="judge")]
    assert said(*votes) == [(set(IDS), set(IDS), 1.0)] * 2
    found = tally(votes)
    assert (found.all_good, found.tie, found.judge, found.blind) == (1, 1, 1, 2)


def test_two_shown_of_four_give_one_pair() -> None:
    assert said(make_vote(shown=("combined", "base"))) == [({"combined", "base"}, {"combined"}, 1.0)]


def test_votes_on_the_same_question_share_a_cluster() -> None:
    questions = ["Who pays?", " who  PAYS? ", "Who paid?"]
    raters = ["a", "b", "a"]
    votes = [
        make_vote(f"c{number}", question=text, rater=rater)
        for number, (text, rater) in enumerate(zip(questions, raters, strict=True))
    ]
    found = {name: list(number) for name, number in choices_of(votes).clusters}
    assert found == {"question": [0, 0, 1], "rater": [0, 1, 0]}
    assert normalised("A\n b") == normalised("a B")


def test_self_pairs_are_dropped_and_counted() -> None:
    made = pair_choices(("a", "b"), [0, 0], [0, 1], [0.5, 1.0])
    assert (made.dropped, list(made.vote)) == (1, [1])


def test_votes_and_their_ballots_say_the_same() -> None:
    votes = [make_vote(f"c{number}", choice=choice) for number, choice in enumerate(("rag", "tie", "base", "skip"))]
    ballots = [ballot_of(vote) for vote in votes]
    assert said(*votes) == said(*ballots)
    assert win_rates(votes) == win_rates(ballots)


def test_properties_of_the_answers_are_standardised_over_what_was_offered() -> None:
    answers = {"base": "x" * 10, "rag": "# a\n\n- b\n- **c**", "tuned": "x" * 30, "combined": "x" * 40}
    made = choices_of([ballot_of(make_vote(answers=answers)), ballot_of(make_vote("c1"))], ["length", "format"])
    assert [name for name, _ in made.covariates] == ["length", "format"]
    for _, values in made.covariates:
        assert values.mean() == pytest.approx(0)
        assert values.std() == pytest.approx(1)
    length, form = (dict(zip(made.items[0], values[0], strict=True)) for _, values in made.covariates)
    assert length[IDS.index("combined")] > length[IDS.index("base")]
    assert form[IDS.index("rag")] > form[IDS.index("base")]


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
    assert said(*one) == said(*other)
    assert win_rates(one) == win_rates(other)
    assert sum(rate.wins for rate in win_rates(one)) == pytest.approx(
        sum(choice not in ("all_bad", "skip") for choice in picks)
    )
