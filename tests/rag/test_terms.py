"""What two texts are compared by."""

import pytest

from rag.terms import stems, terms


def exact(text: str) -> set[str]:
    return {term.stem for term in terms(text) if term.exact}


def test_forms_of_a_word_are_one_and_empty_words_none() -> None:
    assert stems("The keepers were keeping it") == stems("keeper keeps") | stems("keep")
    assert stems("It is what they are for.") == frozenset()


@pytest.mark.parametrize(("words", "digits"), [("six seconds", "6 seconds"), ("1,200 units", "1200 units")])
def test_a_number_is_one_in_words_and_in_digits(words: str, digits: str) -> None:
    assert stems(words) == stems(digits)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Lunch at Winter Glass is soup.", {"winter", "glass"}),
        ("Soup. Bread is free.", set()),
        ("- Bread is free", set()),
        ("the gene ALDH1 and p53", {"aldh1", "p53"}),
        ("It rings for six seconds", {"6"}),
        ("He likes Orla's lamp", {"orla"}),
    ],
)
def test_numbers_and_names_must_match(text: str, names: set[str]) -> None:
    assert exact(text) == names


def test_places_are_those_of_the_text() -> None:
    text = "Who keeps Orla’s lamp?"
    assert [text[term.start : term.end] for term in terms(text)] == ["keeps", "Orla’s", "lamp"]
