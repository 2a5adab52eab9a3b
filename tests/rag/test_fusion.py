import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.fusion import convex_fusion, reciprocal_rank_fusion

RANKINGS = st.lists(st.lists(st.integers(0, 30), unique=True), max_size=3)


def test_worked_by_hand() -> None:
    ids, scores = reciprocal_rank_fusion([[7, 8], [8, 9]], 5)
    assert ids == [8, 7, 9]
    assert scores == pytest.approx([1 / 62 + 1 / 61, 1 / 61, 1 / 62])


@given(RANKINGS, st.integers(0, 40))
def test_the_union_is_ranked_once_each(rankings: list[list[int]], k: int) -> None:
    ids, scores = reciprocal_rank_fusion(rankings, k)
    union = {identity for ranking in rankings for identity in ranking}
    assert len(ids) == len(set(ids)) == min(k, len(union))
    assert set(ids) <= union
    assert scores == sorted(scores, reverse=True)


@given(st.lists(st.integers(0, 30), unique=True, min_size=1))
def test_one_ranking_keeps_its_order(ranking: list[int]) -> None:
    assert reciprocal_rank_fusion([ranking, []], len(ranking))[0] == ranking


def test_convex_worked_by_hand() -> None:
    fused = convex_fusion(np.array([0.8, 0.4, -0.2]), np.array([0.0, 5.0, 10.0]), 0.75)
    assert fused == pytest.approx([0.75, 0.75 / 2 + 0.25 / 2, 0.25])


def test_convex_without_a_common_word_or_a_near_passage() -> None:
    """A division by the largest, which is zero here, made every score NaN and the order arbitrary."""
    assert convex_fusion(np.array([0.5, 0.25]), np.zeros(2), 0.6) == pytest.approx([0.6, 0.3])
    assert convex_fusion(np.array([-0.5, -0.1]), np.array([1.0, 2.0]), 0.6) == pytest.approx([0.2, 0.4])
    assert convex_fusion(np.empty(0), np.empty(0)).shape == (0,)


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 50)), min_size=2, max_size=20), st.floats(0, 1))
def test_convex_keeps_what_both_agree_on_and_ignores_the_worst(pairs: list[tuple[float, float]], weight: float) -> None:
    cosines, words = np.array(pairs).T
    fused = convex_fusion(cosines, words, weight)
    assert np.all((fused >= 0) & (fused <= 1 + 1e-9))
    for one in range(len(pairs)):
        for two in range(len(pairs)):
            if cosines[one] >= cosines[two] and words[one] >= words[two]:
                assert fused[one] >= fused[two] - 1e-12
    worse = convex_fusion(np.append(cosines, -1), np.append(words, 0), weight)
    assert worse[:-1] == pytest.approx(fused)
