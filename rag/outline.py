"""A text in the making: paragraphs, headings and pages, each with its place in the text."""

from typing import NamedTuple

Span = tuple[int, int, int]


class Outlined(NamedTuple):
    """A text with its pages as (number, start, end), its headings as (level, title, start, end), and what to tell.

    `dated` is the day, "YYYY-MM-DD", that the file says it was written, "" where it says none.
    """

    text: str
    pages: tuple[Span, ...] = ()
    headings: tuple[tuple[int, str, int, int], ...] = ()
    remarks: tuple[str, ...] = ()
    dated: str = ""


class Outline:
    """Collects paragraphs; one blank line stands between any two."""

    def __init__(self) -> None:
        self.remarks: list[str] = []
        self.dated = ""
        self._pieces: list[str] = []
        self._length = 0
        self._headings: list[tuple[int, str, int, int]] = []
        self._pages: list[list[int]] = []  # number, start, end; -1 where nothing was written yet

    def page(self, number: int) -> None:
        """What follows stands on that page."""
        self._pages.append([number, -1, -1])

    def add(self, text: str) -> int:
        """Write a paragraph, if it is more than white space; the place where it begins."""
        text = text.replace("\x00", "").strip()
        if not text:
            return self._length
        if self._pieces:
            self._pieces.append("\n\n")
            self._length += 2
        start = self._length
        self._pieces.append(text)
        self._length += len(text)
        if self._pages:
            page = self._pages[-1]
            page[1:] = [start if page[1] < 0 else page[1], self._length]
        return start

    def head(self, level: int, title: str) -> None:
        """Write a heading, `level` from 1."""
        title = " ".join(title.replace("\x00", "").split())
        if title:
            self._headings.append((min(max(level, 1), 6), title, self.add(title), self._length))

    def embed(self, text: str, headings: list[tuple[int, str, int, int]]) -> None:
        """Write a whole text that has headings of its own."""
        start = self.add(text) - (len(text) - len(text.lstrip()))
        self._headings += [(level, title, start + low, start + high) for level, title, low, high in headings]

    def finish(self) -> Outlined:
        """The text and where everything stands. A page without text lies, empty, where the next one begins."""
        pages: list[Span] = []
        following = self._length
        for number, start, end in reversed(self._pages):
            pages.append((number, start, end) if start >= 0 else (number, following, following))
            following = pages[-1][1]
        text, headings = "".join(self._pieces), tuple(self._headings)
        return Outlined(text, tuple(reversed(pages)), headings, tuple(self.remarks), self.dated)
