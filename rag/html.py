"""The readable text of an HTML page: blocks become paragraphs, scripts and navigation are left out."""

import re

from bs4 import BeautifulSoup
from bs4.element import NavigableString, PageElement, Tag
from bs4.exceptions import ParserRejectedMarkup

from .errors import InputError

_DROPPED = frozenset(
    ("script", "style", "title", "nav", "noscript", "template", "svg", "math", "canvas", "iframe", "object", "form")
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_PARAGRAPHS = frozenset(
    ("p", "div", "section", "article", "main", "header", "footer", "ul", "ol", "dl", "table", "blockquote", "pre", "hr")
)
_LINES = frozenset(("br", "li", "tr", "dt", "dd", "caption", "figcaption"))
_XML = re.compile(r"^\s*<\?xml[^>]*\?>")  # the parser warns about it, though XHTML reads well as HTML


class _Writer:
    """Text with at most one blank line between blocks and one space between words."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.length = 0
        self.gap = ""

    def space(self, gap: str) -> None:
        """Ask for a gap before the next words; the longer of two wins, a space never beats a line break."""
        if self.length and (len(gap) > len(self.gap) or (self.gap == " " and gap == "\n")):
            self.gap = gap

    def write(self, words: str) -> None:
        for piece in (self.gap, words):
            self.pieces.append(piece)
            self.length += len(piece)
        self.gap = ""


def page_text(name: str, markup: str) -> tuple[str, list[tuple[int, str, int, int]]]:
    """As `html_text`. Raises InputError where the markup of the file `name` cannot be parsed."""
    try:
        return html_text(markup)
    except ParserRejectedMarkup as error:
        raise InputError(f"{name} is not HTML that can be parsed; save the page anew, or its text as .txt.") from error


def html_text(markup: str) -> tuple[str, list[tuple[int, str, int, int]]]:
    """Text of a page and its headings as (level, title, start, end).

    The walk keeps its own stack, so that no depth of nesting exhausts Python's.
    """
    if "<" not in markup:
        return markup, []
    soup = BeautifulSoup(_XML.sub("", markup), "html.parser")
    writer, headings = _Writer(), []
    if soup.h1 is None and soup.title and (title := " ".join(soup.title.get_text().split())):
        writer.write(title)
        headings.append((1, title, 0, len(title)))
        writer.space("\n\n")
    opened = 0  # pieces before the heading that is being read; headings do not nest
    stack: list[tuple[PageElement, bool, bool]] = [(soup, False, False)]
    while stack:
        node, leaving, verbatim = stack.pop()
        if isinstance(node, NavigableString):
            if type(node) is NavigableString:  # its subclasses are comments, declarations, scripts
                _write(writer, str(node), verbatim)
        elif isinstance(node, Tag) and node.name not in _DROPPED:
            writer.space(_gap(node.name))
            level = _HEADINGS.get(node.name)
            if not leaving:
                opened = len(writer.pieces) if level else opened
                verbatim = verbatim or node.name == "pre"
                stack.append((node, True, verbatim))
                stack.extend((child, False, verbatim) for child in reversed(node.contents))
            elif level and (title := "".join(writer.pieces[opened:]).strip()):
                headings.append((level, " ".join(title.split()), writer.length - len(title), writer.length))
    return "".join(writer.pieces), headings


def _gap(tag: str) -> str:
    if tag in _PARAGRAPHS or tag in _HEADINGS:
        return "\n\n"
    return "\n" if tag in _LINES else " " if tag in ("td", "th") else ""


def _write(writer: _Writer, text: str, verbatim: bool) -> None:
    if verbatim:
        if text:
            writer.write(text)
        return
    words = " ".join(text.split())
    if text[:1].isspace():
        writer.space(" ")
    if words:
        writer.write(words)
        if text[-1:].isspace():
            writer.space(" ")
