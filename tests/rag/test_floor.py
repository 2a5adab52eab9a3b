"""The floor of an index: chosen from questions, kept with the index, never believed for another one."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.calibration import made_questions, read_questions
from rag.errors import InputError
from rag.floor import FILE, calibrate, choose, forget_floor, nearness, read_floor
from rag.index import Index
from rag.shares import in_words, share

INSIDE = [
    "How long does the warranty of the drill last?", "Is the warranty three years?", "From when does the warranty run?",
    "When does the shop open?", "When does the shop close on weekdays?", "Is the shop open at nine?",
    "May goods be sent back?", "Within how many days may I send goods back?", "Do I get a full refund?",
    "Does the drill have a warranty from the day of purchase?",
]  # fmt: skip
OUTSIDE = [
    "What is the capital of France?", "How many legs has a spider?", "Who wrote Hamlet?", "What is a volcano?",
    "Hello there!", "Name three planets.", "What is seven times six?", "Why is the sky blue?",
    "Which gas do we breathe?", "What does a bee make?",
]  # fmt: skip


def test_the_floor_parts_what_can_be_parted() -> None:
    assert choose(np.array([0.6, 0.8, 0.9]), np.array([0.1, 0.2])) == pytest.approx(0.4)


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=20), st.lists(st.floats(0, 1), min_size=1, max_size=20)
)  # fmt: skip
def test_no_other_floor_makes_fewer_errors(inside: list[float], outside: list[float]) -> None:
    near, far = np.array(inside).round(3), np.array(outside).round(3)

    def errors(floor: float) -> float:
        refused = float((near < floor).mean())
        return refused + float((far >= floor).mean()) if refused <= 0.1 else 2.0

    best = errors(choose(near, far, 0.1))
    assert best <= min(errors(float(value) + 1e-4) for value in (*near, *far)) + 1e-9
    assert best <= 1 + 1e-9


def test_a_question_of_the_documents_comes_nearer(shop: Index) -> None:
    inside, outside = (nearness(q, shop.search(q, 3)) for q in (INSIDE[0], OUTSIDE[0]))
    assert outside < inside
    assert nearness("anything", []) == 0


def test_calibrated_once_and_kept_with_the_index(shop: Index) -> None:
    assert read_floor(shop) is None
    floor = calibrate(shop, INSIDE, OUTSIDE)
    assert read_floor(shop) == floor
    assert all(nearness(q, shop.search(q, 3)) < floor.value for q in ("Who was Napoleon?", "Recite a poem."))
    assert nearness(INSIDE[1], shop.search(INSIDE[1], 3)) >= floor.value
    for rate in (floor.false_refusals, floor.false_answers):
        assert rate["of"] == 10
        assert rate["low"] < rate["high"], "an interval without a width"
    assert forget_floor(shop)
    assert read_floor(shop) is None
    assert not forget_floor(shop)


@pytest.mark.parametrize("field", ["embedder", "store"])
def test_a_floor_of_another_index_or_embedder_is_not_believed(shop: Index, field: str) -> None:
    calibrate(shop, INSIDE, OUTSIDE)
    path = shop.folder / FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: "another"}))
    assert read_floor(shop) is None
    path.write_text("{half")
    assert read_floor(shop) is None


def test_too_few_questions_choose_nothing(shop: Index) -> None:
    with pytest.raises(InputError, match="3 foreign questions; give at least 10"):
        calibrate(shop, INSIDE, OUTSIDE[:3])
    assert read_floor(shop) is None


def test_questions_are_made_of_the_documents(shop: Index) -> None:
    made = made_questions(shop)
    assert len(made) == 3
    assert made == made_questions(shop)
    assert all(shop.search(question, 1)[0].text not in question for question in made)


@pytest.mark.parametrize(
    "text", ["Who?\n\nWhy?\nWho?\n", '{"question": "Who?"}\n{"prompt": "Why?"}', '["Who?", {"text": "Why?"}]']
)
def test_questions_of_a_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "questions"
    path.write_text(text)
    assert read_questions(path) == ["Who?", "Why?"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "no questions"), ('{"a": 1}', ":1 has no question"), ("Who?\n{x", ":2 is not JSON"), ("[1", "not JSON")],
)
def test_a_bad_file_of_questions_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "questions"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_questions(path)


def test_shares_as_published() -> None:
    """Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3."""
    for count, of, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        figure = share(count, of)
        assert (figure["low"], figure["high"]) == pytest.approx((low, high), abs=1e-4)
    assert share(0, 0)["value"] is None
    assert in_words(share(0, 0)) == "not known: there were none"
    assert in_words(share(15, 148)) == "10 % [6, 16] of 148"
