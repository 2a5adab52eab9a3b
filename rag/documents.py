"""The bytes of a file to text, with the page and heading structure that survived.

Offsets are code points into `Document.text`; nothing downstream looks at the bytes again.
"""

import codecs
import hashlib
import re
import threading
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath

import charset_normalizer
import pypdfium2
from bs4.exceptions import ParserRejectedMarkup

from .errors import InputError
from .html import html_text

PDF, HTML, MARKDOWN, TEXT = "application/pdf", "text/html", "text/markdown", "text/plain"
EXTENSIONS = {
    ".pdf": PDF,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".txt": TEXT,
    ".text": TEXT,
    "": TEXT,
}
"""What is read. A name without an extension is taken for plain text."""

MOST_CHARACTERS = 10_000_000
"""Length of the longest text that is taken, some 4,000 pages: its chunks are made in memory, all at once."""

_BOMS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_CONTROL_SHARE = 0.005  # text has next to none; the share in a compressed file is about a tenth
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_FENCE = re.compile(r" {0,3}(```|~~~)")
_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.+?)[ \t]*#*[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_HYPHEN = re.compile(r"[\ufffe\x02\xad]\n?")

_pdfium = threading.Lock()  # PDFium keeps global state and may be entered by one thread at a time


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
    without text has start == end. `sha256` is of the file's bytes.
    """

    name: str
    text: str
    sha256: str
    media_type: str
    pages: tuple[tuple[int, int, int], ...] = ()
    headings: tuple[Heading, ...] = ()

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


def media_type(name: str, data: bytes) -> str:
    """Media type by the first bytes, then by the name's extension. Raises InputError for a type that is not read."""
    if not data:
        raise InputError(f"{name} is empty; give a file that holds text.")
    head = data[:1024].lstrip()
    if b"%PDF-" in head:
        return PDF
    suffix = PurePath(name).suffix.lower()
    if suffix not in EXTENSIONS:
        raise InputError(f"{name}: files of type {suffix} are not read; convert it to .txt, .md, .html or .pdf.")
    if suffix == "" and head[:15].lower().startswith((b"<!doctype html", b"<html")):
        return HTML
    return EXTENSIONS[suffix]


def read_document(name: str, data: bytes) -> Document:
    """The text of a file.

    Raises InputError, one sentence with the remedy, for a file that is empty, binary, damaged, password-protected, of
    a type that is not read, or without any text.
    """
    kind = media_type(name, data)
    text, pages, headings = _READERS[kind](name, data)
    if not text.strip():
        raise InputError(f"{name} holds no text; give a file that does.")
    if len(text) > MOST_CHARACTERS:
        millions = f"{len(text) / 1e6:.1f} million characters, and {MOST_CHARACTERS / 1e6:.0f} million are taken"
        raise InputError(f"{name} holds {millions}; split it.")
    text = _SURROGATE.sub("\ufffd", text)  # half a character, which no file can hold
    return Document(name, text, content_hash(data), kind, pages, headings)


_Parts = tuple[str, tuple[tuple[int, int, int], ...], tuple[Heading, ...]]


def _read_text(name: str, data: bytes) -> _Parts:
    return _decode(name, data), (), ()


def _read_markdown(name: str, data: bytes) -> _Parts:
    text = _decode(name, data)
    return text, (), tuple(markdown_headings(text))


def _read_html(name: str, data: bytes) -> _Parts:
    declared = _CHARSET.search(data[:4096])
    markup = _decode(name, data, declared.group(1).decode() if declared else None)
    try:
        text, headings = html_text(markup)
    except ParserRejectedMarkup as error:
        raise InputError(f"{name} is not HTML that can be parsed; save the page anew, or its text as .txt.") from error
    return text, (), tuple(Heading(*heading) for heading in headings)


def _read_pdf(name: str, data: bytes) -> _Parts:
    with _pdfium:
        texts = _pdf_pages(name, data)
    if not any(text for text in texts):
        raise InputError(f"{name} has no text on any of its {len(texts)} pages; run it through OCR first.")
    whole = "\n\n".join(text for text in texts if text)
    pages, offset = [], 0
    for number, text in enumerate(texts, 1):
        pages.append((number, min(offset, len(whole)), min(offset, len(whole)) + len(text)))
        offset += len(text) + 2 if text else 0
    return whole, tuple(pages), ()


_READERS: dict[str, Callable[[str, bytes], _Parts]] = {
    TEXT: _read_text,
    MARKDOWN: _read_markdown,
    HTML: _read_html,
    PDF: _read_pdf,
}


def _pdf_pages(name: str, data: bytes) -> list[str]:
    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
            raise InputError(f"{name} is protected by a password; save a copy without one.") from error
        raise InputError(f"{name} is damaged and cannot be opened as PDF; export or download it again.") from error
    try:
        return [_pdf_page(pdf, number) for number in range(len(pdf))]
    finally:
        pdf.close()


def _pdf_page(pdf: pypdfium2.PdfDocument, number: int) -> str:
    try:
        page = pdf[number]
        raw: str = page.get_textpage().get_text_range()
    except pypdfium2.PdfiumError:
        return ""  # reported as a page without text; the other pages stay usable
    # PDFium marks a word that is broken over two lines with a hyphen character of its own
    return _HYPHEN.sub("", _newlines(raw)).replace("\x00", "").strip()


def markdown_headings(text: str) -> list[Heading]:
    """ATX (`## x`) and setext (underlined) headings outside code fences, in order (CommonMark 0.31, 4.2 and 4.3)."""
    headings: list[Heading] = []
    fence, before, offset = "", (0, ""), 0
    for line in text.splitlines(keepends=True):
        bare = line.rstrip("\r\n")
        mark = _FENCE.match(bare)
        if mark and (not fence or fence == mark.group(1)):
            fence = "" if fence else mark.group(1)
            before = (offset, "")
        elif not fence:
            if atx := _ATX.match(bare):
                headings.append(Heading(len(atx.group(1)), atx.group(2).strip(), offset, offset + len(bare)))
                bare = ""
            elif before[1] and (underline := _SETEXT.match(bare)):
                level = 1 if underline.group(1)[0] == "=" else 2
                headings.append(Heading(level, before[1].strip(), before[0], offset + len(bare)))
                bare = ""
            before = (offset, bare if bare.strip() else "")
        offset += len(line)
    return headings


def _decode(name: str, data: bytes, declared: str | None = None) -> str:
    """Text by byte order mark, UTF-8, the charset that the file declares, then detection."""
    text = _strict(data, next((codec for mark, codec in _BOMS if data.startswith(mark)), "utf-8-sig"))
    if text is None and b"\x00" not in data:
        text = _strict(data, declared) if declared else None
        if text is None and (best := charset_normalizer.from_bytes(data).best()):
            text = str(best)
    if text is None or len(_CONTROL.findall(text)) > _CONTROL_SHARE * len(text) or "\x00" in text:
        raise InputError(f"{name} is binary, not text; convert it to .txt, .md, .html or .pdf.")
    return _newlines(text)


def _strict(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except (UnicodeDecodeError, LookupError):
        return None


def _newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
