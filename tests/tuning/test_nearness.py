"""Near-duplicates are found where they are, wherever they stand, and different texts are left alone."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from tuning.nearness import NEAR, nearest

WORDS = [f"word{number}" for number in range(500)]


def texts(count: int, seed: int = 0) -> list[str]:
    lot = random.Random(seed)
    return [" ".join(lot.choices(WORDS, k=lot.randint(25, 60))) for _ in range(count)]


def test_a_changed_word_is_nearly_the_same_and_other_texts_are_not() -> None:
    originals = texts(300)
    changed = []
    for number, text in enumerate(originals):
        words = text.split()
        words[number % len(words)] = "changed"
        changed.append(" ".join(words))
    assert nearest(originals) == [None] * 300
    found = nearest(originals + changed)[300:]
    assert [likeness.number for likeness in found if likeness] == list(range(300))
    assert [likeness.number for likeness in nearest(changed, among=originals) if likeness] == list(range(300))


def test_case_points_and_spaces_do_not_tell_texts_apart() -> None:
    found = nearest(
        [
            "Who keeps the lamp?",
            "who  keeps the LAMP",
            "Who keeps the boat?",
            "灯台守はだれですか",
            "灯台守はだれですか。",
        ]
    )
    assert [likeness and likeness.number for likeness in found] == [None, 0, None, None, 3]
    assert found[1] is not None
    assert found[1].share == 1


def test_short_questions_about_other_things_are_not_the_same() -> None:
    assert (
        nearest(["What is the capital of France?", "What is the capital of Italy?", "17 + 4", "17 + 5"]) == [None] * 4
    )


def test_a_frame_that_all_texts_share_does_not_make_them_the_same() -> None:
    frame = " ".join(WORDS[:80])
    framed = [f"{frame} {' '.join(random.Random(n).choices(WORDS[100:], k=8))}" for n in range(100)]
    assert nearest(framed) == [None] * 100


@settings(max_examples=60)
@given(st.lists(st.text(max_size=30), max_size=12))
def test_any_text_is_compared_and_equal_ones_are_found(any_texts: list[str]) -> None:
    found = nearest(any_texts)
    for number, likeness in enumerate(found):
        assert likeness is None or (likeness.number < number and NEAR <= likeness.share <= 1)
        if any_texts[number] in any_texts[:number]:
            assert likeness is not None
            assert likeness.share == 1
