"""An answer against its row and its passages -> figures; NaN where a figure has nothing to measure.

Texts are compared in characters and words alone, by no judge. Exact match and token F1 are those of `tuning.scores`.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuning.rows import Row
from tuning.scores import accepted, exact_match, holds, token_f1

CHRF_ORDER, CHRF_BETA = 6, 2.0
"""Longest character n-grams, and how much more recall counts than precision (Popović 2015, chrF2)."""

UNANSWERABLE = frozenset({"refusal", "unanswerable"})
"""Values of a row's `task` that say: the right answer is that there is none."""


@dataclass(frozen=True)
class Metric:
    """How a figure is read."""

    words: str
    better: int
    """1: higher is better; -1: lower is; 0: neither, a cost or a count."""
    bounds: tuple[float, float] = (-math.inf, math.inf)
    shape: str = "{:.3f}"


SHARE = (0.0, 1.0)
METRICS: Mapping[str, Metric] = {
    "exact": Metric("exact match", 1, SHARE),
    "f1": Metric("token F1", 1, SHARE),
    "holds": Metric("holds an accepted answer", 1, SHARE),
    "rouge_l": Metric("ROUGE-L", 1, SHARE),
    "chrf": Metric("chrF", 1, SHARE),
    "log_likelihood": Metric("log-likelihood of the right answer, nats a token", 1),
    "groundedness": Metric("sentences that the passages support", 1, SHARE),
    "citation_precision": Metric("citations that are right", 1, SHARE),
    "refused_rightly": Metric("refuses what cannot be answered", 1, SHARE),
    "refused_wrongly": Metric("refuses what can be answered", -1, SHARE),
    "tokens": Metric("tokens of the answer", 0, shape="{:.1f}"),
    "prompt_tokens": Metric("tokens of the prompt", 0, shape="{:.1f}"),
    "first_token_seconds": Metric("seconds to the first token", -1),
    "seconds": Metric("seconds to the last token", -1),
}
"""Everything that a benchmark reports, in the order of its table."""

_WORDS = re.compile(r"[^\W_]+")
_REFUSALS = re.compile(
    r"\b(?:documents?|passages?|text|context|sources?)\b.{0,30}\b(?:do(?:es)?|did|is|are)(?: not|n't) "
    r"(?:\w+ ){0,2}(?:say|state|mention|contain|provide|specify|include|tell|answer|give|cover|known)"
    r"|\bnot (?:\w+ )?(?:stated|mentioned|specified|found|given|covered|answered|provided) in the\b"
    r"|\bI(?: do(?: not|n't)| am not able to| cannot| can't|'m (?:not able|unable) to| am unable to) "
    r"(?:know|have (?:any |enough |that |the )?information|answer|find|help with that)"
    r"|\b(?:cannot|can't|could not|couldn't) be (?:answered|found|determined|told)\b"
    r"|\bno (?:information|answer|mention)\b.{0,40}\b(?:available|given|provided|found|in the|about|of)\b",
    re.IGNORECASE,
)


def refuses(answer: str) -> bool:
    """Whether the answer says that it has none. By its wording, in English: a refusal in other words is not seen."""
    return bool(_REFUSALS.search(answer.replace("’", "'")))


def unanswerable(row: Row) -> bool:
    """Whether a refusal is right: the row's `task` says so, or its own answer is one."""
    return row.task in UNANSWERABLE or refuses(row.response)


def rouge_l(answer: str, reference: str) -> float:
    """F1 of the longest common subsequence of words (Lin 2004), case and punctuation ignored, words not stemmed."""
    said, wanted = (_WORDS.findall(text.lower()) for text in (answer, reference))
    shared = _common_subsequence(said, wanted)
    return 2 * shared / (len(said) + len(wanted)) if shared else 0.0


def chrf(answer: str, reference: str) -> float:
    """chrF2 of one sentence, 0 to 1 (Popović 2015; the mean over the orders that both texts have, as sacrebleu's)."""
    said, wanted = ("".join(text.split()) for text in (answer, reference))
    precision = recall = 0.0
    orders = min(CHRF_ORDER, len(said), len(wanted))
    for order in range(1, orders + 1):
        mine, theirs = _ngrams(said, order), _ngrams(wanted, order)
        shared = (mine & theirs).total()
        precision += shared / mine.total() / orders
        recall += shared / theirs.total() / orders
    weight = CHRF_BETA**2
    return (1 + weight) * precision * recall / (weight * precision + recall) if precision and recall else 0.0


def against_row(answer: str, row: Row) -> dict[str, float]:
    """The figures of an answer that need its row alone.

    Exact match, F1 and `holds` are against the accepted short answers, NaN where there are none; ROUGE-L and chrF
    against the row's response.
    """
    right = accepted(row)
    short = {"exact": exact_match, "f1": token_f1, "holds": holds}
    refused, none_there = float(refuses(answer)), unanswerable(row)
    return {
        **{name: score(answer, right) if right else math.nan for name, score in short.items()},
        "rouge_l": rouge_l(answer, row.response),
        "chrf": chrf(answer, row.response),
        "refused_rightly": refused if none_there else math.nan,
        "refused_wrongly": math.nan if none_there else refused,
    }


def _ngrams(text: str, order: int) -> Counter[str]:
    return Counter(text[start : start + order] for start in range(len(text) - order + 1))


def _common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence, a bit for each word of `one` (Crochemore et al. 2001)."""
    places: dict[str, int] = {}
    for number, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << number
    full = (1 << len(one)) - 1
    rest = full
    for word in other:
        matched = rest & places.get(word, 0)
        rest = (rest + matched | rest - matched) & full
    return len(one) - rest.bit_count()
