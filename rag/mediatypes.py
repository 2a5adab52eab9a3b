"""What kind of file this is: by its first bytes, then by its name."""

from pathlib import PurePath

from .errors import InputError

_OFFICE = "application/vnd.openxmlformats-officedocument."
PDF, HTML, MARKDOWN, TEXT = "application/pdf", "text/html", "text/markdown", "text/plain"
DOCX = _OFFICE + "wordprocessingml.document"
PPTX = _OFFICE + "presentationml.presentation"
XLSX = _OFFICE + "spreadsheetml.sheet"
EPUB, EMAIL = "application/epub+zip", "message/rfc822"
CSV, TSV = "text/csv", "text/tab-separated-values"
ZIP = "application/zip"

EXTENSIONS = {
    ".pdf": PDF,
    ".docx": DOCX,
    ".docm": DOCX,
    ".pptx": PPTX,
    ".pptm": PPTX,
    ".xlsx": XLSX,
    ".xlsm": XLSX,
    ".csv": CSV,
    ".tsv": TSV,
    ".epub": EPUB,
    ".eml": EMAIL,
    ".zip": ZIP,
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

REMEDY = "convert it to .pdf, .docx, .pptx, .xlsx, .csv, .html, .md or .txt"

_PACKAGES = (  # zip files, by the name of a part that each must have; the names stand uncompressed in the file
    (b"word/document", DOCX),
    (b"ppt/presentation", PPTX),
    (b"xl/workbook", XLSX),
    (b"META-INF/container.xml", EPUB),
)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_WEB = (b"<!doctype html", b"<html")


def media_type(name: str, data: bytes) -> str:
    """Media type of a file. Raises InputError for one that is empty, of a type that is not read, or misnamed."""
    if not data:
        raise InputError(f"{name} is empty; give a file that holds text.")
    suffix = PurePath(name).suffix.lower()
    named = EXTENSIONS.get(suffix)
    head = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"%PDF-") or (b"%PDF-" in head and named in (PDF, None)):
        return PDF
    if data.startswith(_ZIP):
        return _package(name, named, data)
    if data.startswith(_OLE):
        raise InputError(_old_office(name, data))
    if named is None or head.startswith(b"{\\rtf"):
        kind = f"files of type {suffix}" if named is None else "RTF files"
        raise InputError(f"{name}: {kind} are not read; {REMEDY}.")
    packaged = named in (DOCX, PPTX, XLSX, EPUB, ZIP)
    if (packaged or named == TEXT) and head.lower().startswith(_WEB):
        return HTML  # programs save web pages as .doc and .xls, and browsers as .txt
    if packaged:
        raise InputError(f"{name} is no {suffix[1:].upper()} file, whatever its name says; open it and save it anew.")
    return named


def _package(name: str, named: str | None, data: bytes) -> str:
    if named == ZIP:
        return ZIP
    kinds = [kind for part, kind in _PACKAGES if part in data]
    if kinds:
        return named if named in kinds else kinds[0]
    if named in (DOCX, PPTX, XLSX, EPUB):
        raise InputError(f"{name} lacks its main part, so it is damaged or misnamed; export or download it again.")
    return ZIP


def _old_office(name: str, data: bytes) -> str:
    if "EncryptedPackage".encode("utf-16-le") in data:
        return f"{name} is protected by a password; save a copy without one."
    return f"{name} is in an old format of Office, which is not read; save it as .docx, .pptx, .xlsx or .eml."
