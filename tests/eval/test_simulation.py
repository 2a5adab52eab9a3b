"""Do the intervals hold what they promise? A fast part of `python -m eval simulate`, seeded, and its command."""

import json

import numpy as np
import pytest

from eval.__main__ import main
from eval.bootstrap import bootstrap
from eval.ranking import rank
from eval.simulation import World, coverage, peeking

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("world", "votes"),
    [
        (World(), 20),
        (World(mode="ranking"), 60),
        (World(votes_a_prompt=10, raters=8, raters_differ=0.4), 200),
    ],
)
def test_intervals_hold_the_truth_about_as_often_as_they_say(world: World, votes: int) -> None:
    """With so few runs the share itself is uncertain by 2 %; docs/benchmarks.md has the figures of many."""
    found = coverage(world, votes, runs=60)
    assert 0.90 <= found.contrasts <= 0.995
    assert 0.90 <= found.effects <= 1.0
    assert found.lowest >= 0.83


@pytest.mark.slow
@pytest.mark.parametrize("votes", [20, 100, 300])
def test_intervals_hold_the_truth_in_many_runs(votes: int) -> None:
    found = coverage(World(), votes, runs=500)
    assert 0.93 <= found.contrasts <= 0.975
    assert 0.93 <= found.effects <= 0.975


def test_errors_that_ignore_what_prompts_share_would_hold_it_too_seldom() -> None:
    """The simulation can fail: independent errors, ten votes to a prompt, miss more than they may."""
    world = World(votes_a_prompt=10, prompts_differ=1.2)
    lost, narrow = 0, 0
    for run in range(40):
        votes = world.votes(200, np.random.default_rng(run))
        ranking = rank(votes)
        naive = rank(type(votes)(**{**votes.__dict__, "clusters": (("vote", votes.vote),)}))
        lost += sum(row.high - row.low for row in ranking.contrasts) > 1.3 * sum(
            r.high - r.low for r in naive.contrasts
        )
        narrow += 1
    assert lost > 0.8 * narrow


def test_looking_after_every_vote_does_not_overturn_the_error_rate() -> None:
    """Nothing differs, and someone looks 30 times: whoever trusts the interval for one look errs far too often."""
    found = peeking(World(strengths=(0.0,) * 4, prompts_differ=0.5), votes=30, runs=30)
    assert found.anytime <= 0.1
    assert found.any_settled <= 0.1
    assert found.fixed > found.anytime


def test_the_bootstrap_agrees_with_the_formula() -> None:
    world = World(votes_a_prompt=3)
    choices = world.votes(240, np.random.default_rng(5))
    ranking = rank(choices)
    resampled = {row["name"]: row for row in bootstrap(choices, ranking, 200)["differences"]}
    for contrast in ranking.contrasts:
        row = resampled[f"{contrast.left} - {contrast.right}"]
        assert row["se"] == pytest.approx(contrast.se, rel=0.25)
        assert row["low"] < contrast.difference < row["high"]
    assert {f"effect of {effect.name}" for effect in ranking.effects} <= set(resampled)


def test_simulate_prints_what_it_found(capsys: Captured) -> None:
    assert main(["simulate", "--votes", "12", "--runs", "3", "--looks", "4", "--json"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [row["votes"] for row in result["coverage"]] == [12]
    assert result["peeking"]["runs"] == 3
    assert main(["simulate", "--votes", "5", "--runs", "2", "--looks", "0", "--mode", "pair"]) == 0
    assert capsys.readouterr().out.startswith("5 votes: contrasts")


@pytest.mark.parametrize("wrong", [["--votes", "0"], ["--runs", "0"], ["--raters", "0"], ["--looks", "-1"]])
def test_simulate_refuses_what_cannot_be(wrong: list[str], capsys: Captured) -> None:
    assert main(["simulate", *wrong]) == 2
    assert wrong[0].removeprefix("--") in capsys.readouterr().err
