import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rag.diversity import diverse, merged, shingles

TEXTS = st.lists(st.lists(st.sampled_from("abc"), max_size=9).map(" ".join), max_size=9)


def test_a_copy_with_a_word_changed_is_the_same_and_half_a_text_is_not() -> None:
    whole = " ".join(f"Word{n}," for n in range(60))
    changed = whole.replace("Word30", "another")
    assert merged([whole, whole[: len(whole) // 2], changed.upper(), "something else"]) == [[0, 2], [1], [3]]
    assert merged(["Yes.", "yes", "no"]) == [[0, 1], [2]], "short texts are the same where their words are"
    assert merged([]) == []
    assert shingles("One, two!") == {("one", "two")}


def test_a_chain_of_small_changes_does_not_merge_its_ends() -> None:
    """Grouped by any member, a manual's revisions would all collapse into the first, however far they had moved."""
    words = [f"w{n}" for n in range(60)]
    chain = [" ".join([*(f"x{n}" for n in range(4 * step)), *words[4 * step :]]) for step in range(8)]
    groups = merged(chain)
    assert len(groups) > 1
    assert all(group[-1] - group[0] <= 1 for group in groups)


@given(TEXTS)
def test_every_text_is_in_one_group_under_one_that_stands_before_it(texts: list[str]) -> None:
    groups = merged(texts)
    assert sorted(place for group in groups for place in group) == list(range(len(texts)))
    assert all(group == sorted(group) for group in groups)
    assert [group[0] for group in groups] == sorted(group[0] for group in groups)
    for group in groups:
        for other in group[1:]:
            one, two = shingles(texts[group[0]]), shingles(texts[other])
            assert len(one & two) / len(one | two) >= 0.8
    assert merged([texts[group[0]] for group in groups]) == [[place] for place in range(len(groups))]


def test_the_second_choice_is_not_a_twin_of_the_first() -> None:
    scores = np.array([1.0, 0.99, 0.8, 0.0])
    vectors = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
    assert diverse(scores, vectors, 4) == [0, 2, 1, 3]
    assert diverse(scores, vectors, 2, balance=1) == [0, 1]
    assert diverse(np.empty(0), np.empty((0, 2)), 3) == []


@given(st.lists(st.tuples(st.integers(-9, 9), st.floats(0.1, 6)), max_size=9), st.integers(1, 12), st.floats(0, 1))
def test_diverse_chooses_each_once_and_the_best_first(rows: list[tuple[int, float]], k: int, balance: float) -> None:
    scores = np.array([score for score, _ in rows])
    angles = np.array([angle for _, angle in rows])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    chosen = diverse(scores, vectors, k, balance)
    assert len(chosen) == len(set(chosen)) == min(k, len(rows))
    if chosen and balance > 1e-9:
        assert scores[chosen[0]] == scores.max()
    if balance == 1:
        assert list(scores[chosen]) == sorted(scores, reverse=True)[:k]
