"""Holm's correction, intervals for every look, and how many votes are needed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from eval.anytime import half_width, p_value
from eval.estimate import Uncertain, holm, rounded, votes_needed

CHANCES = st.lists(st.floats(1e-9, 1.0), min_size=1, max_size=12)


@settings(max_examples=30)
@given(p=CHANCES)
def test_holm_equals_that_of_statsmodels(p: list[float]) -> None:
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1].tolist())


@given(se=st.floats(0.01, 5.0), votes=st.integers(1, 10_000), level=st.sampled_from([0.9, 0.95, 0.99]))
def test_interval_and_p_for_every_look_say_the_same(se: float, votes: int, level: float) -> None:
    half = half_width(se, votes, level)
    assert half > 1.64 * se
    assert p_value(half * 1.0001, se, votes, level) < 1 - level
    assert p_value(half * 0.9999, se, votes, level) > 1 - level


def test_a_walk_of_normal_steps_seldom_leaves_the_interval_for_every_look() -> None:
    """2,000 walks of 400 independent steps, looked at after each: at most 5 % may ever leave."""
    steps = np.random.default_rng(1).standard_normal((2000, 400))
    count = np.arange(1, 401)
    means = steps.cumsum(axis=1) / count
    bound = np.array([half_width(1 / np.sqrt(n), n, 0.95) for n in count])
    assert (np.abs(means) > bound).any(axis=1).mean() <= 0.05
    assert (np.abs(means) > 1.96 / np.sqrt(count)).any(axis=1).mean() > 0.3


def test_as_many_votes_as_are_said_to_be_needed_settle_it_in_four_of_five() -> None:
    """A known error of one vote, and a known difference: cast that many, see how often it is settled."""
    truth, one = 0.4, 2.5
    so_far = Uncertain(truth, one / 10, 0.0, 0.0, 0.1, 1.959964)
    needed = votes_needed(so_far, 100, 0.95)
    assert needed is not None
    total = 100 + needed
    drawn = np.random.default_rng(2).normal(truth, one / np.sqrt(total), 4000)
    settled = np.abs(drawn) > half_width(one / np.sqrt(total), total, 0.95)
    assert settled.mean() == pytest.approx(0.8, abs=0.03)


def test_votes_needed_at_the_ends() -> None:
    def row(value: float, se: float) -> Uncertain:
        return Uncertain(value, se, 0.0, 0.0, 0.5, 1.959964)

    assert votes_needed(row(0.0, 0.5), 50, 0.95) is None
    assert votes_needed(row(1.0, 0.5), 0, 0.95) is None
    one, six = votes_needed(row(0.5, 0.3), 50, 0.95, 1), votes_needed(row(0.5, 0.3), 50, 0.95, 6)
    assert one is not None
    assert six is not None
    assert 0 < one < six
    assert [rounded(count) for count in (7, 99, 101, 3490)] == [7, 99, 110, 3500]
