"""Sentences as spans: nothing is lost, nothing is said twice, and a full stop is not always an end."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.sentences import sentences


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("It costs 3.50 euros. Cheap.", ["It costs 3.50 euros.", "Cheap."]),
        ("Dr. Marsh met J. Doe, e.g. Monday. Then he left.", ["Dr. Marsh met J. Doe, e.g. Monday.", "Then he left."]),
        ("Soup. [1] Bread [2]. Tea.[1, 3] End", ["Soup. [1]", "Bread [2].", "Tea.[1, 3]", "End"]),
        ('He said "no." She left.', ['He said "no."', "She left."]),
        ("Wait... what? Yes", ["Wait... what?", "Yes"]),
        ("A list:\n- one\n- two\n\nAfter it", ["A list:", "- one", "- two", "After it"]),
        ("1. Open it.\n2. Close it.", ["1. Open it.", "2. Close it."]),
        ("是的。不是！好", ["是的。", "不是！", "好"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_where_sentences_end(text: str, parts: list[str]) -> None:
    assert cut(text) == parts


@given(st.text(alphabet="aB1 .!?[]\n-。\"'", max_size=60))
def test_every_visible_character_is_in_exactly_one_sentence(text: str) -> None:
    spans = list(sentences(text))
    assert all(low < high for low, high in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert "".join("".join(cut(text)).split()) == "".join(text.split())


def test_a_part_of_a_text_is_cut_within_its_ends() -> None:
    text = "One. Two. Three."
    assert [text[a:b] for a, b in sentences(text, 5, 12)] == ["Two.", "Th"]


def test_a_megabyte_without_an_end_is_one_sentence_soon() -> None:
    assert len(list(sentences("word " * 200_000))) == 1
