from hypothesis import given
from hypothesis import strategies as st

from rag.index import Hit
from rag.prompt import ground

MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi"},
    {"role": "user", "content": "How long is the warranty?"},
]


def hit(text: str, document: str = "/home/me/handbook.md") -> Hit:
    return Hit(document, 1, text, 0.5, 0.5, None, 0, len(text), "")


def test_passages_are_numbered_named_and_put_before_the_last_question() -> None:
    grounded = ground(MESSAGES, [hit("Three years."), hit("Two\nweeks.", "returns.txt")])
    assert grounded[:3] == MESSAGES[:3]
    content = grounded[3]["content"]
    assert "[1] handbook.md: Three years." in content
    assert "[2] returns.txt: Two weeks." in content
    assert content.index("[1]") < content.index("[2]") < content.index("How long is the warranty?")
    assert MESSAGES[3]["content"] == "How long is the warranty?", "the caller's messages are left alone"


def test_no_hits_no_change() -> None:
    assert ground(MESSAGES, []) == MESSAGES


def test_braces_in_a_document_or_question_are_only_text() -> None:
    """str.format on text that was already filled in would read a document's braces as fields."""
    grounded = ground([{"role": "user", "content": "What is {x}?"}], [hit("{question} {0} }{")])
    assert "{question} {0} }{" in grounded[0]["content"]
    assert grounded[0]["content"].endswith("What is {x}?")


@given(st.lists(st.text(min_size=1, max_size=400), min_size=1, max_size=8), st.integers(0, 1500))
def test_passages_stay_within_the_budget(texts: list[str], budget: int) -> None:
    (empty,) = ground([{"role": "user", "content": ""}], [hit("")], 10**6)
    (message,) = ground([{"role": "user", "content": ""}], [hit(text) for text in texts], budget)
    frame = len(empty["content"]) - len("[1] handbook.md: ")
    assert len(message["content"]) <= frame + budget + 2 * len(texts)


def test_the_passage_that_fills_the_budget_is_cut_between_words() -> None:
    content = ground([{"role": "user", "content": "Q"}], [hit("alpha " * 100), hit("beta " * 100)], 300)[0]["content"]
    assert "beta" not in content
    assert all(word in {"alpha"} for word in content.split("handbook.md: ")[1].split("\n")[0].split())
