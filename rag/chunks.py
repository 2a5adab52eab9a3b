"""Text to chunks, cut where the text itself is cut, counted in the embedder's own tokens.

A model that reads 256 tokens silently drops the rest, so every chunk is counted as it will be embedded, heading
included, and halved until it fits.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tokenizers import Tokenizer

from .documents import Document

SIZE = 200
"""Tokens that a chunk aims at; the rest of the default embedder's 256 is room for the heading path."""

_PARAGRAPH = re.compile(r"\n[ \t\f\v]*\n\s*|\f")
_SENTENCE = re.compile(r"(?<=[.!?。!?])[\"'”’)\]]*\s+|(?<=[。!?])|\n(?=\s*(?:[-*+•]|\d+[.)])\s)")
_WORDS = 600  # characters: a longer sentence is cut between words before anything is counted


@dataclass(frozen=True)
class Chunk:
    """`text` is the document's text[start:end]. `heading` is the path of headings above it, `prefix` what is put in
    front of the text when it is embedded: the path, or "" where it would not fit or the text begins with it."""

    start: int
    end: int
    text: str
    heading: str = ""
    prefix: str = ""

    @property
    def embedded(self) -> str:
        """What the embedder and the word search read."""
        return self.prefix + self.text


@dataclass(frozen=True)
class _Unit:
    """A sentence or heading line, its token count, and whether it begins a paragraph."""

    start: int
    end: int
    tokens: int
    opens: bool


def split(document: Document, tokenizer: Tokenizer, limit: int, size: int = SIZE) -> list[Chunk]:
    """Chunks of a document in order, without overlap: every character but white space lies in exactly one.

    `limit` is the number of tokens that the embedder reads, its special tokens included; no chunk exceeds it.
    `size` is what a chunk aims at. `tokenizer` neither truncates nor pads.
    """
    room = limit - tokenizer.num_special_tokens_to_add(False)
    size = min(size, room)
    chunks: list[Chunk] = []
    for start, end, path, own in _sections(document):
        above = path[: len(path) - own]  # the section's first chunk begins with its own headings
        for first, last in _pack(_units(document.text, start, end, tokenizer), size):
            for low, high in _fit(document.text, first, last, tokenizer, room):
                text, heading = document.text[low:high], " > ".join(path)
                chunks.append(Chunk(low, high, text, heading, _prefix(text, above, tokenizer, room)))
                above = path
    return chunks


def _sections(document: Document) -> Iterator[tuple[int, int, tuple[str, ...], int]]:
    """(start, end, heading path, how many of the path's headings the section itself begins with).

    Headings that follow one another without text between them open one section.
    """
    text, path, start, own = document.text, list[tuple[int, str]](), 0, 0
    body = 0
    for heading in document.headings:
        if text[body : heading.start].strip():
            yield start, heading.start, tuple(title for _, title in path), own
            start, own = heading.start, 0
        path = [*(entry for entry in path if entry[0] < heading.level), (heading.level, heading.title)]
        own = min(own + 1, len(path))
        body = heading.end
    yield start, len(text), tuple(title for _, title in path), own


def _units(text: str, start: int, end: int, tokenizer: Tokenizer) -> list[_Unit]:
    spans = [
        (low, high, index == 0)
        for first, last in _cut(text, start, end, _PARAGRAPH)
        for index, (low, high) in enumerate(_sentences(text, first, last))
    ]
    counts = _count(tokenizer, [text[low:high] for low, high, _ in spans])
    return [_Unit(low, high, count, opens) for (low, high, opens), count in zip(spans, counts, strict=True)]


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for low, high in _cut(text, start, end, _SENTENCE):
        while high - low > _WORDS:
            space = max(text.rfind(" ", low, low + _WORDS), text.rfind("\n", low, low + _WORDS))
            middle = space if space > low else low + _WORDS
            yield from _trim(text, low, middle)
            low = middle
        yield from _trim(text, low, high)


def _cut(text: str, start: int, end: int, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    for match in pattern.finditer(text, start, end):
        yield from _trim(text, start, match.end())
        start = match.end()
    yield from _trim(text, start, end)


def _trim(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The span without white space at its ends, or nothing."""
    piece = text[start:end]
    if bare := piece.strip():
        start += len(piece) - len(piece.lstrip())
        yield start, start + len(bare)


def _pack(units: list[_Unit], size: int) -> Iterator[tuple[int, int]]:
    """Spans of units that follow one another, at most `size` tokens each unless one unit alone is larger.

    A paragraph that fits a chunk of its own is not torn apart to fill the one before, if that is half full.
    """
    current: list[_Unit] = []
    filled = 0
    for paragraph in _paragraphs(units):
        tokens = sum(unit.tokens for unit in paragraph)
        if current and filled + tokens > size >= tokens and 2 * filled >= size:
            yield current[0].start, current[-1].end
            current, filled = [], 0
        for unit in paragraph:
            if current and filled + unit.tokens > size:
                yield current[0].start, current[-1].end
                current, filled = [], 0
            current.append(unit)
            filled += unit.tokens
    if current:
        yield current[0].start, current[-1].end


def _paragraphs(units: list[_Unit]) -> Iterator[list[_Unit]]:
    paragraph: list[_Unit] = []
    for unit in units:
        if unit.opens and paragraph:
            yield paragraph
            paragraph = []
        paragraph.append(unit)
    if paragraph:
        yield paragraph


def _fit(text: str, start: int, end: int, tokenizer: Tokenizer, room: int) -> Iterator[tuple[int, int]]:
    """The span, halved between words until each part fits: what sums up to `size` may count to more as one text."""
    (count,) = _count(tokenizer, [text[start:end]])
    if count <= room or end - start == 1:
        yield start, end
        return
    middle = (start + end) // 2
    space = max(text.rfind(" ", start + 1, middle), text.rfind("\n", start + 1, middle))
    middle = space if space > start else middle
    for low, high in ((start, middle), (middle, end)):
        for span in _trim(text, low, high):
            yield from _fit(text, *span, tokenizer, room)


def _prefix(text: str, path: tuple[str, ...], tokenizer: Tokenizer, room: int) -> str:
    """The heading path that still fits in front of the text, or its last heading, or nothing."""
    for titles in (path, path[-1:]):
        prefix = " > ".join(titles) + "\n"
        if titles and _count(tokenizer, [prefix + text])[0] <= room:
            return prefix
    return ""


def _count(tokenizer: Tokenizer, texts: Iterable[str]) -> list[int]:
    return [len(encoding) for encoding in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]
