"""A zip file of XML parts, as Office and EPUB write them: bounded, and without the dangers of XML."""

import posixpath
import zipfile
import zlib
from datetime import date
from io import BytesIO
from urllib.parse import unquote
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from .errors import InputError

_MODIFIED = "{http://purl.org/dc/terms/}modified"
_MOST_PARTS = 20_000
_MOST_BYTES = 400 << 20  # unpacked; zipfile gives no more than the sizes that the file states


class Package:
    """The parts of the file `name`. Raises InputError, here and when a part is read, for what is damaged or too big."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        try:
            self._zip = zipfile.ZipFile(BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
            raise self._damaged() from error
        entries = self._zip.infolist()
        if len(entries) > _MOST_PARTS or sum(entry.file_size for entry in entries) > _MOST_BYTES:
            raise InputError(
                f"{name} unpacks to over {_MOST_BYTES >> 20} MB or {_MOST_PARTS} parts; split it, or save it as text."
            )
        self.parts = frozenset(entry.filename for entry in entries)

    def read(self, part: str) -> bytes:
        """The bytes of a part."""
        try:
            return self._zip.read(part)
        except RuntimeError as error:  # NotImplementedError, of an unknown compression, is one too
            raise InputError(f"{self.name} is protected by a password or oddly packed; save it anew.") from error
        except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError) as error:
            raise self._damaged() from error

    def xml(self, part: str) -> Element:
        """A part as XML."""
        try:
            tree: Element = defusedxml.ElementTree.fromstring(self.read(part))
        except DefusedXmlException as error:
            raise InputError(f"{self.name} defines XML entities, which may grow without end; save it anew.") from error
        except (ParseError, ValueError, LookupError) as error:
            raise self._damaged() from error
        return tree

    def modified(self) -> str:
        """The day, "YYYY-MM-DD", on which an Office file says that it was last changed, or ""."""
        try:
            return day_of(self.xml("docProps/core.xml").findtext(_MODIFIED))
        except InputError:  # not worth refusing a file for
            return ""

    def related(self, part: str) -> dict[str, str]:
        """Names of the parts that a part refers to, by the id of the relation."""
        folder, base = posixpath.split(part)
        relations = f"{folder}/_rels/{base}.rels"
        if relations not in self.parts:
            return {}
        return {
            relation.get("Id", ""): resolve(part, relation.get("Target", ""))
            for relation in self.xml(relations)
            if relation.get("TargetMode") != "External"
        }

    def _damaged(self) -> InputError:
        return InputError(f"{self.name} is damaged or cut off; export or download it again.")


def day_of(noted: str | None) -> str:
    """The day, "YYYY-MM-DD", that a moment as XML writes it begins with, or "": a year alone is none."""
    try:
        return date.fromisoformat((noted or "").strip()[:10]).isoformat()
    except ValueError:
        return ""


def resolve(part: str, target: str) -> str:
    """The name of the part that `part` calls `target`."""
    return posixpath.normpath(posixpath.join("/", posixpath.dirname(part), unquote(target))).lstrip("/")
