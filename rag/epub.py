"""The text of an EPUB book: its chapters in reading order."""

import posixpath
import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from .encodings import decode
from .errors import InputError
from .html import page_text
from .outline import Outline, Outlined
from .package import Package, day_of, resolve

_CONTAINER, _ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
_ENCODING = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([\w-]+)")


def read_epub(name: str, data: bytes) -> Outlined:
    """Text and headings of a book. Raises InputError, also for one that is locked to a reader."""
    package = Package(name, data)
    root = next((entry.get("full-path", "") for entry in package.xml(_CONTAINER).iter() if _is(entry, "rootfile")), "")
    book = list(package.xml(posixpath.normpath(root)).iter())
    manifest = {entry.get("id", ""): entry for entry in book if _is(entry, "item")}
    spine = [entry.get("idref", "") for entry in book if _is(entry, "itemref")]
    chapters = [manifest[key] for key in spine if key in manifest]
    read = [entry for entry in chapters if "nav" not in entry.get("properties", "").split()]
    parts = [resolve(root, entry.get("href", "")) for entry in read]
    locked = _locked(package)
    if any(part in locked for part in parts):
        raise InputError(f"{name} is locked to a reader (DRM); give a copy that is not.")
    outline = Outline()
    outline.dated = _day(book)
    for part in parts:
        if part not in package.parts:
            outline.remarks.append(f"the chapter {part} is missing")
            continue
        markup = package.read(part)
        declared = _ENCODING.match(markup)
        outline.embed(*page_text(name, decode(name, markup, declared.group(1).decode() if declared else None)))
    return outline.finish()


def _day(book: Sequence[Element]) -> str:
    """The day, "YYYY-MM-DD", on which a book says that it was last changed, or else published, or ""."""
    changed = [entry for entry in book if _is(entry, "meta") and entry.get("property") == "dcterms:modified"]
    said = (*changed, *(entry for entry in book if _is(entry, "date")))
    return next(filter(None, (day_of(entry.text) for entry in said)), "")


def _is(entry: object, tag: str) -> bool:
    """Whether an element has that tag in any namespace."""
    return str(getattr(entry, "tag", "")).rpartition("}")[2] == tag


def _locked(package: Package) -> set[str]:
    """Parts that are encrypted; fonts often are, and lock nothing."""
    if _ENCRYPTION not in package.parts:
        return set()
    return {
        resolve("", entry.get("URI", "")) for entry in package.xml(_ENCRYPTION).iter() if _is(entry, "CipherReference")
    }
