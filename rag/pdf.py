"""The text of a PDF file, page by page."""

import re
import threading
from datetime import date

import pypdfium2

from .encodings import newlines
from .errors import InputError
from .outline import Outline, Outlined

_DATES = ("ModDate", "CreationDate")
_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)(\d\d)")  # D:YYYYMMDDHHmmSS+HH'mm, of which all after the year may lack
_HYPHEN = re.compile(r"[\ufffe\x02\xad]\n?")

_pdfium = threading.Lock()  # PDFium keeps global state and may be entered by one thread at a time


def read_pdf(name: str, data: bytes) -> Outlined:
    """Text and pages of a PDF file. Raises InputError, also for one that has no text on any page."""
    with _pdfium:
        texts, dated = _pages(name, data)
    if not any(texts):
        raise InputError(f"{name} has no text on any of its {len(texts)} pages; run it through OCR first.")
    outline = Outline()
    outline.dated = dated
    for number, text in enumerate(texts, 1):
        outline.page(number)
        outline.add(text)
    return outline.finish()


def _pages(name: str, data: bytes) -> tuple[list[str], str]:
    """The texts of all pages, and the day of the file."""
    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
            raise InputError(f"{name} is protected by a password; save a copy without one.") from error
        raise InputError(f"{name} is damaged and cannot be opened as PDF; export or download it again.") from error
    try:
        return [_page(pdf, number) for number in range(len(pdf))], _day(pdf)
    finally:
        pdf.close()


def _page(pdf: pypdfium2.PdfDocument, number: int) -> str:
    try:
        page = pdf[number]
        raw: str = page.get_textpage().get_text_range()
    except pypdfium2.PdfiumError:
        return ""  # reported as a page without text; the other pages stay usable
    # PDFium marks a word that is broken over two lines with a hyphen character of its own
    return _HYPHEN.sub("", newlines(raw)).replace("\x00", "").strip()


def _day(pdf: pypdfium2.PdfDocument) -> str:
    """The day, "YYYY-MM-DD", on which the file says that it was last changed, or else made, or ""."""
    for key in _DATES:
        if found := _DATE.match(pdf.get_metadata_value(key)):
            try:
                return date(*map(int, found.groups())).isoformat()
            except ValueError:  # no day of any calendar: not worth refusing a file for
                continue
    return ""
