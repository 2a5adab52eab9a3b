from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.documents import read_document
from rag.errors import InputError
from rag.mediatypes import HTML, MARKDOWN, PDF, TEXT

MakePdf = Callable[..., bytes]


def test_text_keeps_every_character() -> None:
    document = read_document("notes/a.txt", "Zwölf Äpfel — twelve apples\n".encode())
    assert document.text == "Zwölf Äpfel — twelve apples\n"
    assert (document.name, document.media_type, document.pages) == ("notes/a.txt", TEXT, ())
    assert len(document.sha256) == 64


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xef\xbb\xbfwith a mark", "with a mark"),
        ("sechs Stück für Änne\n".encode("utf-16"), "sechs Stück für Änne\n"),
        (("Die Größe der Lieferung beträgt zwölf Stück, geprüft über Köln. " * 5).encode("cp1252"), None),
        (b"one\r\ntwo\rthree", "one\ntwo\nthree"),
    ],
)
def test_encodings(data: bytes, text: str | None) -> None:
    read = read_document("a.txt", data).text
    assert read == text if text else "Größe der Lieferung beträgt zwölf Stück" in read


def test_markdown_headings_lie_where_they_say_and_code_has_none() -> None:
    source = "Title\n=====\n\ntext\n\n```\n# no heading\n```\n## Part two ##\nmore\n\n---\n"
    document = read_document("a.md", source.encode())
    assert document.media_type == MARKDOWN
    assert [(h.level, h.title) for h in document.headings] == [(1, "Title"), (2, "Part two")]
    assert [document.text[h.start : h.end] for h in document.headings] == ["Title\n=====", "## Part two ##"]


def test_html_keeps_blocks_and_drops_what_is_not_text() -> None:
    page = b"""<!doctype html><html><head><title>T</title><style>p{}</style></head><body><nav>Home</nav>
    <h1>Return <em>policy</em></h1><p>Goods go back
    within <b>30</b>&nbsp;days.</p><script>alert(1)</script><!-- hidden --><ul><li>new</li><li>used</li></ul>
    <pre>a\n  b</pre></body></html>"""
    document = read_document("page.html", page)
    assert document.media_type == HTML
    assert document.text == "Return policy\n\nGoods go back within 30 days.\n\nnew\nused\n\na\n  b"
    (heading,) = document.headings
    assert (heading.level, heading.title, document.text[heading.start : heading.end]) == (1, *["Return policy"] * 2)


def test_a_page_under_the_name_of_a_word_file_is_read_as_a_page() -> None:
    document = read_document("old.docx", b"\xef\xbb\xbf\n<html><h1>Fares</h1><p>Two euros.</html>")
    assert (document.media_type, document.text) == (HTML, "Fares\n\nTwo euros.")


def test_a_text_about_pdf_is_no_pdf() -> None:
    """Any %PDF- in the first kilobyte made a note about the format a damaged PDF."""
    assert read_document("notes.md", b"Each file begins with %PDF-1.7.").media_type == MARKDOWN


def test_a_million_marks_are_read_at_once() -> None:
    """The pattern that cut the closing # of a heading tried every one of them to the end of the line."""
    document = read_document("a.md", b"# " + b"#" * 1_000_000 + b" x #\n## two ##\n")
    assert [heading.title[-2:] for heading in document.headings] == [" x", "wo"]


def test_html_without_a_heading_takes_its_title() -> None:
    document = read_document("p.htm", b"<title>Delivery &amp; costs</title><p>Free.")
    assert document.text == "Delivery & costs\n\nFree."
    assert document.headings[0].title == "Delivery & costs"


def test_html_in_the_charset_that_it_declares() -> None:
    page = '<meta charset="windows-1251"><p>Гарантия три года</p>'.encode("windows-1251")
    assert read_document("p.html", page).text == "Гарантия три года"


def test_html_nested_deeper_than_pythons_stack() -> None:
    assert read_document("deep.html", b"<div>" * 5000 + b"bottom").text == "bottom"


MARKUP = st.sampled_from(
    ["<p>", "</p>", "<![", "<!--", "-->", "<h2>", "</h2>", "<pre>", "<td>", "&amp;", "<?", "<!DOCTYPE "]
)


@given(st.lists(st.one_of(MARKUP, st.text(max_size=8))).map("".join))
def test_html_never_fails_otherwise_than_by_saying_so(markup: str) -> None:
    try:
        document = read_document("x.html", ("<p>" + markup).encode("utf-8", "replace"))
    except InputError:
        return
    assert all(document.text[h.start : h.end].strip() for h in document.headings)


def test_pdf_pages_are_spans_of_the_text(make_pdf: MakePdf) -> None:
    document = read_document("a.pdf", make_pdf("First page.\nSecond line.", "", "Third page."))
    assert document.media_type == PDF
    assert [number for number, _, _ in document.pages] == [1, 2, 3]
    assert [document.text[start:end] for _, start, end in document.pages] == [
        "First page.\nSecond line.",
        "",
        "Third page.",
    ]
    assert document.pages_without_text == (2,)
    assert document.page_at(document.text.index("Second")) == 1
    assert document.page_at(document.text.index("Third")) == 3


def test_pdf_is_known_by_its_bytes(make_pdf: MakePdf) -> None:
    assert read_document("download", make_pdf("Some words.")).media_type == PDF


@pytest.mark.parametrize(
    ("name", "data", "remedy"),
    [
        ("empty.txt", b"", "give a file that holds text"),
        ("blank.txt", b" \n\t ", "give a file that does"),
        ("photo.txt", bytes(range(256)) * 20, "convert it"),
        ("nul.txt", b"text with a\x00nul", "convert it"),
        ("letter.docx", b"PK\x03\x04 something", "download it again"),
        ("letter.docx", b"PK\x03\x04 word/document.xml, cut off", "download it again"),
        ("letter.docx", b"Dear madam", "save it anew"),
        ("letter.txt", b"PK\x03\x04 something", "unpack it"),
        ("letter.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 Word", "save it as .docx"),
        (
            "letter.docx",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "without one",
        ),
        ("letter.rtf", b"{\\rtf1 Dear madam}", "convert it"),
        ("letter.txt", b"{\\rtf1 Dear madam}", "convert it"),
        ("letter.eml", b"Dear madam, it is raining.", "save it as .txt"),
        ("photo.png", b"\x89PNG", "convert it"),
        ("odd.html", b"<p>x<![foo[bar]]>y", "save the page anew"),
        ("cut.pdf", b"%PDF-1.4\n1 0 obj\n<<", "download it again"),
        ("fake.pdf", b"this was never a PDF", "download it again"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_remedy(name: str, data: bytes, remedy: str) -> None:
    with pytest.raises(InputError, match=remedy) as caught:
        read_document(name, data)
    assert str(caught.value).startswith(name)
    assert "\n" not in str(caught.value)


def test_pdf_with_a_password(make_pdf: MakePdf) -> None:
    with pytest.raises(InputError, match="password"):
        read_document("secret.pdf", make_pdf("Secret.", password="open sesame"))


def test_pdf_of_scans_only_names_ocr(make_pdf: MakePdf) -> None:
    with pytest.raises(InputError, match="any of its 2 pages; run it through OCR"):
        read_document("scan.pdf", make_pdf("", ""))


@pytest.mark.parametrize("cut", range(20, 900, 110))
def test_pdf_cut_anywhere_is_read_or_refused(make_pdf: MakePdf, cut: int) -> None:
    try:
        outcome = read_document("cut.pdf", make_pdf("Some words on a page.")[:cut]).text
    except InputError as error:
        outcome = str(error)
    assert "Some words on a page." in outcome or "cut.pdf" in outcome
