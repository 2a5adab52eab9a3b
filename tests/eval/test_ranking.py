"""Strengths, contrasts and effects as they are reported, degenerate votes included."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.errors import InputError
from eval.outcomes import make_pairs
from eval.ranking import Ranking, Settings, rank, rank_votes
from eval.variants import IDS
from eval.vote import Vote
from tests.eval.making import make_vote


def votes_for(*choices: str, repeat: int = 1) -> list[Vote]:
    return [make_vote(f"c{number}", choice=choice) for number, choice in enumerate(choices * repeat)]


def widths(result: Ranking) -> list[float]:
    rows = (*result.strengths, *result.contrasts, *result.effects)
    return [row.high - row.low for row in rows]


@pytest.mark.parametrize(
    "votes",
    [
        [],
        votes_for("base"),
        votes_for("tie"),
        votes_for("tie", repeat=30),
        votes_for("rag", repeat=30),
        votes_for("all_bad", "skip"),
        [make_vote(shown=("base", "rag"))],
        [make_vote(f"c{number}", question="the same for all", choice="combined") for number in range(30)],
    ],
)
def test_degenerate_votes_get_wide_intervals_not_a_crash(votes: list[Vote]) -> None:
    """One vote gave another library's leader [2825, 2825]: an interval of zero width."""
    result = rank_votes(votes)
    assert {strength.name for strength in result.strengths} == set(IDS)
    assert len(result.contrasts) == 6
    assert min(widths(result)) > 0.02
    assert all(0 < contrast.p <= 1 for contrast in result.contrasts)


@pytest.mark.parametrize("votes", [0, 1, 9])
def test_fewer_than_ten_votes_are_provisional(votes: int) -> None:
    assert rank_votes(votes_for("rag", repeat=votes)).provisional
    assert not rank_votes(votes_for("rag", repeat=10)).provisional


def test_one_vote_never_decides_anything() -> None:
    for choice in IDS:
        assert all(row.low < 0 < row.high for row in rank_votes(votes_for(choice)).contrasts)


def test_effects_read_the_two_by_two() -> None:
    """Each cell beats the plainer ones twice as often as it loses to them; so both factors help, additively."""
    rows = []
    for cell, weaker, wins in [
        ("tuned", "base", 2), ("rag", "base", 2), ("combined", "tuned", 2), ("combined", "rag", 2),
    ]:  # fmt: skip
        for number in range(60):
            score = float(number % (wins + 1) < wins)
            rows.append((IDS.index(cell), IDS.index(weaker), score, len(rows), len(rows)))
    result = rank(make_pairs(IDS, rows, "vote"), Settings(prior=0.0))
    effects = {effect.name: effect for effect in result.effects}
    assert effects["tuning"].value == pytest.approx(np.log(2))
    assert effects["retrieval"].value == pytest.approx(np.log(2))
    assert effects["interaction"].value == pytest.approx(0, abs=1e-9)
    assert effects["tuning"].low > 0
    assert effects["interaction"].low < 0 < effects["interaction"].high
    value = {strength.name: strength.log_strength for strength in result.strengths}
    assert effects["tuning"].value == pytest.approx(
        (value["tuned"] - value["base"] + value["combined"] - value["rag"]) / 2
    )
    assert effects["interaction"].value == pytest.approx(
        (value["combined"] - value["rag"]) - (value["tuned"] - value["base"]), abs=1e-9
    )


def test_counts_settings_and_order_of_the_result() -> None:
    result = rank_votes([*votes_for("rag", "rag", "tie", "skip"), make_vote("open", blind=False)])
    assert (result.votes, result.outcomes, result.clusters, result.clustered_by) == (3, 12, 3, "question")
    assert result.strengths[0].name == "rag"
    assert (result.strengths[0].wins, result.strengths[0].losses, result.strengths[0].ties) == (6, 0, 3)
    assert [row.log_strength for row in result.strengths] == sorted(
        (row.log_strength for row in result.strengths), reverse=True
    )
    assert sum(row.log_strength for row in result.strengths) == pytest.approx(0)
    record = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert {"votes", "tie_policy", "prior", "level", "strengths", "contrasts", "effects"} <= set(record)
    assert set(record["contrasts"][0]) == {"left", "right", "difference", "se", "low", "high", "p"}


def test_the_tie_policy_is_obeyed() -> None:
    votes = votes_for("rag", "tie", "tie")
    half, drop = rank_votes(votes), rank_votes(votes, Settings(tie_policy="drop"))
    assert (half.votes, drop.votes) == (3, 1)
    assert drop.strengths[0].log_strength > half.strengths[0].log_strength
    assert drop.strengths[0].ties == 0


@pytest.mark.parametrize(
    "wrong", [{"prior": -1.0}, {"prior": float("nan")}, {"tie_policy": "win"}, {"level": 1.0}, {"level": 0.0}]
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"default|give half"):
        Settings(**wrong)  # type: ignore[arg-type]


def test_names_that_never_met_are_ranked_with_wide_intervals() -> None:
    rows = [(0, 1, 1.0, number, number) for number in range(20)] + [
        (2, 3, float(number % 2), 20 + number, 20 + number) for number in range(20)
    ]
    result = rank(make_pairs(("a", "b", "c", "d"), rows, "vote"))
    width = {(row.left, row.right): row.high - row.low for row in result.contrasts}
    assert width.get(("c", "d"), width.get(("d", "c"), 0)) < width[("a", "c")]
    assert result.effects == ()
    with pytest.raises(InputError, match="prior above 0"):
        rank(make_pairs(("a", "b", "c", "d"), rows, "vote"), Settings(prior=0.0))


def test_no_names_give_an_empty_ranking() -> None:
    result = rank(make_pairs((), [], "vote"))
    assert (result.votes, result.strengths, result.contrasts) == (0, (), ())


ballots = st.lists(st.sampled_from((*IDS, "tie", "all_bad", "skip")), min_size=1, max_size=20)


@settings(deadline=None, max_examples=40)
@given(choices=ballots, data=st.data())
def test_exchanging_the_factors_exchanges_their_effects(choices: list[str], data: st.DataObject) -> None:
    """Calling every tuned answer a retrieved one, and the other way round, must mirror the result exactly."""
    mirror = {"tuned": "rag", "rag": "tuned"}
    votes = votes_for(*choices)
    other = [replace(vote, choice=mirror.get(vote.choice, vote.choice)) for vote in data.draw(st.permutations(votes))]
    one = {effect.name: effect for effect in rank_votes(votes).effects}
    two = {effect.name: effect for effect in rank_votes(other).effects}
    for name, partner in (("tuning", "retrieval"), ("retrieval", "tuning"), ("interaction", "interaction")):
        assert one[name].value == pytest.approx(two[partner].value, abs=1e-8)
        assert one[name].se == pytest.approx(two[partner].se, abs=1e-8)
    assert min(widths(rank_votes(votes))) > 0
