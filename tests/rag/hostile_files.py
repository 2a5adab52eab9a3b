"""Files made to do harm, or spoilt by it: each with its name, its bytes, and what must become of it.

`expected` is what the reason of the refusal holds, or, after "text: ", what the text holds that was read nevertheless.
"""

import base64
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import NamedTuple

from .test_archive import packed

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
P = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
X = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {two} "{f"&{one};" * 10}">' for one, two in zip("abcdefgh", "bcdefghi", strict=True))
    + "]>"
)
OUTSIDE = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'


class Hostile(NamedTuple):
    name: str
    data: bytes
    expected: str


def pdf(*objects: str, root: int = 1, more: str = "") -> bytes:
    """A PDF file of the objects, numbered from 1, with a table of where each stands."""
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + body.encode("latin-1") + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root {root} 0 R {more} >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)


CATALOG = "<< /Type /Catalog /Pages 2 0 R >>"
FONT = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"


def page(contents: str = "4 0 R", resources: str = "/Font << /F 5 0 R >>") -> str:
    return f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents {contents} /Resources << {resources} >> >>"


def stream(body: str, keys: str = "") -> str:
    return f"<< /Length {len(body)} {keys} >>\nstream\n{body}\nendstream"


HELLO = stream("BT /F 12 Tf 20 200 Td (Hello there.) Tj ET")
ONE_PAGE = (CATALOG, "<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page(), HELLO, FONT)


def office(main: str, body: str, *parts: tuple[str, bytes]) -> bytes:
    return packed(("[Content_Types].xml", b"<Types/>"), (main, body.encode()), *parts)


def docx(body: str, before: str = "", *parts: tuple[str, bytes]) -> bytes:
    return office("word/document.xml", f"{before}<w:document {W}><w:body>{body}</w:body></w:document>", *parts)


def paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def xlsx(sheet: str, strings: str = "") -> bytes:
    book = f'<workbook {X} {R}><sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>'
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"
    links = (
        f'<Relationships xmlns="{relations}"><Relationship Id="rId1" Type="{kind}worksheet" '
        f'Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="{kind}sharedStrings" '
        f'Target="sharedStrings.xml"/></Relationships>'
    )
    main = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    types = (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{main}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{main}.worksheet+xml"/>'
        f'<Override PartName="/xl/sharedStrings.xml" ContentType="{main}.sharedStrings+xml"/></Types>'
    )
    root = (
        f'<Relationships xmlns="{relations}"><Relationship Id="rId1" Type="{kind}officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>'
    )
    return packed(
        ("[Content_Types].xml", types.encode()),
        ("_rels/.rels", root.encode()),
        ("xl/workbook.xml", book.encode()),
        ("xl/_rels/workbook.xml.rels", links.encode()),
        ("xl/worksheets/sheet1.xml", f"<worksheet {X}><sheetData>{sheet}</sheetData></worksheet>".encode()),
        ("xl/sharedStrings.xml", (strings or f"<sst {X}/>").encode()),
    )


def epub(root: str = "book.opf", spine: int = 1, chapter: str = "<p>Chapter one.</p>", before: str = "") -> bytes:
    container = f'{before}<container><rootfiles><rootfile full-path="{root}"/></rootfiles></container>'
    opf = '<package><manifest><item id="a" href="a.html"/><item id="up" href="../../../../etc/passwd"/></manifest>'
    read = '<itemref idref="a"/>' * spine
    opf += f'<spine>{read}<itemref idref="up"/></spine></package>'
    return packed(
        ("mimetype", b"application/epub+zip"),
        ("META-INF/container.xml", container.encode()),
        ("book.opf", opf.encode()),
        ("a.html", f"<html><body>{chapter}</body></html>".encode()),
    )


def lying(data: bytes, size: int) -> bytes:
    """The zip file whose directory states another size of its first file."""
    changed = bytearray(data)
    struct.pack_into("<I", changed, changed.index(b"PK\x01\x02") + 24, size)
    return bytes(changed)


def linked() -> bytes:
    """A zip file with a symbolic link in it, as `zip --symlinks` makes it."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        entry = zipfile.ZipInfo("link.txt")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(entry, "../../../etc/passwd")
    return out.getvalue()


def overlapping(times: int) -> bytes:
    """One compressed file to which every entry of the directory points (Fifield, "A better zip bomb", 2019)."""
    data = packed(("a.txt", b"0" * 1_000_000))
    place = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    entry = data[place:end]
    tail = bytearray(data[end:])
    struct.pack_into("<HHI", tail, 8, times, times, len(entry) * times)
    return data[:place] + entry * times + bytes(tail)


def texts() -> Iterator[Hostile]:
    yield Hostile("empty.txt", b"", "is empty")
    yield Hostile("blank.txt", b" \n\t\r\n " * 1000, "holds no text")
    yield Hostile("mark.txt", b"\xef\xbb\xbf", "holds no text")
    yield Hostile("nul.txt", b"some\x00words", "is binary")
    yield Hostile("nuls.md", bytes(1 << 20), "is binary")
    yield Hostile("random.txt", zlib.compress(bytes(range(256)) * 999), "is binary")
    yield Hostile("line.txt", b"x" * (100 << 20), "split it")
    yield Hostile("bells.txt", b"\x07\x1b[2J" * 500, "is binary")
    yield Hostile("escape.txt", b"Words. " * 200 + b"\x1b]0;owned\x07", "text: Words.")
    yield Hostile("half.txt", b"\xff\xfeh\x00i", "is binary")
    yield Hostile("surrogate.txt", b"\xff\xfeh\x00\x00\xd8i\x00", "is binary")
    yield Hostile("overlong.txt", b"caf\xc0\xaf and more words, caf\xe9 and caf\xe9", "text: caf")
    yield Hostile("bidi.txt", "Pay \u202e100\u202c euros.\u2066".encode(), "text: Pay")
    yield Hostile("wide.txt", b"\xff\xfe\x00\x00\xff\xff\xff\xff", "is binary")
    yield Hostile("marks.txt", ("e" + "\u0301" * 50_000).encode(), "text: e")
    yield Hostile("hashes.md", b"# " + b"#" * 300_000 + b" a", "text: #")
    yield Hostile("quotes.md", b">" * 100_000 + b" a", "text: >")
    yield Hostile("fences.md", b"```\n~~~\n" * 20_000 + b"a", "text: a")


def webs() -> Iterator[Hostile]:
    yield Hostile(
        "script.html",
        b"<p>Safe words.</p><script>document.write('evil')</script><img src=x onerror=alert(1)>"
        b"<iframe src=file:///etc/passwd></iframe><meta http-equiv=refresh content='0;url=http://evil.example'>",
        "text: Safe words.",
    )
    yield Hostile("deep.html", b"<div>" * 20_000 + b"deep", "text: deep")
    yield Hostile("open.html", b"<b " * 50_000 + b">x", "text: x")
    yield Hostile("comment.html", b"<p>seen</p><!-- never ended " + b"-" * 100_000, "text: seen")
    yield Hostile("marked.html", b"<html><![foo", "text: <![foo")
    yield Hostile("references.html", b"<p>" + b"&#x110000;&bogus;&amp" * 20_000, "text: &")
    for charset in ("punycode", "idna", "undefined", "zlib_codec", "rot13", "../../x", "x" * 500):
        head = f'<meta charset="{charset}">'.encode()
        yield Hostile(f"{charset[:9].replace('/', '-')}.html", head + b"<p>caf\xe9 " + b"word \xe9" * 4000, "text: caf")
    yield Hostile("page.xls", b"<html><p>A table.</p></html>", "are not read")
    yield Hostile("image.svg", b"<svg><script>alert(1)</script></svg>", "are not read")


def tables() -> Iterator[Hostile]:
    yield Hostile("wide.csv", b"a," * 1_000_000 + b"b", "text: a | a")
    yield Hostile("named.csv", ",".join(f"c{n}" for n in range(100_000)).encode() + b"\n1,2", "text: c0: 1; c1: 2")
    yield Hostile("quote.csv", b'a,b\n"never closed' + b",x\n" * 50_000, "text: never closed")
    yield Hostile("formula.csv", b"name,sum\nx,\"=cmd|' /C calc'!A0\"\n", "text: =cmd|")
    yield Hostile("nul.csv", b"a,b\n\x00,1\n", "is binary")
    yield Hostile("laughs.xlsx", xlsx("", f"{LAUGHS}<sst {X}><si><t>&i;</t></si></sst>"), "is damaged or no XLSX file")
    yield Hostile(
        "corner.xlsx",
        xlsx('<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>far</t></is></c></row>'),
        "text: far",
    )
    yield Hostile("number.xlsx", xlsx('<row r="1"><c r="A1"><v>1e999999</v></c></row>'), "text: inf")


def books() -> Iterator[Hostile]:
    yield Hostile("laughs.docx", docx(paragraph("&i;"), LAUGHS), "XML entities")
    yield Hostile("outside.docx", docx(paragraph("&e;"), OUTSIDE), "XML entities")
    yield Hostile("bomb.docx", lying(docx(paragraph("a")), 900 << 20), "unpacks to over")
    lie = lying(packed(("word/document.xml", b"<a>" + b" " * 9_000_000 + b"</a>")), 10)
    yield Hostile("lie.docx", lie, "is damaged")
    yield Hostile("blanks.docx", docx(paragraph(" " * 10_000_000) + paragraph("end")), "text: end")
    yield Hostile("deep.docx", docx("<w:sdt>" * 50_000 + "</w:sdt>" * 50_000), "cannot be read")
    table = "<w:tbl><w:tr><w:tc>" * 60 + paragraph("in") + "</w:tc></w:tr></w:tbl>" * 60
    yield Hostile("tables.docx", docx(table), "text: in")
    yield Hostile("cut.docx", docx(paragraph("a" * 999))[:-40], "is damaged")
    yield Hostile("hollow.docx", packed(("x.xml", b"<a/>")), "lacks its main part")
    outside = (("../../evil.sh", b"rm"), ("/abs", b"x"))
    yield Hostile("names.docx", docx(paragraph("Plain."), "", *outside), "text: Plain.")
    yield Hostile("macro.docm", docx(paragraph("Macros."), "", ("word/vbaProject.bin", b"\xd0\xcf")), "text: Macros.")
    yield Hostile("cycle.docx", docx(paragraph("Styles."), "", ("word/styles.xml", _styles())), "text: Styles.")
    yield Hostile("slides.pptx", _slides(500), "text: Again.")
    yield Hostile("passwd.epub", epub("../../../../etc/passwd"), "is damaged")
    yield Hostile("repeat.epub", epub(spine=300, chapter="<p>" + "long " * 8000), "split it")
    yield Hostile("up.epub", epub(), "text: Chapter one.")
    yield Hostile("laughs.epub", epub(before=LAUGHS), "XML entities")


def _styles() -> bytes:
    style = '<w:style w:styleId="{}"><w:basedOn w:val="{}"/></w:style>'
    return f"<w:styles {W}>{style.format('A', 'B')}{style.format('B', 'A')}</w:styles>".encode()


def _slides(times: int) -> bytes:
    """A presentation that shows one slide many times, which is its own notes as well."""
    listed = '<p:sldId r:id="a"/>' * times
    relation = '<Relationships><Relationship Id="a" Target="slides/s.xml"/></Relationships>'
    itself = '<Relationships><Relationship Id="a" Target="s.xml"/></Relationships>'
    a = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    slide = f"<p:sld {P} {a}><p:sp><a:p><a:t>Again.</a:t></a:p></p:sp></p:sld>"
    return packed(
        ("ppt/presentation.xml", f"<p:presentation {P} {R}>{listed}</p:presentation>".encode()),
        ("ppt/_rels/presentation.xml.rels", relation.encode()),
        ("ppt/slides/s.xml", slide.encode()),
        ("ppt/slides/_rels/s.xml.rels", itself.encode()),
    )


def pdfs(make_pdf: Callable[..., bytes]) -> Iterator[Hostile]:
    whole = make_pdf("One line of words.", "Two.")
    yield Hostile("start.pdf", whole[:200], "is damaged")
    yield Hostile("header.pdf", b"%PDF-1.7\n", "is damaged")
    yield Hostile("locked.pdf", make_pdf("Secret.", password="x"), "protected by a password")
    yield Hostile("not.pdf", b"just words", "is damaged")
    yield Hostile("pdf.txt", whole, "text: One line")
    yield Hostile("cycle.pdf", pdf(CATALOG, "<< /Type /Pages /Kids [2 0 R] /Count 1 >>"), "no text on any")
    two = "<< /Type /Pages /Parent 2 0 R /Kids [2 0 R] /Count 1 >>"
    yield Hostile("ring.pdf", pdf(CATALOG, "<< /Type /Pages /Kids [3 0 R] /Count 9 >>", two), "no text on any")
    many = "<< /Type /Pages /Kids [3 0 R] /Count 2000000000 >>"
    yield Hostile("count.pdf", pdf(CATALOG, many, page(), HELLO, FONT), "text: Hello there.")
    minus = "<< /Type /Pages /Kids [3 0 R] /Count -5 >>"
    yield Hostile("minus.pdf", pdf(CATALOG, minus, page(), HELLO, FONT), "text: Hello there.")
    same = f"<< /Type /Pages /Kids [{'3 0 R ' * 2000}] /Count 2000 >>"
    yield Hostile("same.pdf", pdf(CATALOG, same, page(), HELLO, FONT), "text: Hello there.")
    yield Hostile("previous.pdf", pdf(*ONE_PAGE, more="/Prev 9"), "text: Hello there.")
    form = stream("/X Do", "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 4 0 R >> >>")
    itself = page(resources="/XObject << /X 4 0 R >>")
    yield Hostile("form.pdf", pdf(CATALOG, ONE_PAGE[1], itself, form), "no text on any")
    bomb = zlib.compress(b"0 0 m " * 5_000_000).decode("latin-1")
    yield Hostile("flate.pdf", pdf(*ONE_PAGE[:3], stream(bomb, "/Filter /FlateDecode"), FONT), "no text on any")
    twice = zlib.compress(zlib.compress(bytes(30 << 20))).decode("latin-1")
    filters = "/Filter [/FlateDecode /FlateDecode]"
    yield Hostile("twice.pdf", pdf(*ONE_PAGE[:3], stream(twice, filters), FONT), "no text on any")
    yield Hostile("brackets.pdf", pdf(CATALOG, ONE_PAGE[1], page("[" * 100_000), HELLO, FONT), "no text on any")
    script = "/AA << /WC << /S /JavaScript /JS (app.alert(1)) >> >>"
    act = f"<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /Launch /F (/bin/sh) >> {script} >>"
    yield Hostile("launch.pdf", pdf(act, *ONE_PAGE[1:]), "text: Hello there.")


def letters() -> Iterator[Hostile]:
    head = b"From: a@example.org\r\nSubject: Hello\r\n"
    nested = head + b"\r\nWords.\r\n"
    for _ in range(60):
        nested = head + b"Content-Type: message/rfc822\r\n\r\n" + nested
    yield Hostile("nested.eml", nested, "text: Hello")
    parts = b"--b\r\n\r\nPart.\r\n" * 2_000
    yield Hostile("parts.eml", head + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + parts, "text: Part.")
    yield Hostile("boundary.eml", head + b"Content-Type: multipart/mixed\r\n\r\nno boundary", "text: Hello")
    yield Hostile("long.eml", head + b"X: " + b"y" * 2_000_000 + b"\r\n\r\nShort.", "text: Short.")
    attached = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\n\r\nSee it.\r\n--b\r\nContent-Type: application/x-sh\r\n"
        b'Content-Disposition: attachment; filename="../../evil.sh"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    )
    yield Hostile("attached.eml", head + attached + base64.b64encode(b"rm -rf") + b"\r\n--b--", "text: See it.")
    yield Hostile(
        "headers.eml", b"Subject: " + b"=?utf-8?q?" + b"=C3" * 5_000 + b"?=\r\nFrom: <<<@@\r\n\r\nBody.", "text: Body."
    )


def archives() -> Iterator[Hostile]:
    inner = packed(("a.txt", b"0" * 1000))
    for _ in range(5):
        inner = packed(*[(f"{n}.zip", inner) for n in range(3)])
    yield Hostile("nested.zip", inner, "archive within an archive")
    yield Hostile("ratio.zip", packed(("a.txt", bytes(150 << 20))), "times its size")
    yield Hostile("count.zip", packed(*[(f"{n}.txt", b"x") for n in range(10_001)]), "10,001 files")
    yield Hostile("overlap.zip", overlapping(900), "times its size")
    yield Hostile("size.zip", lying(packed(("a.txt", b"a" * 999)), 5), "is damaged")
    yield Hostile("link.zip", linked(), "is a link")
    for number, name in enumerate(("../../up.txt", "/etc/abs.txt", "C:/drive.txt", "a\\..\\..\\b.txt")):
        yield Hostile(f"names-{number}.zip", packed((name, b"out")), "leads out")
    yield Hostile("cut.zip", packed(("a.txt", b"a" * 999))[:100], "is damaged")
    yield Hostile("junk.zip", b"PK\x03\x04" + bytes(1000), "is damaged")
    yield Hostile("zip.pdf", packed(("a.txt", b"Zipped words.")), "text: Zipped words.")


def names() -> Iterator[Hostile]:
    yield Hostile("../../etc/cron.txt", b"Words in cron.", "text: Words in cron.")
    yield Hostile("/etc/absolute.txt", b"Absolute words.", "text: Absolute words.")
    yield Hostile("a\n\x1b[2J<script>.txt", b"Odd words.", "text: Odd words.")
    yield Hostile(f"{'n' * 5000}.txt", b"Long name.", "text: Long name.")
    yield Hostile("sheet.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "old format")
    yield Hostile("program.exe", b"MZ\x90\x00", "are not read")
    yield Hostile("words.docx", b"just words", "whatever its name says")


GROUPS = {
    "texts": texts,
    "webs": webs,
    "tables": tables,
    "books": books,
    "letters": letters,
    "archives": archives,
    "names": names,
}
