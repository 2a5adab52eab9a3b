"""Tables of text, e-mails and books."""

import zipfile
from email.message import EmailMessage
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.documents import read_document
from rag.errors import InputError
from rag.mediatypes import CSV, EMAIL, EPUB

from .test_office import headings


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_with_any_delimiter(delimiter: str) -> None:
    rows = [["Item", "Notes"], ["Drill", '"with a case;\nnew, 2|3\t4"'], ["", ""], ["Saw", ""]]
    document = read_document("a.csv", "\r\n".join(delimiter.join(row) for row in rows).encode("utf-8-sig"))
    assert document.media_type == CSV
    assert document.text == "Item | Notes\n\nItem: Drill; Notes: with a case;\nnew, 2|3\t4\n\nItem: Saw"


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("1,2\n3,4\n", "1 | 2\n\n3 | 4"),
        ("just words\nin lines\n", "just words\n\nin lines"),
        ("a,b\n", "a | b"),
        ("a,b\n1,2,3\n", "a | b\n\na: 1; b: 2; 3"),
        ("a,a\n1,2\n", "a | a\n\n1 | 2"),
        ('"","","|0"\n"","|"\n', "|0\n\n|"),
        ('a,b\n"never closed,1\n', "a | b\n\na: never closed,1"),
    ],
)
def test_csv_without_names_of_columns_or_in_disorder(table: str, text: str) -> None:
    assert read_document("a.csv", table.encode()).text == text


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\n", exclude_categories=["Cc"]), max_size=9)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=3), min_size=1, max_size=5))
def test_no_cell_of_a_csv_is_lost(rows: list[list[str]]) -> None:
    table = "\n".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    text = read_document("a.csv", f"title\n{table}".encode()).text
    assert all(cell.strip() in text for row in rows for cell in row)


def message() -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Ann <ann@example.org>", "bob@example.org", "Größe der Lieferung"
    mail["Date"] = "Mon, 6 May 2024 09:30:00 +0200"
    mail.set_content("Zwölf Stück kommen am Dienstag.\n")
    return mail


HEAD = "Größe der Lieferung\n\nFrom: Ann <ann@example.org>\nTo: bob@example.org\nDate: Mon, 06 May 2024 09:30:00 +0200"


def test_email_says_who_when_and_what() -> None:
    mail = message()
    mail.add_alternative("<p>Zwölf <b>Stück</b></p>", subtype="html")
    mail.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="bill.pdf")
    document = read_document("a.eml", mail.as_bytes())
    assert document.media_type == EMAIL
    assert document.text == f"{HEAD}\n\nZwölf Stück kommen am Dienstag."
    assert headings(document) == [(1, "Größe der Lieferung")]
    assert document.remarks == ("attachments are not read: bill.pdf",)


def test_email_of_html_alone_and_a_forwarded_one() -> None:
    outer = EmailMessage()
    outer["From"], outer["Subject"] = "bob@example.org", "Fwd"
    outer.set_content("<p>See <script>alert(1)</script>below</p>", subtype="html")
    outer.make_mixed()
    outer.add_attachment(message())
    document = read_document("a.eml", outer.as_bytes())
    assert document.text == f"Fwd\n\nFrom: bob@example.org\n\nSee below\n\n{HEAD}\n\nZwölf Stück kommen am Dienstag."
    assert headings(document) == [(1, "Fwd"), (2, "Größe der Lieferung")]


@given(st.binary(max_size=300))
def test_email_never_fails_otherwise_than_by_saying_so(data: bytes) -> None:
    for head in (b"From: a@b\nSubject: x\n", b"From: a@b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"):
        try:
            said = read_document("a.eml", head + data).text
        except InputError as error:
            said = str(error)
        assert said.strip(), "a text, or why there is none"


def book(**changes: str | None) -> bytes:
    """An EPUB of two chapters; `changes` replace parts, by their names without folder and extension."""
    parts: dict[str, str | None] = {
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/content.opf"/></rootfiles></container>',
        "OEBPS/content.opf": '<package xmlns="http://www.idpf.org/2007/opf"><manifest>'
        '<item id="n" href="nav.xhtml" properties="nav"/><item id="b" href="text/two%20b.xhtml"/>'
        '<item id="a" href="text/one.xhtml"/></manifest>'
        '<spine><itemref idref="n"/><itemref idref="a"/><itemref idref="b"/></spine></package>',
        "OEBPS/nav.xhtml": "<html><body><a>One</a></body></html>",
        "OEBPS/text/one.xhtml": '<?xml version="1.0"?><html><body><h1>One</h1><p>It was night.</p></body></html>',
        "OEBPS/text/two b.xhtml": "<html><body><h2>Two</h2><p>It was day.</p></body></html>",
    }
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("mimetype", "application/epub+zip")
        for name, text in parts.items():
            text = changes.get(name.rpartition("/")[2].partition(".")[0].replace(" ", "_"), text)
            if text is not None:
                file.writestr(name, text)
        for name, text in changes.items():
            if name == "encryption":
                file.writestr("META-INF/encryption.xml", str(text))
    return out.getvalue()


def test_epub_chapters_in_reading_order() -> None:
    document = read_document("a.epub", book())
    assert document.media_type == EPUB
    assert document.text == "One\n\nIt was night.\n\nTwo\n\nIt was day."
    assert headings(document) == [(1, "One"), (2, "Two")]
    assert read_document("a.epub", book(two_b=None)).remarks == ("the chapter OEBPS/text/two b.xhtml is missing",)


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ('<meta property="dcterms:modified">2024-05-06T07:08:09Z</meta><date>1922-02-02</date>', "2024-05-06"),
        ('<meta property="dcterms:modified">lately</meta><date> 1922-02-02 </date>', "1922-02-02"),
        ("<date>1922</date><date/>", ""),
        ("", ""),
    ],
)
def test_epub_says_its_day(said: str, day: str) -> None:
    head = '<package xmlns="http://www.idpf.org/2007/opf"><metadata>' + said + "</metadata><manifest>"
    rest = '<item id="a" href="text/one.xhtml"/></manifest><spine><itemref idref="a"/></spine></package>'
    assert read_document("a.epub", book(content=head + rest)).dated == day


def test_epub_locked_or_without_container_is_refused() -> None:
    lock = '<encryption><CipherReference URI="OEBPS/text/one.xhtml"/></encryption>'
    with pytest.raises(InputError, match="DRM"):
        read_document("a.epub", book(encryption=lock))
    assert "night" in read_document("a.epub", book(encryption=lock.replace("text/one.xhtml", "font.otf"))).text
    for broken in ({"container": "<a/>"}, {"container": "<a"}, {"content": "<a/>"}):
        with pytest.raises(InputError):
            read_document("a.epub", book(**broken))
