"""Scores against values worked out by hand from the definition."""

import pytest

from tuning.rows import Row
from tuning.scores import accepted, exact_match, holds, normalise, token_f1


def row(response: str, *answers: str) -> Row:
    messages = ({"role": "user", "content": "How deep?"}, {"role": "assistant", "content": response})
    return Row(messages, "line 1", answers=answers)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("  The Keeper's  LAMP. ", "keepers lamp"),
        ("a theory, an anthem, the end", "theory anthem end"),
        ("1,234.5", "12345"),
        ("“Ärger”\n\tÉté", "“ärger” été"),
        ("The", ""),
        ("the-end", "theend"),  # punctuation goes first, so that the article is no word of its own any more
    ],
)
def test_normalised_as_squad_does(text: str, normal: str) -> None:
    assert normalise(text) == normal


@pytest.mark.parametrize(
    ("answer", "right", "exact", "f1"),
    [
        ("Paris", ["Paris"], 1, 1),
        ("the paris.", ["Paris"], 1, 1),
        ("It is Paris", ["Paris"], 0, 2 * (1 / 3) * 1 / (1 / 3 + 1)),
        ("Rome", ["Paris"], 0, 0),
        ("seven red boats", ["seven boats", "7 boats"], 0, 2 * (2 / 3) * 1 / (2 / 3 + 1)),
        ("7 boats", ["seven boats", "7 boats"], 1, 1),
        ("no no no", ["no"], 0, 2 * (1 / 3) * 1 / (1 / 3 + 1)),  # said three times is not right three times
        ("no no", ["no no no yes"], 0, 2 * 1 * (2 / 4) / (1 + 2 / 4)),
        ("", ["Paris"], 0, 0),
        ("The", ["a"], 1, 1),
        ("Paris", ["the"], 0, 0),
    ],
)
def test_the_best_accepted_answer_counts(answer: str, right: list[str], exact: float, f1: float) -> None:
    assert exact_match(answer, right) == exact
    assert token_f1(answer, right) == pytest.approx(f1)


def test_a_longer_answer_holds_the_right_one_as_whole_words() -> None:
    assert holds("Well: the capital is PARIS, of course.", ["Rome", "Paris"]) == 1
    assert holds("There are 16 of them.", ["6"]) == 0
    assert holds("new old york", ["New York"]) == 0
    assert holds("anything", ["the"]) == 0
    assert holds("The", ["the"]) == 1
    assert holds("", ["Paris"]) == 0


def test_what_is_accepted_is_what_the_row_says_or_its_own_short_answer() -> None:
    assert accepted(row("It was founded in 2009.", "2009")) == ("2009",)
    assert accepted(row("One two three four five")) == ("One two three four five",)
    assert accepted(row("One two three four five six")) == ()
    assert accepted(row("")) == ()
