"""The check of citations: what supports a sentence, what does not, and that nothing is ever forced."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.citations import EMPTY, SUPPORTED, UNCITED, UNSUPPORTED, Sentence, check, supported_of
from rag.embedder import Embedder


@dataclass(frozen=True)
class Passage:
    document: str
    text: str
    heading: str = ""


PASSAGES = [
    Passage("courses.md", "It lasts a day. The lunch is pumpkin soup. The price is 40 marks.", "Winter Glass"),
    Passage("loamer.md", "The Loamer measures soil. It rings for six seconds when the soil is dry."),
]


def one(answer: str) -> Sentence:
    (sentence,) = check(answer, PASSAGES)
    return sentence


def proof(sentence: Sentence) -> str:
    assert sentence.span is not None
    return PASSAGES[sentence.span.passage - 1].text[sentence.span.start : sentence.span.end]


def test_a_marked_sentence_is_supported_by_the_span_that_says_it() -> None:
    sentence = one("The lunch at Winter Glass is pumpkin soup [1].")
    assert (sentence.verdict, sentence.marks, sentence.attributed) == (SUPPORTED, (1,), False)
    assert proof(sentence) == "The lunch is pumpkin soup."


def test_an_unmarked_sentence_is_attributed_by_the_check() -> None:
    sentence = one("The Loamer rings for 6 seconds when the soil is dry.")
    assert (sentence.verdict, sentence.marks, sentence.attributed) == (SUPPORTED, (), True)
    assert proof(sentence) == "It rings for six seconds when the soil is dry."


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("The captain sails to the harbour every morning.", UNCITED),
        ("The captain sails to the harbour every morning [2].", UNSUPPORTED),
        ("The Loamer rings for 9 seconds when the soil is dry [2].", UNSUPPORTED),
        ("The lunch at Summer Glass is pumpkin soup [1].", UNSUPPORTED),
        ("The price is 400 marks.", UNCITED),
    ],
)
def test_what_the_passages_do_not_say_has_no_span(answer: str, verdict: str) -> None:
    """Numbers and names must match, however alike the rest is; a mark alone proves nothing."""
    sentence = one(answer)
    assert (sentence.verdict, sentence.span) == (verdict, None)


def test_a_mark_that_names_no_passage_is_told() -> None:
    sentence = one("The lunch is pumpkin soup [7].")
    assert (sentence.marks, sentence.strange, sentence.verdict) == ((), (7,), SUPPORTED)


def test_a_mark_on_the_wrong_passage_is_told_and_the_right_one_found() -> None:
    sentence = one("The lunch is pumpkin soup [2].")
    assert (sentence.verdict, sentence.misplaced, sentence.attributed) == (SUPPORTED, (2,), True)
    assert proof(sentence) == "The lunch is pumpkin soup."


def test_several_marks_of_one_sentence() -> None:
    assert one("The lunch is pumpkin soup [1, 2][3].").marks == (1, 2)
    assert one("The lunch is pumpkin soup. [1]").marks == (1,)


def test_sentences_are_counted_where_they_say_something() -> None:
    checked = check("The lunch is pumpkin soup. The moon is made of cheese. It is.", PASSAGES)
    assert [sentence.verdict for sentence in checked] == [SUPPORTED, UNCITED, EMPTY]
    assert supported_of(checked) == (1, 2)


def test_without_passages_nothing_is_supported() -> None:
    (sentence,) = check("The lunch is pumpkin soup [1].", [])
    assert (sentence.verdict, sentence.strange) == (UNSUPPORTED, (1,))
    assert check("", PASSAGES) == []


@given(st.text(max_size=80), st.lists(st.text(max_size=80), max_size=3))
def test_whatever_the_texts_spans_lie_within_their_passages(answer: str, texts: list[str]) -> None:
    passages = [Passage("a.md", text) for text in texts]
    for sentence in check(answer, passages):
        assert answer[sentence.start : sentence.end] == sentence.text
        assert (sentence.verdict == SUPPORTED) == (sentence.span is not None)
        if sentence.span:
            text = texts[sentence.span.passage - 1]
            assert text[sentence.span.start : sentence.span.end].strip()


def test_meaning_finds_what_other_words_say(embedder: Embedder) -> None:
    answer = "The Loamer rings for six seconds if the ground is dry."
    (sentence,) = check(answer, PASSAGES, embedder)
    assert sentence.verdict == SUPPORTED
    assert proof(sentence) == "It rings for six seconds when the soil is dry."
    (other,) = check("The Loamer costs more than any bicycle in the village.", PASSAGES, embedder)
    assert other.verdict == UNCITED
