"""Text to sentences, as spans of it."""

import re
from collections.abc import Iterator

_MARKS = r"(?:\s*\[\d+(?:\s*[,;–-]\s*\d+)*\])*"
_END = re.compile(
    rf"[.!?…]+[\"'”’)*_]*{_MARKS}(?=\s|$)"  # the marks behind a full stop belong to the sentence before it
    rf"|[。！？]+[”’」』）]*{_MARKS}"
    r"|\n[ \t]*\n|\n(?=\s*(?:[-*+•#|]|\d+[.)])\s)"  # paragraphs and the items of lists
)
_TITLE = re.compile(r"\b(?:[A-Z]|e\.g|i\.e|[DM]rs?|Ms|Prof|St|vs|cf|approx|ca|Nos?|Figs?|Eq|Ref|pp|vol)\.$")
_NUMBER = re.compile(r"^\s*\d+[.)]$")


def sentences(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """(start, end) of each sentence of text[start:end] in order, without the white space around it.

    A full stop ends none after an initial, a title or the number of a list's item, or before a small letter.
    """
    end = len(text) if end is None else end
    for match in _END.finditer(text, start, end):
        stops = match.end()
        if match[0].startswith(".") and _goes_on(text, start, stops, end):
            continue
        yield from trimmed(text, start, stops)
        start = stops
    yield from trimmed(text, start, end)


def trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The span without white space at its ends, or nothing."""
    piece = text[start:end]
    if bare := piece.strip():
        start += len(piece) - len(piece.lstrip())
        yield start, start + len(bare)


def _goes_on(text: str, start: int, stops: int, end: int) -> bool:
    following = text[stops : min(stops + 20, end)].lstrip()[:1]
    return bool(
        following and (following.islower() or _TITLE.search(text[start:stops]) or _NUMBER.match(text[start:stops]))
    )
