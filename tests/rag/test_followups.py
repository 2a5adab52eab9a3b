"""Follow-ups are made to stand alone, and a model's rewriting is taken only where it is sound."""

import pytest

from rag.followups import ALONE, JOINED, REWRITTEN, Message, Searched, leans, self_contained

EARLIER: list[Message] = [
    {"role": "user", "content": "What does the Loamer measure?"},
    {"role": "assistant", "content": "The Loamer measures how wet the soil is."},
]


def by(text: str) -> Searched:
    """What becomes of a follow-up where the model writes `text`."""
    return self_contained("How long does it ring?", EARLIER, lambda messages: text)


@pytest.mark.parametrize(
    "question",
    ["And how long?", "How long does it ring?", "Why?", "What about the Dewbell?", "Who made them?", "Is that safe?",
     "How do I get there?", "Which one is cheaper?", "Can she do so instead?"],
)  # fmt: skip
def test_questions_that_lean(question: str) -> None:
    assert leans(question)


@pytest.mark.parametrize(
    "question",
    ["What is the lunch at Winter Glass?", "Which bird call does the alarm of the Frostwick sound like?",
     "Is there a yearly party of the Seedling Circle?", "Who is the keeper that lights the lamp?"],
)  # fmt: skip
def test_questions_that_stand_alone_stay_as_they_are(question: str) -> None:
    assert not leans(question)
    assert self_contained(question, EARLIER, lambda messages: "Something else?") == Searched(question, ALONE)


def test_a_first_question_is_never_touched() -> None:
    assert self_contained("And how long?", []) == Searched("And how long?", ALONE)


def test_a_sound_rewriting_is_taken() -> None:
    assert by("How long does the Loamer ring?") == Searched("How long does the Loamer ring?", REWRITTEN)
    assert by('Rewritten: "How long does the Loamer ring?" I hope so.').text == "How long does the Loamer ring?"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "How long does it ring?",  # leans as before
        "How long does the Dewbell ring?",  # of which nobody spoke
        "What does the Loamer measure?",  # not what was asked
        "How long does the Loamer ring, " + "and the soil, " * 20 + "wet?",
        "The Loamer rings for 6 seconds.",
    ],
)
def test_an_unsound_rewriting_is_not_taken(written: str) -> None:
    assert by(written) == Searched("What does the Loamer measure? How long does it ring?", JOINED)


def test_a_model_that_answers_is_not_searched_by() -> None:
    """The default model answered "And then?" in words of the conversation alone."""
    searched = self_contained("And then?", EARLIER, lambda messages: "The Loamer measures the soil.")
    assert searched.how == JOINED


def test_a_chain_of_follow_ups_keeps_its_subject() -> None:
    chain = [*EARLIER, {"role": "user", "content": "Does it ring?"}, {"role": "assistant", "content": "Yes."}]
    chain += [{"role": "user", "content": "For how long?"}, {"role": "assistant", "content": "Six seconds."}]
    assert self_contained("Why?", chain).text == "What does the Loamer measure? For how long? Why?"


def test_the_model_is_shown_the_conversation_and_the_follow_up() -> None:
    seen: list[Message] = []

    def rewrite(messages: list[Message]) -> str:
        seen.extend(messages)
        return ""

    self_contained("How long does it ring?", EARLIER, rewrite)
    (message,) = seen
    assert "Answer: The Loamer measures how wet the soil is." in message["content"]
    assert message["content"].endswith("Last question: How long does it ring?\nRewritten:")
