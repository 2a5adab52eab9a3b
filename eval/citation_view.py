"""What the answers are made of, as HTML for after the vote: each sentence with its proof, the proofs in their passages.

Words of a model or a document are escaped here. What is said by a colour is said in words too.
"""

import html
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from eval.proofs import Proofs

if TYPE_CHECKING:  # importing these loads torch, which must not hold up the page
    from eval.comparison import Comparison
    from rag.citations import Sentence
    from rag.index import Hit

_MARK = re.compile(r"\[[\d\s,;]+\]")


def answers(comparison: "Comparison", letters: Mapping[str, str]) -> str:
    """The checked answers in the order of their panes; `letters` name these by variant."""
    if comparison.refused:
        floor = comparison.configuration["floor"]
        who = "Those with the documents" if comparison.mode == "parent" else "rag and combined"
        return (
            f"<p class='refused'>{who} did not answer: the passages come as near as "
            f"{floor['nearness']:.2f} to the question, and the floor of these documents is {floor['value']:.2f}.</p>"
        )
    return "".join(
        _answer(f"{letters[variant]} · {comparison.roles[variant]}", comparison.proofs[variant])
        for variant in comparison.order
        if variant in comparison.proofs
    )


def passages(hits: "Sequence[Hit]", proofs: Proofs) -> str:
    """The passages, numbered from 1, with what supports a sentence marked."""
    spans: dict[int, set[tuple[int, int]]] = {}
    for sentences in proofs.values():
        for sentence in sentences:
            if sentence.span is not None:
                spans.setdefault(sentence.span.passage, set()).add((sentence.span.start, sentence.span.end))
    return "".join(_passage(number, hit, sorted(spans.get(number, ()))) for number, hit in enumerate(hits, 1))


def _answer(name: str, sentences: "Sequence[Sentence]") -> str:
    from rag.citations import supported_of

    supported, of = supported_of(sentences)
    lines = "".join(f"<li>{_sentence(sentence)}</li>" for sentence in sentences)
    count = f"{supported} of {of} {'sentence' if of == 1 else 'sentences'} supported"
    return f"<section class='checked'><h5>{html.escape(name)}: {count}</h5><ul>{lines}</ul></section>"


def _sentence(sentence: "Sentence") -> str:
    from rag.citations import EMPTY

    said = html.escape(_MARK.sub("", sentence.text).strip())
    notes = [_link(mark, "marked by the answer") for mark in sentence.marks if mark not in sentence.misplaced]
    notes += [f"<span class='flag'>[{mark}] does not say this</span>" for mark in sentence.misplaced]
    notes += [f"<span class='flag'>[{mark}] names no passage</span>" for mark in sentence.strange]
    if sentence.span is not None and sentence.attributed:
        notes.append(_link(sentence.span.passage, "found by the check") + " <small>found by the check</small>")
    if sentence.span is None and sentence.verdict != EMPTY:
        notes.append("<span class='flag'>not in the passages</span>")
    kind = "said" if sentence.span is not None or sentence.verdict == EMPTY else "unsupported"
    return f"<span class='{kind}'>{said}</span> {' '.join(notes)}"


def _link(number: int, words: str) -> str:
    return f"<a href='#passage-{number}' aria-label='passage {number}, {words}'>[{number}]</a>"


def _passage(number: int, hit: "Hit", spans: Sequence[tuple[int, int]]) -> str:
    place = f"page {hit.page}" if hit.page else f"characters {hit.start}–{hit.end}"
    head = html.escape(f"[{number}] {hit.document}, {place}, cosine {hit.cosine:.2f}")
    text, end = "", 0
    for start, stop in spans:
        proof = html.escape(hit.text[start:stop])
        text += html.escape(hit.text[end:start]) + f"<mark title='supports an answer'>{proof}</mark>"
        end = stop
    text += html.escape(hit.text[end:])
    # The anchor stands within the details, which browsers open where it is the target of a link.
    body = f"<p id='passage-{number}'>{text}</p>"
    return f"<details class='source'{' open' if spans else ''}><summary>{head}</summary>{body}</details>"
