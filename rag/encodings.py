"""The bytes of a text to characters."""

import codecs
import re

import charset_normalizer

from .errors import InputError
from .mediatypes import REMEDY

_BOMS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_CONTROL_SHARE = 0.005  # text has next to none; the share in a compressed file is about a tenth


def decode(name: str, data: bytes, declared: str | None = None) -> str:
    """Text by byte order mark, UTF-8, the charset that the file declares, then detection; lines end in "\\n".

    Raises InputError for what is binary.
    """
    text = _strict(data, next((codec for mark, codec in _BOMS if data.startswith(mark)), "utf-8-sig"))
    if text is None and b"\x00" not in data:
        text = _strict(data, declared) if declared else None
        if text is None and (best := charset_normalizer.from_bytes(data).best()):
            text = str(best)
    if text is None or len(_CONTROL.findall(text)) > _CONTROL_SHARE * len(text) or "\x00" in text:
        raise InputError(f"{name} is binary, not text; {REMEDY}.")
    return newlines(text)


def newlines(text: str) -> str:
    """The text with "\\n" at the ends of its lines."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _strict(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except (UnicodeError, LookupError):  # some codecs raise the wider one, and some are for no text
        return None
