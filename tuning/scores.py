"""An answer against the accepted ones: exact match and token F1, normalised as for SQuAD (Rajpurkar et al. 2016)."""

import re
import string
from collections import Counter
from collections.abc import Sequence

from tuning.rows import Row

SHORT = 5
"""Words up to which a row's response counts as its accepted answer where the row names none."""

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalise(text: str) -> str:
    """Lower case, without ASCII punctuation, English articles and superfluous white space."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def accepted(row: Row) -> tuple[str, ...]:
    """The short answers that are right for a row; none where only a judge could say whether an answer is."""
    if row.answers:
        return row.answers
    return (row.response,) if 0 < len(row.response.split()) <= SHORT else ()


def exact_match(answer: str, right: Sequence[str]) -> float:
    """1 if the answer says the same as one of `right`, else 0."""
    return float(normalise(answer) in {normalise(one) for one in right})


def token_f1(answer: str, right: Sequence[str]) -> float:
    """Harmonic mean of precision and recall of the answer's words, repeated ones counted, against the best of `right`.

    Where nothing is left of one of the two texts, it is 1 if nothing is left of the other either, else 0.
    """
    return max(_f1(normalise(answer).split(), normalise(one).split()) for one in right)


def holds(answer: str, right: Sequence[str]) -> float:
    """1 if one of `right` stands in the answer, word by word, else 0: a right answer may be longer than needed."""
    said = f" {normalise(answer)} "
    return float(any(f" {normalise(one)} " in said for one in right if normalise(one)) or exact_match(answer, right))


def _f1(said: Sequence[str], wanted: Sequence[str]) -> float:
    if not said or not wanted:
        return float(said == wanted)
    shared = (Counter(said) & Counter(wanted)).total()
    return 2 * shared / (len(said) + len(wanted))
