"""Intervals of all differences that hold together, also where rows share sources."""

import math

import numpy as np
import pytest

import eval.simultaneous
from eval.simultaneous import gaps


def covered(generator: np.random.Generator, sources: int, shared: float) -> bool:
    """Four candidates, the last one better by 0.2: does every interval hold its true gap?"""
    rows = sources * 3
    of = np.repeat(np.arange(sources), 3)
    hard = generator.normal(size=sources)[of]
    means = {"a": 0.0, "b": 0.0, "c": 0.0, "d": 0.2}
    own = {name: shared * generator.normal(size=sources)[of] for name in means}
    values = {name: mean + hard + own[name] + generator.normal(size=rows) for name, mean in means.items()}
    found = gaps(values, list(of), 0.95)
    return all(gap.low <= means[one] - means[other] <= gap.high for (one, other), gap in found.items())


@pytest.mark.parametrize(("sources", "shared"), [(10, 1.0), (40, 0.5)])
def test_all_six_intervals_hold_together(sources: int, shared: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by itself at 95 %, all six held in about 80 of 100: a verdict picks among them."""
    monkeypatch.setattr(eval.simultaneous, "DRAWS", 400)
    generator = np.random.default_rng(5)
    share = np.mean([covered(generator, sources, shared) for _ in range(200)])
    assert 0.91 <= share <= 0.995


def test_gaps_read_both_ways() -> None:
    values = {"a": np.arange(10.0), "b": np.arange(10.0) % 3}
    found = gaps(values, range(10), 0.95)
    there, back = found["a", "b"], found["b", "a"]
    assert (there.value, there.low, there.high) == (-back.value, -back.high, -back.low)
    assert there.value == pytest.approx(4.5 - 0.9)


def test_of_few_sources_nothing_is_known() -> None:
    found = gaps({"a": np.zeros(20), "b": np.ones(20)}, [0] * 20, 0.95, 1.0)
    assert math.isinf(found["b", "a"].high)


def test_candidates_that_are_alike_on_every_row_are_not_known_to_be_equal() -> None:
    found = gaps({"a": np.ones(30), "b": np.ones(30)}, range(30), 0.95, 1.0)["a", "b"]
    assert found.value == 0
    assert 0.05 < found.high < 0.2, "a difference on one in ten further rows could have been missed"
