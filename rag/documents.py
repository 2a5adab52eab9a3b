"""The bytes of a file to text, with the page and heading structure that survived.

Offsets are code points into `Document.text`; nothing downstream looks at the bytes again.
"""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from .encodings import decode
from .epub import read_epub
from .errors import InputError
from .html import page_text
from .mail import read_email
from .markdown import markdown_headings
from .mediatypes import CSV, DOCX, EMAIL, EPUB, HTML, MARKDOWN, PDF, PPTX, TEXT, TSV, XLSX, ZIP, media_type
from .outline import Outlined
from .pdf import read_pdf
from .slides import read_pptx
from .tables import read_csv, read_tsv, read_xlsx
from .word import read_docx

MOST_CHARACTERS = 10_000_000
"""Length of the longest text that is taken, some 4,000 pages: its chunks are made in memory, all at once."""

_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True)
class Heading:
    """A heading of `level` 1 to 6 whose line is `text[start:end]`."""

    level: int
    title: str
    start: int
    end: int


@dataclass(frozen=True)
class Document:
    """A file as text.

    `pages` holds (number from 1, start, end) spans of the text in order, and is empty for a file without pages; a page
    without text has start == end. The slides and sheets of an Office file are its pages. `sha256` is of the file's
    bytes. `remarks` say what was not read, and are not kept. `dated` is the day, "YYYY-MM-DD", that the file says of
    itself, "" where it says none.
    """

    name: str
    text: str
    sha256: str
    media_type: str
    pages: tuple[tuple[int, int, int], ...] = ()
    headings: tuple[Heading, ...] = ()
    remarks: tuple[str, ...] = ()
    dated: str = ""

    @property
    def pages_without_text(self) -> tuple[int, ...]:
        """Numbers of the pages that are scanned or empty."""
        return tuple(number for number, start, end in self.pages if start == end)

    def page_at(self, offset: int) -> int | None:
        """Number of the page that holds a character, or None for a file without pages."""
        if not self.pages:
            return None
        return self.pages[max(0, bisect_right(self.pages, offset, key=lambda page: page[1]) - 1)][0]


def content_hash(data: bytes) -> str:
    """The identity of a file's content."""
    return hashlib.sha256(data).hexdigest()


def read_document(name: str, data: bytes) -> Document:
    """The text of a file.

    Raises InputError, one sentence with the remedy, for a file that is empty, binary, damaged, password-protected, of
    a type that is not read, without any text, or with too much of it.
    """
    kind = media_type(name, data)
    if kind == ZIP:
        raise InputError(f"{name} is an archive within an archive; unpack it first.")
    text, pages, headings, remarks, dated = _READERS[kind](name, data)
    if not text.strip():
        raise InputError(f"{name} holds no text; give a file that does.")
    if len(text) > MOST_CHARACTERS:
        millions = f"{len(text) / 1e6:.1f} million characters, and {MOST_CHARACTERS / 1e6:.0f} million are taken"
        raise InputError(f"{name} holds {millions}; split it.")
    text = _SURROGATE.sub("\ufffd", text)  # half a character, which no file can hold
    outline = tuple(Heading(*each) for each in headings)
    return Document(name, text, content_hash(data), kind, pages, outline, remarks, dated)


def _read_text(name: str, data: bytes) -> Outlined:
    return Outlined(decode(name, data))


def _read_markdown(name: str, data: bytes) -> Outlined:
    text = decode(name, data)
    return Outlined(text, headings=tuple(markdown_headings(text)))


def _read_html(name: str, data: bytes) -> Outlined:
    declared = _CHARSET.search(data[:4096])
    text, headings = page_text(name, decode(name, data, declared.group(1).decode() if declared else None))
    return Outlined(text, headings=tuple(headings))


_READERS: dict[str, Callable[[str, bytes], Outlined]] = {
    TEXT: _read_text,
    MARKDOWN: _read_markdown,
    HTML: _read_html,
    PDF: read_pdf,
    DOCX: read_docx,
    PPTX: read_pptx,
    XLSX: read_xlsx,
    CSV: read_csv,
    TSV: read_tsv,
    EPUB: read_epub,
    EMAIL: read_email,
}
