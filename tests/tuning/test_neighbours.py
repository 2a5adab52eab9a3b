"""What is asked of other packages is the very thing that they use themselves."""

from rag.index import Hit
from rag.prompt import ground as chat_ground
from tuning.neighbours import ground


def test_passages_of_rows_are_worded_as_search_hits_are() -> None:
    """A model tuned on another wording than it meets at chat time learns to read passages that it never gets."""
    messages = [{"role": "user", "content": "How deep is it?"}]
    passages = [{"id": "folder/deep.md", "text": "It is  nine\nmetres deep."}, {"id": "other", "text": "It is red."}]
    hits = [Hit(p["id"], number, p["text"], 1.0, 1.0, None, 0, 1, "") for number, p in enumerate(passages)]
    assert ground(messages, passages) == chat_ground(messages, hits)
    assert "[1] deep.md: It is nine metres deep." in ground(messages, passages)[0]["content"]
