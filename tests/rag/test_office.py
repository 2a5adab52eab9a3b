"""Word, PowerPoint and Excel files written by other programs' libraries, read back."""

import zipfile
from collections.abc import Callable
from datetime import date, datetime
from io import BytesIO
from typing import Any

import docx
import openpyxl
import pptx
import pytest
from pptx.util import Inches

from rag.documents import Document, read_document
from rag.errors import InputError
from rag.mediatypes import DOCX, PPTX, XLSX


def saved(file: Any) -> bytes:
    """What the library's object writes."""
    out = BytesIO()
    file.save(out)
    return out.getvalue()


def edited(data: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    """The zip file with one part changed."""
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change(old.read(name)) if name == part else old.read(name))
    return out.getvalue()


def headings(document: Document) -> list[tuple[int, str]]:
    """Levels and titles, each checked to stand where it says."""
    for heading in document.headings:
        assert document.text[heading.start : heading.end] == heading.title
    return [(heading.level, heading.title) for heading in document.headings]


@pytest.fixture
def letter() -> bytes:
    file = docx.Document()
    file.add_heading("Handbook", 0)
    file.add_heading("Returns", 1)
    paragraph = file.add_paragraph("Goods go back within ")
    paragraph.add_run("thirty").bold = True
    paragraph.add_run(" days.")
    file.add_paragraph("new goods", style="List Bullet")
    file.add_paragraph("used goods", style="List Bullet")
    file.add_heading("Fees", 2)
    table = file.add_table(2, 2)
    for cell, text in zip(table._cells, ["Country", "Fee", "Norway", "12 €"], strict=True):
        cell.text = text
    file.add_paragraph("End.")
    return saved(file)


def test_docx_keeps_headings_lists_and_tables(letter: bytes) -> None:
    document = read_document("letter.docx", letter)
    assert document.media_type == DOCX
    assert document.text.split("\n\n") == [
        "Handbook",
        "Returns",
        "Goods go back within thirty days.",
        "- new goods\n- used goods",
        "Fees",
        "Country | Fee\nNorway | 12 €",
        "End.",
    ]
    assert headings(document) == [(1, "Handbook"), (1, "Returns"), (2, "Fees")]
    assert document.pages == ()


def test_docx_under_another_name_is_known_by_its_bytes(letter: bytes) -> None:
    for name in ("letter", "letter.txt", "letter.pdf", "letter.docm", "letter.xlsx"):
        assert read_document(name, letter).media_type == DOCX


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def test_docx_leaves_out_what_was_deleted_and_keeps_what_was_inserted(letter: bytes) -> None:
    changes = (
        f"<w:p {W}><w:ins><w:r><w:t>inserted</w:t></w:r></w:ins>"
        "<w:del><w:r><w:delText>deleted</w:delText></w:r></w:del>"
        "<w:moveFrom><w:r><w:t>moved away</w:t></w:r></w:moveFrom></w:p>"
    ).encode()
    data = edited(letter, "word/document.xml", lambda part: part.replace(b"<w:body>", b"<w:body>" + changes))
    text = read_document("a.docx", data).text
    assert text.startswith("inserted\n\nHandbook")
    assert "deleted" not in text
    assert "moved" not in text


def test_docx_entities_are_refused(letter: bytes) -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;">]>'
    data = edited(letter, "word/document.xml", lambda part: part.replace(b"<w:document", bomb + b"<w:document", 1))
    with pytest.raises(InputError, match="XML entities"):
        read_document("a.docx", data)


@pytest.mark.parametrize("cut", [30, 0.3, 0.7, 0.98])
def test_docx_cut_off_is_refused(letter: bytes, cut: float) -> None:
    with pytest.raises(InputError, match="damaged"):
        read_document("a.docx", letter[: int(cut if cut > 1 else cut * len(letter))])


@pytest.fixture
def slides() -> bytes:
    file = pptx.Presentation()
    first = file.slides.add_slide(file.slide_layouts[1])
    first.shapes.title.text = "Opening hours"
    first.placeholders[1].text = "Nine to five\nClosed on Sundays"
    first.notes_slide.notes_text_frame.text = "Say it slowly."
    file.slides.add_slide(file.slide_layouts[6])
    third = file.slides.add_slide(file.slide_layouts[5])
    third.shapes.title.text = "Prices"
    table = third.shapes.add_table(2, 2, Inches(1), Inches(1), Inches(4), Inches(1)).table
    for position, text in enumerate(["Item", "Price", "Drill", "30"]):
        table.cell(*divmod(position, 2)).text = text
    return saved(file)


def test_pptx_slides_are_pages_with_titles_and_notes(slides: bytes) -> None:
    document = read_document("talk.pptx", slides)
    assert document.media_type == PPTX
    assert [document.text[start:end] for _, start, end in document.pages] == [
        "Opening hours\n\nNine to five\nClosed on Sundays\n\nNotes: Say it slowly.",
        "",
        "Prices\n\nItem | Price\nDrill | 30",
    ]
    assert headings(document) == [(1, "Opening hours"), (1, "Prices")]
    assert document.pages_without_text == (2,)
    assert [document.page_at(document.text.index(word)) for word in ("Nine", "slowly", "Drill")] == [1, 1, 3]


def test_xlsx_rows_carry_the_names_of_their_columns() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Stock"
    sheet.append(["Stock of the shop"])
    sheet.append([])
    sheet.append(["Item", "Price", "Since", "Share"])
    sheet.append(["Drill", 30.5, date(2024, 5, 1), 0.25])
    sheet.append(["Saw", 12, datetime(2024, 5, 1, 9, 30), None])
    sheet["D4"].number_format = "0.0%"
    book.create_sheet("Empty")
    book.create_sheet("Sums").append([1, 2, "=A1+B1"])
    document = read_document("stock.xlsx", saved(book))
    assert document.media_type == XLSX
    assert [document.text[start:end] for _, start, end in document.pages] == [
        "Stock\n\nStock of the shop\n\nItem | Price | Since | Share\n\n"
        "Item: Drill; Price: 30.5; Since: 2024-05-01; Share: 25%\n\n"
        "Item: Saw; Price: 12; Since: 2024-05-01 09:30:00",
        "",
        "Sums\n\n1 | 2",
    ]
    assert headings(document) == [(1, "Stock"), (1, "Sums")]
    assert document.remarks == ("1 formulas have no stored value: open and save it in a spreadsheet program",)


def test_xlsx_that_claims_to_be_huge_is_read_by_what_it_holds() -> None:
    book = openpyxl.Workbook()
    book.active.append(["a", "b"])
    data = edited(saved(book), "xl/worksheets/sheet1.xml", lambda part: part.replace(b'"A1:B1"', b'"A1:XFD1048576"'))
    assert b"XFD1048576" in zipfile.ZipFile(BytesIO(data)).read("xl/worksheets/sheet1.xml")
    assert read_document("a.xlsx", data).text == "Sheet\n\na | b"
