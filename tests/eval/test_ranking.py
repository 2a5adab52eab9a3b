"""Strengths, contrasts and effects as they are reported, degenerate votes included."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.ballot import ballot_of
from eval.choices import pair_choices
from eval.errors import InputError
from eval.fitted import Settings
from eval.ranking import Ranking, rank, rank_votes
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
            rows.append((IDS.index(cell), IDS.index(weaker), score))
    result = rank(pair_choices(IDS, *zip(*rows, strict=True)), Settings(prior=0.0))
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
    assert (result.votes, result.outcomes, result.clusters, result.clustered_by) == (3, 3, 3, "question")
    assert result.strengths[0].name == "rag"
    assert (result.strengths[0].wins, result.strengths[0].losses, result.strengths[0].ties) == (6, 0, 3)
    assert [row.log_strength for row in result.strengths] == sorted(
        (row.log_strength for row in result.strengths), reverse=True
    )
    assert sum(row.log_strength for row in result.strengths) == pytest.approx(0)
    record = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert {"votes", "tie_policy", "prior", "level", "strengths", "contrasts", "effects"} <= set(record)
    assert {"left", "right", "difference", "se", "low", "high", "p", "p_holm"} <= set(record["contrasts"][0])


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
    rows = [(0, 1, 1.0)] * 20 + [(2, 3, float(number % 2)) for number in range(20)]
    votes = pair_choices("abcd", *zip(*rows, strict=True))
    result = rank(votes)
    assert result.warnings[0].startswith("Never compared with each other, even by way of others: a, b; c, d.")
    assert result.warnings[1].startswith("Never beaten so far: a.")
    width = {(row.left, row.right): row.high - row.low for row in result.contrasts}
    assert width.get(("c", "d"), width.get(("d", "c"), 0)) < width[("a", "c")]
    assert result.effects == ()
    with pytest.raises(InputError, match="prior above 0"):
        rank(votes, Settings(prior=0.0))


def test_no_names_give_an_empty_ranking() -> None:
    result = rank(pair_choices((), [], [], []))
    assert (result.votes, result.strengths, result.contrasts) == (0, (), ())


@pytest.mark.parametrize(
    ("votes", "words"),
    [
        ([], "No vote has chosen anything yet"),
        (votes_for("tie", repeat=12), "Every vote is a tie"),
        (votes_for("rag", repeat=12), "Never beaten so far: rag."),
        (votes_for("rag", repeat=12), "All votes are of one rater"),
        ([make_vote(f"c{n}", question="same", choice=IDS[n % 4]) for n in range(12)], "All votes are on one question"),
        ([make_vote(f"c{n}", question=f"{n % 3}", choice=IDS[n % 4]) for n in range(12)], "Only 3 different questions"),
    ],
)
def test_what_votes_cannot_show_is_said(votes: list[Vote], words: str) -> None:
    assert any(line.startswith(words) for line in rank_votes(votes).warnings)


def test_several_raters_widen_the_intervals_where_they_disagree() -> None:
    """Two camps: as votes of a hundred people they are certain, as votes of four people they are not."""
    picks = ["rag"] * 60 + ["rag"] * 15 + ["base"] * 25
    crowd = [make_vote(f"c{n}", choice=choice, rater=f"r{n}") for n, choice in enumerate(picks)]
    four = [replace(vote, rater=f"r{n // 25}") for n, vote in enumerate(crowd)]
    wide, narrow = (
        next(row for row in rank_votes(votes).contrasts if {row.left, row.right} == {"rag", "base"})
        for votes in (four, crowd)
    )
    assert wide.difference == pytest.approx(narrow.difference)
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_position_and_properties_are_estimated_where_asked() -> None:
    random = np.random.default_rng(3)
    votes = []
    for number in range(300):
        order = tuple(random.permutation(IDS).tolist())
        answers = {name: "x" * int(random.integers(10, 400)) for name in IDS}
        worth = np.array([np.log(len(answers[name])) for name in order]) + np.array([1.0, 0, 0, 0])
        choice = order[int(np.argmax(worth + random.gumbel(size=4)))]
        votes.append(ballot_of(make_vote(f"c{number}", order, answers=answers, choice=choice)))
    result = rank_votes(votes, Settings(position=True, adjust=("length",)))
    terms = {term.name: term for term in result.terms}
    assert set(terms) == {"position 1", "position 2", "position 3", "length"}
    assert terms["position 1"].low > 0.3
    assert terms["position 2"].low < 0 < terms["position 2"].high
    assert terms["length"].low > 0.3


def test_an_interval_for_every_look_is_wider_and_settles_later() -> None:
    result = rank_votes(votes_for(*["rag"] * 5, *["combined"] * 4, "base", "tuned", repeat=10))
    for row in (*result.contrasts, *result.effects):
        assert row.anytime_low < row.low < row.high < row.anytime_high
        assert row.settled == (row.votes_needed == 0)
        assert row.p_holm >= row.p
    leader, *_, least = (row for row in result.contrasts if row.left == result.strengths[0].name)
    assert not leader.settled
    assert leader.votes_needed is None or leader.votes_needed > 500
    assert least.settled
    assert sum(row.p_best for row in result.strengths) == pytest.approx(1)
    assert result.strengths[0].p_best > result.strengths[1].p_best > 0.05


def test_the_interaction_as_win_rates_is_the_difference_of_two() -> None:
    result = rank_votes(votes_for(*["combined"] * 6, "rag", "rag", "tuned", "tuned", "base", repeat=10))
    value = {row.name: row.log_strength for row in result.strengths}
    chance = {
        name: 1 / (1 + np.exp(value["rag" if name == "combined" else "base"] - value[name]))
        for name in ("combined", "tuned")
    }
    effect = result.effects[-1]
    assert effect.name == "interaction"
    assert effect.win_rate == pytest.approx(chance["combined"] - chance["tuned"])
    assert effect.win_low < effect.win_rate < effect.win_high


ballots = st.lists(st.sampled_from((*IDS, "tie", "all_bad", "skip")), min_size=1, max_size=20)


@settings(max_examples=40)
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
