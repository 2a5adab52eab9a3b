"""The text of a PPTX file: each slide a page with its title as a heading, its tables and its notes."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from .outline import Outline, Outlined
from .package import Package

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_MAIN = "ppt/presentation.xml"
_REPEATED = ("sldNum", "dt", "ftr", "hdr", "sldImg")  # placeholders for what stands on every slide


def read_pptx(name: str, data: bytes) -> Outlined:
    """Text of a PPTX file, slides as pages. Raises InputError."""
    package = Package(name, data)
    outline = Outline()
    outline.dated = package.modified()
    relations = package.related(_MAIN)
    for number, entry in enumerate(package.xml(_MAIN).iter(f"{_P}sldId"), 1):
        outline.page(number)
        if (part := relations.get(entry.get(f"{_R}id", ""), "")) in package.parts:
            _slide(package, part, outline)
    return outline.finish()


def _slide(package: Package, part: str, outline: Outline) -> None:
    shapes = list(package.xml(part).iter())
    titles = [shape for shape in shapes if _kind(shape) in ("title", "ctrTitle")]
    for shape in titles:
        outline.head(1, " ".join(_paragraphs(shape)))
    for shape in shapes:
        if shape.tag == f"{_P}sp" and shape not in titles and _kind(shape) not in _REPEATED:
            outline.add("\n".join(_paragraphs(shape)))
        elif shape.tag == f"{_A}tbl":
            outline.add("\n".join(_rows(shape)))
    for notes in package.related(part).values():
        if notes.startswith("ppt/notesSlides/") and notes in package.parts:
            for shape in package.xml(notes).iter(f"{_P}sp"):
                if _kind(shape) == "body" and (text := "\n".join(_paragraphs(shape))):
                    outline.add(f"Notes: {text}")


def _kind(shape: Element) -> str:
    """What a shape is a placeholder for; "" for none."""
    if shape.tag != f"{_P}sp":
        return ""
    placeholder = shape.find(f"{_P}nvSpPr/{_P}nvPr/{_P}ph")
    return "" if placeholder is None else placeholder.get("type", "")


def _paragraphs(shape: Element) -> Iterator[str]:
    for paragraph in shape.iter(f"{_A}p"):
        words = (
            "\n" if piece.tag == f"{_A}br" else piece.text or ""
            for piece in paragraph.iter()
            if piece.tag in (f"{_A}t", f"{_A}br")
        )
        if text := "".join(words).strip():
            yield text


def _rows(table: Element) -> Iterator[str]:
    for row in table.iter(f"{_A}tr"):
        cells = (" ".join(_paragraphs(cell)) for cell in row.iter(f"{_A}tc"))
        if words := [cell for cell in cells if cell]:
            yield " | ".join(words)
