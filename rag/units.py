"""What chunks are made of: sentences, in order and counted in the embedder's own tokens.

Everything here is a stream in time and memory proportional to the text, since ten million characters may be one line,
three million sentences, or a million headings.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from tokenizers import Tokenizer

from .documents import Document

T = TypeVar("T")

BATCH = 512  # texts counted in one call: enough for both cores, few enough to hold their encodings

_PARAGRAPH = re.compile(r"\n[ \t\f\v]*\n\s*|\f")
# What follows a line break is looked at up to a bound: without it, blank lines of odd spaces took time in their square.
_SENTENCE = re.compile(r"(?<=[.!?。!?])[\"'”’)\]]*\s+|(?<=[。!?])|\n(?=[^\S\n]{0,80}(?:[-*+•]|\d{1,9}[.)])\s)")
_WORDS = 600  # characters: a longer sentence is cut between words before anything is counted
_SPARSE = 16  # characters a token at most: of a megabyte of blanks or of one word the embedder reads nothing
_TITLE = 500  # characters of a heading in a path, which every chunk below it carries


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """Text below a heading. `above` is the heading path without the headings that the section itself begins with."""

    start: int
    end: int
    path: tuple[str, ...]
    above: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A sentence or heading line; whether it begins a paragraph, and whether it is whole or a part of a longer one."""

    section: Section
    start: int
    end: int
    opens: bool
    whole: bool


@dataclass(frozen=True, slots=True)
class Unit:
    """A span and what it adds to a chunk, in tokens."""

    span: Span
    tokens: int


def sections(document: Document) -> Iterator[Section]:
    """The parts of a document in order. Headings that follow one another without text between them open one part."""
    text, path, start, own = document.text, list[tuple[int, str]](), 0, 0
    body = 0
    for heading in document.headings:
        if text[body : heading.start].strip():
            yield _section(start, heading.start, path, own)
            start, own = heading.start, 0
        path = [*(entry for entry in path if entry[0] < heading.level), (heading.level, _short(heading.title))]
        own = min(own + 1, len(path))
        body = heading.end
    yield _section(start, len(text), path, own)


def units(document: Document, tokenizer: Tokenizer) -> Iterator[Unit]:
    """The sentences of a document with their tokens: all of it but white space.

    What the tokenizer hardly sees counts by its length, the blanks before it included.
    """
    text, before = document.text, 0
    found = (span for section in sections(document) for span in _spans(text, section))
    for batch in batches(found, BATCH):
        counts = count(tokenizer, [text[span.start : span.end] for span in batch])
        for span, tokens in zip(batch, counts, strict=True):
            yield Unit(span, max(1, tokens, (span.end - before) // _SPARSE))
            before = span.end


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` items that follow one another, the last perhaps shorter."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


def count(tokenizer: Tokenizer, texts: Sequence[str]) -> list[int]:
    """Tokens of each text, special ones not included."""
    return [len(encoding) for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


def trim(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The span without white space at its ends, or nothing."""
    piece = text[start:end]
    if bare := piece.strip():
        start += len(piece) - len(piece.lstrip())
        yield start, start + len(bare)


def _spans(text: str, section: Section) -> Iterator[Span]:
    for first, last in _cut(text, section.start, section.end, _PARAGRAPH):
        opens = True
        for low, high in _cut(text, first, last, _SENTENCE):
            for start, end in _words(text, low, high):
                yield Span(section, start, end, opens, whole=(start, end) == (low, high))
                opens = False


def _section(start: int, end: int, path: Sequence[tuple[int, str]], own: int) -> Section:
    titles = tuple(title for _, title in path)
    return Section(start, end, titles, titles[: len(titles) - own])


def _short(title: str) -> str:
    return title if len(title) <= _TITLE else f"{title[: _TITLE - 1]}…"


def _cut(text: str, start: int, end: int, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    for match in pattern.finditer(text, start, end):
        yield from trim(text, start, match.end())
        start = match.end()
    yield from trim(text, start, end)


def _words(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A sentence, or its parts where it is too long."""
    while end - start > _WORDS:
        space = max(text.rfind(" ", start, start + _WORDS), text.rfind("\n", start, start + _WORDS))
        middle = space if space > start else start + _WORDS
        yield from trim(text, start, middle)
        start = middle
    yield from trim(text, start, end)
