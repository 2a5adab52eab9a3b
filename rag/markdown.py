"""The headings of a Markdown text."""

import re

_FENCE = re.compile(r" {0,3}(```|~~~)")
_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.+)")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")


def markdown_headings(text: str) -> list[tuple[int, str, int, int]]:
    """ATX (`## x`) and setext (underlined) headings outside code fences (CommonMark 0.31, 4.2 and 4.3).

    Each is (level, title, start, end), in order.
    """
    headings: list[tuple[int, str, int, int]] = []
    fence, before, offset = "", (0, ""), 0
    for line in text.splitlines(keepends=True):
        bare = line.rstrip("\r\n")
        mark = _FENCE.match(bare)
        if mark and (not fence or fence == mark.group(1)):
            fence = "" if fence else mark.group(1)
            before = (offset, "")
        elif not fence:
            if atx := _ATX.match(bare):
                headings.append((len(atx.group(1)), _title(atx.group(2)), offset, offset + len(bare)))
                bare = ""
            elif before[1] and (underline := _SETEXT.match(bare)):
                level = 1 if underline.group(1)[0] == "=" else 2
                headings.append((level, before[1].strip(), before[0], offset + len(bare)))
                bare = ""
            before = (offset, bare if bare.strip() else "")
        offset += len(line)
    return headings


def _title(text: str) -> str:
    """Without the closing row of #, by hand: as a pattern it took hours on a line of a million of them."""
    text = text.strip()
    bare = text.rstrip("#")
    return bare.strip() if bare != text and bare.endswith((" ", "\t")) else text
