"""Intervals: those of scipy where it has them, true often enough where the truth is known, and never a false zero."""

import numpy as np
import pytest
from scipy import stats

from tuning.bootstrap import FEWEST, Interval, mean_interval, widened


def holds(interval: Interval, truth: float) -> bool:
    assert interval.low is not None
    assert interval.high is not None
    return interval.low <= truth <= interval.high


def test_single_rows_get_scipys_percentiles() -> None:
    values = np.random.default_rng(1).normal(0.3, 1, 40)
    ours = mean_interval(list(values), range(40), draws=20_000)
    level = widened(0.95, 40)
    theirs = stats.bootstrap(
        (values,),
        np.mean,
        confidence_level=level,
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    assert ours.value == pytest.approx(values.mean())
    assert ours.low == pytest.approx(theirs.low, abs=0.015)
    assert ours.high == pytest.approx(theirs.high, abs=0.015)
    assert 0.95 < level < 0.97


def test_weighted_sources_get_scipys_percentiles_of_their_ratio() -> None:
    """Loss per token is a ratio of sums: what is resampled are pairs of a source's loss and its tokens."""
    random = np.random.default_rng(3)
    sources = random.integers(0, 25, 100)
    weights, values = random.integers(1, 30, 100).astype(float), random.normal(-0.2, 1, 100)
    ours = mean_interval(list(values), list(sources), list(weights), draws=20_000)
    sums = np.array([(values * weights)[sources == one].sum() for one in range(25)])
    masses = np.array([weights[sources == one].sum() for one in range(25)])
    theirs = stats.bootstrap(
        (sums, masses),
        lambda total, mass, axis: total.sum(axis) / mass.sum(axis),
        paired=True,
        vectorized=True,
        confidence_level=widened(0.95, 25),
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(4),
    ).confidence_interval
    assert ours.value == pytest.approx(np.average(values, weights=weights))
    assert (ours.rows, ours.sources) == (100, 25)
    assert ours.low == pytest.approx(theirs.low, abs=0.015)
    assert ours.high == pytest.approx(theirs.high, abs=0.015)


@pytest.mark.parametrize("sources", [10, 40])
def test_the_truth_is_inside_nearly_as_often_as_promised(sources: int) -> None:
    """Four rows a source that have half of their variance in common; drawn as single rows, a third would miss."""
    random = np.random.default_rng(5)
    names = np.repeat(np.arange(sources), 4)
    inside = alone = 0
    for seed in range(400):
        values = 0.5 + random.normal(0, 1, sources)[names] + random.normal(0, 1, sources * 4)
        ours = mean_interval(list(values), list(names), draws=400, seed=seed)
        naive = mean_interval(list(values), range(len(values)), draws=400, seed=seed)
        inside += holds(ours, 0.5)
        alone += holds(naive, 0.5)
    assert 0.92 <= inside / 400 <= 0.98
    assert alone / 400 < 0.9


def test_the_seed_fixes_the_interval() -> None:
    values = list(np.random.default_rng(6).normal(0, 1, 30))
    assert mean_interval(values, range(30)) == mean_interval(values, range(30))
    assert mean_interval(values, range(30)) != mean_interval(values, range(30), seed=1)


def test_too_few_sources_give_the_mean_and_say_why_there_is_no_interval() -> None:
    few = mean_interval([1.0, 2.0, 3.0] * 7, ["a", "b", "c"] * 7)
    assert (few.value, few.low, few.high, few.floor) == (2.0, None, None, None)
    assert few.note == f"3 sources, fewer than {FEWEST}: too few for an interval"
    assert (few.below_zero, few.above_zero) == (False, False)
    assert "1 source," in mean_interval([1.0], ["a"]).note


def test_rows_that_all_agree_are_no_proof_of_no_difference() -> None:
    """Ten answers that are all right before and after leave room for one in three to differ."""
    same = mean_interval([0.0] * 10, range(10), largest=1.0)
    assert same.high == pytest.approx(1 - 0.025**0.1)
    assert same.low == -same.high
    assert "the same in all of 10 sources" in same.note
    most = mean_interval([1.0] * 10, range(10), largest=1.0)
    assert (most.low, most.high) == (pytest.approx(0.025**0.1), 1.0), "no share can rise by more than all"
    unbounded = mean_interval([0.25] * 10, range(10))
    assert (unbounded.low, unbounded.high) == (None, None)
    assert "cannot be told" in unbounded.note


@pytest.mark.parametrize("values", [[], [float("nan")] * 9, [float("inf")] * 9])
def test_what_is_no_number_has_no_mean(values: list[float]) -> None:
    with pytest.raises(ValueError, match="cannot be resampled"):
        mean_interval(values, range(len(values)))
