import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.fusion import reciprocal_rank_fusion

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
