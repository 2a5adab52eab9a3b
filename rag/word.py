"""The text of a DOCX file: headings by their styles, lists, tables, notes; nothing that was deleted."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from .outline import Outline, Outlined
from .package import Package

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_LEFT_OUT = frozenset((f"{_W}del", f"{_W}moveFrom", f"{_W}pPr", f"{_W}rPr", _FALLBACK))
_MARKS = {f"{_W}tab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-", f"{_W}p": "\n"}


def read_docx(name: str, data: bytes) -> Outlined:
    """Text and headings of a DOCX file. Raises InputError."""
    package = Package(name, data)
    (main,) = [part for part in sorted(package.parts) if part.startswith("word/document")][:1]
    reader = _Word(package)
    reader.outline.dated = package.modified()
    for body in package.xml(main):
        reader.blocks(body)
    reader.end_list()
    return reader.outline.finish()


class _Word:
    def __init__(self, package: Package) -> None:
        self.outline = Outline()
        self._items: list[str] = []  # of the list that is being read
        self._levels, self._lists = _styles(package)
        self._notes: dict[tuple[str, str], str] = {}
        for kind in ("footnote", "endnote"):
            if (part := f"word/{kind}s.xml") in package.parts:
                for note in package.xml(part):
                    self._notes[kind, note.get(f"{_W}id", "")] = " ".join("".join(_words(note)).split())

    def blocks(self, parent: Element) -> None:
        """Paragraphs and tables, also those in content controls and accepted insertions."""
        for block in parent:
            if block.tag == f"{_W}p":
                self._paragraph(block)
            elif block.tag == f"{_W}tbl":
                self.end_list()
                self.outline.add("\n".join(_rows(block)))
            elif block.tag not in _LEFT_OUT:
                self.blocks(block)

    def end_list(self) -> None:
        self.outline.add("\n".join(self._items))
        self._items.clear()

    def _paragraph(self, paragraph: Element) -> None:
        text = "".join(_words(paragraph)).strip()
        if not text:
            return
        style = _value(paragraph, "pPr/pStyle")
        level = _level(_value(paragraph, "pPr/outlineLvl")) or self._levels.get(style, 0)
        listed = paragraph.find(f"{_W}pPr/{_W}numPr") is not None or style in self._lists
        if listed and not level:
            self._items.append(f"- {text}")
        else:
            self.end_list()
            if level:
                self.outline.head(level, text)
            else:
                self.outline.add(text)
        for kind in ("footnote", "endnote"):
            for mark in paragraph.iter(f"{_W}{kind}Reference"):
                if note := self._notes.get((kind, mark.get(f"{_W}id", ""))):
                    self.end_list()
                    self.outline.add(f"Note: {note}")


def _styles(package: Package) -> tuple[dict[str, int], set[str]]:
    """Heading levels of the styles that have one, and the styles of lists; a style has what its base has."""
    levels: dict[str, int] = {}
    lists: set[str] = set()
    bases: dict[str, str] = {}
    if "word/styles.xml" not in package.parts:
        return levels, lists
    for style in package.xml("word/styles.xml").iter(f"{_W}style"):
        key = style.get(f"{_W}styleId", "")
        bases[key] = _value(style, "basedOn")
        title = _value(style, "name").lower()
        level = 1 if title == "title" else _level(_value(style, "pPr/outlineLvl"))
        if title.startswith("heading ") and title[8:].isdecimal():
            level = int(title[8:])
        if level:
            levels[key] = level
        if style.find(f"{_W}pPr/{_W}numPr") is not None:
            lists.add(key)
    for key in bases:
        for base in _ancestors(key, bases):
            if base in levels:
                levels.setdefault(key, levels[base])
            if base in lists:
                lists.add(key)
    return levels, lists


def _ancestors(key: str, bases: dict[str, str]) -> Iterator[str]:
    seen = {key}
    while (key := bases.get(key, "")) and key not in seen:
        seen.add(key)
        yield key


def _level(outline: str) -> int:
    """Heading level by Word's outline level, where 9 is body text; 0 for no heading."""
    return int(outline) + 1 if outline.isdecimal() and int(outline) < 9 else 0


def _value(element: Element, path: str) -> str:
    found = element.find("/".join(f"{_W}{step}" for step in path.split("/")))
    return "" if found is None else found.get(f"{_W}val", "")


def _rows(table: Element) -> Iterator[str]:
    for row in table.iter(f"{_W}tr"):
        cells = (" ".join("".join(_words(cell)).split()) for cell in row.findall(f".//{_W}tc"))
        if words := [cell for cell in cells if cell]:
            yield " | ".join(words)


def _words(element: Element) -> Iterator[str]:
    for child in element:
        if child.tag == f"{_W}t":
            yield child.text or ""
        elif child.tag not in _LEFT_OUT:
            yield _MARKS.get(child.tag, "")
            yield from _words(child)
