"""Messages and passages to grounded messages: the one place that words a grounded prompt."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Protocol

TEMPLATE = "Passages:\n\n{passages}\n\nAnswer the question from the passages.\n\nQuestion: {question}"
PASSAGE = "[{number}] {document}: {text}"
BUDGET = 4000
"""Characters of all passages together: about 1,000 tokens, half of a small model's window."""


class Passage(Protocol):
    """What a prompt needs of a passage; search hits have it, and so have the passages of training rows."""

    @property
    def document(self) -> str: ...
    @property
    def text(self) -> str: ...


def ground(messages: list[dict[str, str]], hits: Sequence[Passage], budget: int = BUDGET) -> list[dict[str, str]]:
    """The messages with the numbered passages in front of the last user message; unchanged where nothing was found.

    Passages are taken best first until `budget` characters are filled; the last one is cut between words, so [n] in
    an answer is always hits[n - 1].
    """
    passages: list[str] = []
    for number, hit in enumerate(hits, 1):
        room = budget - sum(map(len, passages))
        passage = PASSAGE.format(number=number, document=PurePath(hit.document).name, text=" ".join(hit.text.split()))
        if len(passage) > room:
            head = PASSAGE.format(number=number, document=PurePath(hit.document).name, text="")
            passage = passage[:room].rsplit(" ", 1)[0] if room > len(head) + _LEAST else ""
        if not passage:
            break
        passages.append(passage)
    asked = max((row for row, message in enumerate(messages) if message["role"] == "user"), default=None)
    if not passages or asked is None:
        return [dict(message) for message in messages]
    question = TEMPLATE.format(passages="\n\n".join(passages), question=messages[asked]["content"])
    return [{**message, "content": question} if row == asked else dict(message) for row, message in enumerate(messages)]


_LEAST = 80  # characters of a passage that is cut: fewer tell the model nothing
