"""Text to chunks, cut where the text itself is cut, counted in the embedder's own tokens.

A model that reads 256 tokens silently drops the rest, so every chunk is counted as it will be embedded, heading
included, and halved until it fits.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

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
    cuts = (cut for section, found in by_section for cut in _pack(section, found, size, chunking))
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


@dataclass(frozen=True, slots=True)
class _Filled:
    """A chunk's own sentences and, in front of them, sentences of the chunk before."""

    repeated: Sequence[Unit]
    own: Sequence[Unit]

    def cut(self, path: tuple[str, ...], above: tuple[str, ...]) -> _Cut:
        starts = (*(unit.span.start for unit in self.repeated), self.own[0].span.start)
        return _Cut(starts, self.own[-1].span.end, path, above)


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

    def close(self) -> _Filled:
        """The chunk; what follows goes into the next."""
        filled = _Filled(self._repeated, self._own)
        self._repeated, self._own = _repeated(self._own, self._overlap), []
        self.filled = _tokens(self._repeated)
        return filled


def _repeated(own: Sequence[Unit], overlap: int) -> list[Unit]:
    """The last whole sentences of a chunk, as many as the overlap holds."""
    repeated: list[Unit] = []
    tokens = 0
    for unit in reversed(own[1:]):  # never all of a chunk, which would then be of no use
        if not unit.span.whole or tokens + unit.tokens > overlap:
            break
        repeated.insert(0, unit)
        tokens += unit.tokens
    return repeated


def _tokens(sentences: Iterable[Unit]) -> int:
    return sum(unit.tokens for unit in sentences)


def _pack(section: Section, found: Iterable[Unit], size: int, chunking: Chunking) -> Iterator[_Cut]:
    """Chunks of sentences that follow one another, at most `size` tokens each unless one sentence alone is larger."""
    above, chunks = section.above, _fill(found, size, chunking.overlap)
    for chunk in _even(chunks, size, chunking.overlap) if chunking.even else chunks:
        yield chunk.cut(section.path, above)
        above = section.path


def _fill(found: Iterable[Unit], size: int, overlap: int) -> Iterator[_Filled]:
    """Chunks that are filled one after another.

    A paragraph that fits a chunk of its own is not torn apart to fill the one before, if that is half full.
    """
    chunk = _Open(size, overlap)
    for paragraph, fits in _paragraphs(found, size):
        torn = fits and not chunk.takes(_tokens(paragraph))
        if chunk.begun and torn and 2 * chunk.filled >= size:
            yield chunk.close()
        for unit in paragraph:
            if chunk.begun and not chunk.takes(unit.tokens):
                yield chunk.close()
            chunk.take(unit)
    if chunk.begun:
        yield chunk.close()


def _even(chunks: Iterable[_Filled], size: int, overlap: int) -> Iterator[_Filled]:
    """The chunks, the last two of them alike in size where the last would be a paragraph's short end.

    An end of a sentence or two says too little to be found by (docs/benchmarks.md, "Retrieval").
    """
    held: list[_Filled] = []
    for chunk in chunks:
        held.append(chunk)
        if len(held) > 2:
            yield held.pop(0)
    yield from _evened(*held, size=size, overlap=overlap) if len(held) == 2 else held


def _evened(before: _Filled, last: _Filled, *, size: int, overlap: int) -> tuple[_Filled, _Filled]:
    """Both, cut in their middle: between paragraphs if one begins near it, else between sentences."""
    if last.own[0].span.opens or 2 * _tokens(last.own) >= size:
        return before, last
    both = [*before.own, *last.own]
    total, first, best = _tokens(both), 0, (float("inf"), 0)
    for number, (unit, following) in enumerate(pairwise(both), 1):
        first += unit.tokens
        if max(first, total - first) <= size:
            torn = 0 if following.span.opens else size / 2
            best = min(best, (abs(2 * first - total) + torn, number))
    if not best[1]:
        return before, last
    one, two = both[: best[1]], both[best[1] :]
    return _Filled(before.repeated, one), _Filled(_repeated(one, min(overlap, size - _tokens(two))), two)


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
