"""The words of a question in a text that it found."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

_WORD = re.compile(r"\w+")


def marks(text: str, question: str) -> Iterator[tuple[int, int]]:
    """Spans of the words that the word search takes for words of the question: of one stem, and no stop words."""
    stemmer, ignored = _english()
    wanted = set(stemmer.stemWords([word for word in _WORD.findall(question.lower()) if word not in ignored]))
    if not wanted:
        return
    for word in _WORD.finditer(text):
        if stemmer.stemWord(word.group().lower()) in wanted:
            yield word.span()


@cache
def _english() -> tuple[Any, frozenset[str]]:
    import Stemmer

    from .words import STOP_WORDS

    return Stemmer.Stemmer("english"), frozenset(STOP_WORDS)
