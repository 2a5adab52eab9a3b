"""Examples come from training rows, and never hand over the answer."""

import numpy as np
import pytest

from eval.errors import InputError
from eval.fewshot import Examples, with_examples
from tuning.rows import Row

VECTORS = {"lamp?": [1.0, 0.0], "light?": [0.9, 0.1], "lantern?": [0.8, 0.2], "herring?": [0.0, 1.0]}


def row(question: str, source: str, answer: str = "") -> Row:
    turns = ({"role": "user", "content": question}, {"role": "assistant", "content": answer or f"about {question}"})
    return Row(messages=turns, place=question, source=source)


ROWS = [row("herring?", "harbour"), row("light?", "lighthouse"), row("lantern?", "shop"), row("scales?", "harbour")]


def encode(texts: object) -> np.ndarray:
    return np.array([VECTORS.get(text, [0.0, 0.0]) for text in texts])  # type: ignore[attr-defined]


def asked(turns: list[dict[str, str]]) -> list[str]:
    return [turn["content"] for turn in turns if turn["role"] == "user"]


def test_nearest_takes_those_like_the_question_the_nearest_last() -> None:
    assert asked(Examples(ROWS, "nearest", encode).of(row("lamp?", "cellar"), 2)) == ["lantern?", "light?"]


def test_the_questions_own_source_gives_no_example() -> None:
    """The nearest training row is often the same fact in other words: with it the model need only copy."""
    assert asked(Examples(ROWS, "nearest", encode).of(row("lamp?", "lighthouse"), 1)) == ["lantern?"]
    assert "light?" not in asked(Examples(ROWS, "fixed").of(row("light?", "elsewhere"), 3))


def test_fixed_examples_are_the_same_for_every_question_and_of_different_sources() -> None:
    examples = Examples(ROWS)
    one, other = (asked(examples.of(row(question, "cellar"), 3)) for question in ("lamp?", "wine?"))
    assert one == other
    assert len({next(r.source for r in ROWS if r.prompt[-1]["content"] == question) for question in one}) == 3
    assert asked(Examples(ROWS[::-1]).of(row("lamp?", "cellar"), 3)) == one


def test_too_few_rows_are_said() -> None:
    with pytest.raises(InputError, match=r"only 2 training rows.*--train"):
        Examples(ROWS).of(row("lamp?", "harbour"), 3)
    with pytest.raises(InputError, match="fixed, nearest"):
        Examples(ROWS, "best")
    assert Examples([]).of(row("lamp?", "harbour"), 0) == []


def test_examples_stand_behind_what_the_system_says() -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "lamp?"}]
    turns = with_examples(messages, Examples(ROWS).of(row("lamp?", "cellar"), 1))
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant", "user"]
    assert turns[0], turns[-1] == messages
