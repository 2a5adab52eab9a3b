"""Agreement against the tables that were published for it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.alpha import Metric, Rating, alpha

FOUR_OBSERVERS = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""
"""Krippendorff (2011), section D: four observers, twelve units, some of them missing."""

THREE_CODERS = """
. . . . . 3 4 1 2 1 1 3 3 . 3
1 . 2 1 3 3 4 3 . . . . . . .
. . 2 1 3 4 4 . 2 1 1 3 3 . 4
"""
"""The example of Wikipedia's article on the coefficient."""


def table(text: str) -> list[Rating]:
    """A line a rater, a column a unit; a dot is a missing rating."""
    return [
        (f"u{unit}", f"r{rater}", int(value) if value.isdigit() else value)
        for rater, line in enumerate(text.strip().splitlines())
        for unit, value in enumerate(line.split())
        if value != "."
    ]


@pytest.mark.parametrize(
    ("text", "metric", "published"),
    [
        ("0 1 0 0 0 0 0 0 1 0\n1 1 1 0 0 1 0 0 0 0", "nominal", 0.095),  # section A: Meg and Owen
        ("a a b b d c c c e d d a\nb a b b b c c c e d d d", "nominal", 0.692),  # section B: Ben and Gerry
        (FOUR_OBSERVERS, "nominal", 0.743),
        (FOUR_OBSERVERS, "ordinal", 0.815),
        (FOUR_OBSERVERS, "interval", 0.849),
        (THREE_CODERS, "nominal", 0.691),
        (THREE_CODERS, "interval", 0.811),
    ],
)
def test_published_examples(text: str, metric: Metric, published: float) -> None:
    found = alpha(table(text), metric)
    assert found.value == pytest.approx(published, abs=0.0005)
    assert found.low < found.value < found.high


def test_units_with_one_rating_do_not_count() -> None:
    """A peer's raw agreement counted such items as agreed, and so rose the fewer raters answered."""
    plain = table(FOUR_OBSERVERS)
    lonely = [(f"alone {number}", "r0", 1) for number in range(50)]
    assert alpha(plain + lonely) == alpha(plain)
    assert alpha(plain).units == 11
    assert alpha(plain).ratings == 40


def test_a_second_answer_of_the_same_rater_does_not_count() -> None:
    plain = table(FOUR_OBSERVERS)
    assert alpha([*plain, ("u0", "r0", 5)]) == alpha(plain)


def test_where_chance_explains_everything_it_is_not_defined() -> None:
    everyone = [(f"u{unit}", f"r{rater}", "same") for unit in range(9) for rater in range(3)]
    found = alpha(everyone)
    assert found.value is None
    assert (found.low, found.high) == (-1, 1)
    assert "without variation" in found.note
    assert alpha([]).value is None
    assert "rated by two raters" in alpha([("u", "r", 1)]).note


@pytest.mark.parametrize("units", [2, 20, 200])
def test_perfect_agreement_keeps_an_interval_and_says_why(units: int) -> None:
    found = alpha([(f"u{unit}", rater, unit % 2) for unit in range(units) for rater in "ab"])
    assert found.value == 1
    assert found.high == 1
    assert found.low == pytest.approx(0.025 ** (1 / units))
    assert f"No disagreement in {units} units" in found.note


def test_one_unit_in_dispute_has_no_narrow_interval() -> None:
    found = alpha([("u", "a", 0), ("u", "b", 1)])
    assert (found.low, found.high) == (-1, 1)
    assert "too few" in found.note


def test_raters_who_guess_agree_as_chance_does_and_the_interval_says_so() -> None:
    random = np.random.default_rng(1)
    covered = 0
    for _ in range(40):
        guesses = [(f"u{unit}", rater, int(random.integers(4))) for unit in range(60) for rater in "abc"]
        found = alpha(guesses)
        covered += found.low <= 0 <= found.high
    assert covered >= 34, "a 95 % interval covered the truth in fewer than 85 % of 40 trials (chance below 1 %)"


VALUES = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 4), st.integers(0, 3)), max_size=40)


@settings(max_examples=60)
@given(VALUES, st.permutations(range(4)))
def test_names_do_not_matter(rows: list[tuple[int, int, int]], names: list[int]) -> None:
    seen = {(unit, rater): value for unit, rater, value in rows}
    ratings = [(f"u{unit}", f"r{rater}", value) for (unit, rater), value in seen.items()]
    renamed = [(f"x{unit}", f"y{rater}", names[int(value)]) for unit, rater, value in ratings]
    first, second = alpha(ratings), alpha(renamed)
    assert (first.value is None) == (second.value is None)
    if first.value is not None:
        assert second.value == pytest.approx(first.value)
        assert -1 - 1e-9 <= first.low <= first.value <= first.high <= 1
    reversed_order = [(unit, rater, -value) for unit, rater, value in ratings]
    ordinal, mirrored = alpha(ratings, "ordinal").value, alpha(reversed_order, "ordinal").value
    assert ordinal == mirrored or ordinal == pytest.approx(mirrored)
