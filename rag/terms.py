"""The words of a text that say something, as two texts can be compared by them: stems, numbers and names."""

import re
from dataclasses import dataclass

import Stemmer
from bm25s.stopwords import STOPWORDS_EN_PLUS

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W_]+(?:['’][^\W_]+)*")
_OPENS = re.compile(r"(?:^|[.!?:…\n])[\"'“”‘’(\[*_#>\s-]*$")
_NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_VALUES = {word: str(value) for value, word in enumerate(_NUMBERS)} | {"thirteen": "13", "twenty": "20", "thirty": "30"}
_EMPTY = frozenset(STOPWORDS_EN_PLUS) | {"also", "could", "may", "might", "must", "shall", "would", "us", "yes"}


@dataclass(frozen=True)
class Term:
    """A word at text[start:end]. `stem` is what is compared; `exact` marks a number or a name."""

    stem: str
    exact: bool
    start: int
    end: int


def terms(text: str) -> list[Term]:
    """The words of an English text in their order, without those that only join others.

    A name is a word with a capital letter that opens no sentence, or with capitals or digits inside. Small numbers in
    words are the same as in digits, and so is 1,000 and 1000.
    """
    stemmer = Stemmer.Stemmer("english")  # holds a buffer, so that threads may not share one
    found = []
    for match in _WORD.finditer(text):
        word = re.sub(r"['’]s?$", "", match[0])
        small = word.lower().replace("’", "'")
        if small in _EMPTY or (len(small) == 1 and not small.isdigit()):
            continue
        number = _VALUES.get(small, small.replace(",", "") if small[0].isdigit() else "")
        name = any(map(str.isupper, word[1:])) or any(map(str.isdigit, word))
        capital = word[0].isupper() and not _OPENS.search(text, max(0, match.start() - 12), match.start())
        found.append(Term(number or stemmer.stemWord(small), bool(number or name or capital), *match.span()))
    return found


def stems(text: str) -> frozenset[str]:
    """What the words of a text are compared by."""
    return frozenset(term.stem for term in terms(text))
