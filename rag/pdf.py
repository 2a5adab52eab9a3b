"""The text of a PDF file, page by page."""

import re
import threading

import pypdfium2

from .encodings import newlines
from .errors import InputError
from .outline import Outline, Outlined

_HYPHEN = re.compile(r"[\ufffe\x02\xad]\n?")

_pdfium = threading.Lock()  # PDFium keeps global state and may be entered by one thread at a time


def read_pdf(name: str, data: bytes) -> Outlined:
    """Text and pages of a PDF file. Raises InputError, also for one that has no text on any page."""
    with _pdfium:
        texts = _pages(name, data)
    if not any(texts):
        raise InputError(f"{name} has no text on any of its {len(texts)} pages; run it through OCR first.")
    outline = Outline()
    for number, text in enumerate(texts, 1):
        outline.page(number)
        outline.add(text)
    return outline.finish()


def _pages(name: str, data: bytes) -> list[str]:
    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
            raise InputError(f"{name} is protected by a password; save a copy without one.") from error
        raise InputError(f"{name} is damaged and cannot be opened as PDF; export or download it again.") from error
    try:
        return [_page(pdf, number) for number in range(len(pdf))]
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
