"""Text to chunks, cut where the text itself is cut, counted in the embedder's own tokens.

A model that reads 256 tokens silently drops the rest, so every chunk is counted as it will be embedded, heading
included, and halved until it fits.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from tokenizers import Tokenizer

from .chunking import CHUNKING, Chunking
from .documents import Document
from .units import BATCH, Section, Unit, batches, count, trim, units


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


def split(document: Document, tokenizer: Tokenizer, limit: int, chunking: Chunking = CHUNKING) -> list[Chunk]:
    """Chunks of a document in order: every character but white space lies in one, and in two where they overlap.

    `limit` is the number of tokens that the embedder reads, its special tokens included; no chunk exceeds it. A chunk
    exceeds the size of `chunking` only where a single sentence does. `tokenizer` neither truncates nor pads.
    """
    room = limit - tokenizer.num_special_tokens_to_add(False)
    size = min(chunking.size, room)
    by_section = groupby(units(document, tokenizer), lambda unit: unit.span.section)
    cuts = (cut for section, found in by_section for cut in _pack(section, found, size, chunking.overlap))
    fitting = _Fitting(document.text, tokenizer, room)
    for batch in batches(cuts, BATCH):
        fitting.add(batch)
    return fitting.chunks


@dataclass(frozen=True, slots=True)
class _Cut:
    """A chunk as it should be. It may begin at any of `starts`: with all of its overlap, with less, without any."""

    starts: tuple[int, ...]
    end: int
    path: tuple[str, ...]
    above: tuple[str, ...]
    """The headings above its text: all of the path, but of a section's first chunk, which begins with its own."""


class _Open:
    """The chunk that is being filled: sentences of the one before, then its own."""

    def __init__(self, size: int, overlap: int) -> None:
        self._size, self._overlap = size, overlap
        self._repeated: list[Unit] = []
        self._own: list[Unit] = []
        self.filled = 0

    @property
    def begun(self) -> bool:
        return bool(self._own)

    def takes(self, tokens: int) -> bool:
        """Whether so many tokens more keep to the size."""
        return self.filled + tokens <= self._size

    def take(self, unit: Unit) -> None:
        """Fill in a sentence; the first one may push out what is repeated."""
        while self._repeated and not self._own and not self.takes(unit.tokens):
            self.filled -= self._repeated.pop(0).tokens
        self._own.append(unit)
        self.filled += unit.tokens

    def close(self, path: tuple[str, ...], above: tuple[str, ...]) -> _Cut:
        """The chunk; what follows goes into the next."""
        starts = (*(unit.span.start for unit in self._repeated), self._own[0].span.start)
        cut = _Cut(starts, self._own[-1].span.end, path, above)
        self._repeated, self.filled = [], 0
        for unit in reversed(self._own[1:]):  # never all of a chunk, which would then be of no use
            if not unit.span.whole or self.filled + unit.tokens > self._overlap:
                break
            self._repeated.insert(0, unit)
            self.filled += unit.tokens
        self._own = []
        return cut


def _pack(section: Section, found: Iterable[Unit], size: int, overlap: int) -> Iterator[_Cut]:
    """Chunks of sentences that follow one another, at most `size` tokens each unless one sentence alone is larger.

    A paragraph that fits a chunk of its own is not torn apart to fill the one before, if that is half full.
    """
    chunk, above = _Open(size, overlap), section.above
    for paragraph, fits in _paragraphs(found, size):
        torn = fits and not chunk.takes(sum(unit.tokens for unit in paragraph))
        if chunk.begun and torn and 2 * chunk.filled >= size:
            yield chunk.close(section.path, above)
            above = section.path
        for unit in paragraph:
            if chunk.begun and not chunk.takes(unit.tokens):
                yield chunk.close(section.path, above)
                above = section.path
            chunk.take(unit)
    if chunk.begun:
        yield chunk.close(section.path, above)


def _paragraphs(found: Iterable[Unit], size: int) -> Iterator[tuple[list[Unit], bool]]:
    """Paragraphs, and whether each fits a chunk; one that does not comes in parts as they are read."""
    paragraph: list[Unit] = []
    tokens = 0
    for unit in found:
        if unit.span.opens:
            if paragraph:
                yield paragraph, tokens <= size
            paragraph, tokens = [], 0
        paragraph.append(unit)
        tokens += unit.tokens
        if tokens > size:
            yield paragraph, False
            paragraph = []
    if paragraph:
        yield paragraph, tokens <= size


class _Fitting:
    """Makes chunks of cuts: what sums up to the size may count to more as one text, heading included."""

    def __init__(self, text: str, tokenizer: Tokenizer, room: int) -> None:
        self.chunks: list[Chunk] = []
        self._text, self._tokenizer, self._room = text, tokenizer, room

    def add(self, cuts: Sequence[_Cut]) -> None:
        """Count the cuts as they should be, and cut anew those that do not fit."""
        whole = [(_joined(cut.above), self._text[cut.starts[0] : cut.end]) for cut in cuts]
        counts = count(self._tokenizer, [prefix + text for prefix, text in whole])
        for cut, (prefix, text), tokens in zip(cuts, whole, counts, strict=True):
            if tokens <= self._room and self._follows(cut.starts[0]):
                self.chunks.append(Chunk(cut.starts[0], cut.end, text, " > ".join(cut.path), prefix))
            else:
                self._fit(cut)

    def _follows(self, start: int) -> bool:
        """Whether a chunk that begins there begins after the last one, parts of which may have been cut anew."""
        return not self.chunks or start > self.chunks[-1].start

    def _fit(self, cut: _Cut) -> None:
        above = cut.above
        for start in cut.starts:
            if self._follows(start) and self._fits(self._text[start : cut.end]):
                break
        for low, high in self._halved(start, cut.end):
            text = self._text[low:high]
            self.chunks.append(Chunk(low, high, text, " > ".join(cut.path), self._prefix(text, above)))
            above = cut.path

    def _halved(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The span, halved between words until each part fits."""
        if end - start == 1 or self._fits(self._text[start:end]):
            yield start, end
            return
        middle = (start + end) // 2
        space = max(self._text.rfind(" ", start + 1, middle), self._text.rfind("\n", start + 1, middle))
        middle = space if space > start else middle
        for low, high in ((start, middle), (middle, end)):
            for part in trim(self._text, low, high):
                yield from self._halved(*part)

    def _prefix(self, text: str, above: tuple[str, ...]) -> str:
        """The heading path that still fits in front of the text, or its last heading, or nothing."""
        prefixes = (_joined(titles) for titles in (above, above[-1:]))
        return next((prefix for prefix in prefixes if self._fits(prefix + text)), "")

    def _fits(self, text: str) -> bool:
        return count(self._tokenizer, [text])[0] <= self._room


def _joined(titles: Sequence[str]) -> str:
    return " > ".join(titles) + "\n" if titles else ""
