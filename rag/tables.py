"""The text of tables (XLSX, CSV, TSV): a paragraph a row, with the names of the columns where the table has some."""

import csv
import datetime
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from typing import Any

from .encodings import decode
from .errors import InputError
from .outline import Outline, Outlined
from .package import Package

_DELIMITERS = ",;\t|"
_LONGEST = 10_000_000  # characters of a cell
_PROBED = 50  # lines


def read_csv(name: str, data: bytes) -> Outlined:
    """A table of text, its delimiter found by which one cuts the first lines alike. Raises InputError."""
    return _delimited(name, decode(name, data), None)


def read_tsv(name: str, data: bytes) -> Outlined:
    """A table whose cells are parted by tabs. Raises InputError."""
    return _delimited(name, decode(name, data), "\t")


def _delimited(name: str, text: str, delimiter: str | None) -> Outlined:
    csv.field_size_limit(_LONGEST)
    lines = text.split("\n")
    outline = Outline()
    try:
        rows = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter or _delimiter(lines))
        _write(outline, ([cell.strip() for cell in row] for row in rows))
    except csv.Error as error:
        raise InputError(f"{name} is no table of text ({error}); save it anew as .csv, or as .txt.") from error
    return outline.finish()


def _delimiter(lines: Sequence[str]) -> str:
    """The one that cuts most of the first lines into as many cells, then the one that cuts into more.

    Before both, the one that leaves the fewest quotation marks in the cells: a wrong one cuts quoted cells apart.
    """

    def fitness(delimiter: str) -> tuple[int, int, int]:
        rows = [row for row in csv.reader([f"{line}\n" for line in lines[:_PROBED]], delimiter=delimiter) if row]
        widths, quotes = [len(row) for row in rows], sum(cell.count('"') for row in rows for cell in row)
        common = max(set(widths), key=widths.count, default=1)
        return (-quotes, widths.count(common), common) if common > 1 else (-quotes, 0, 0)

    return max(_DELIMITERS, key=fitness)


def read_xlsx(name: str, data: bytes) -> Outlined:
    """The sheets of an XLSX file as pages, each under its name as a heading. Raises InputError."""
    import openpyxl  # here: it takes longer than all else that is imported, and most files are no sheets

    package = Package(name, data)  # bounds what unpacks
    try:
        values = openpyxl.load_workbook(BytesIO(data), read_only=True, data_only=True, keep_links=False)
        formulas = openpyxl.load_workbook(BytesIO(data), read_only=True, keep_links=False) if _counts(package) else None
        outline, missing = Outline(), 0
        outline.dated = package.modified()
        for number, sheet in enumerate(values.worksheets, 1):
            outline.page(number)
            shadow = formulas.worksheets[number - 1] if formulas else None
            for each in filter(None, (sheet, shadow)):
                each.reset_dimensions()  # the file's own word for its size may be wrong, or huge
            _sheet(outline, sheet)
            missing += _uncomputed(sheet, shadow) if shadow else 0
    except (InputError, MemoryError):
        raise
    except Exception as error:  # openpyxl lets through whatever the XML leads to
        raise InputError(f"{name} is damaged or no XLSX file; open it and save it anew.") from error
    if missing:
        outline.remarks.append(f"{missing} formulas have no stored value: open and save it in a spreadsheet program")
    return outline.finish()


def _counts(package: Package) -> bool:
    """Whether any sheet has formulas."""
    sheets = (part for part in package.parts if part.startswith("xl/worksheets/") and part.endswith(".xml"))
    return any(b"<f>" in data or b"<f " in data for data in map(package.read, sheets))


def _sheet(outline: Outline, sheet: Any) -> None:
    rows = ([_shown(cell.value, cell.number_format) for cell in row] for row in sheet.iter_rows())
    filled = (row for row in rows if any(row))
    first = next(filled, None)
    if first is not None:
        outline.head(1, str(sheet.title))
        _write(outline, (row for part in ([first], filled) for row in part))


def _uncomputed(values: Any, formulas: Any) -> int:
    pairs = zip(values.iter_rows(values_only=True), formulas.iter_rows(values_only=True), strict=False)
    return sum(
        value is None and isinstance(formula, str) and formula.startswith("=")
        for one, two in pairs
        for value, formula in zip(one, two, strict=False)
    )


def _shown(value: Any, style: str | None) -> str:
    """A cell as a reader of the sheet sees it, or nearly so."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, int | float):
        return f"{value * 100:.12g}%" if style and "%" in style else f"{value:.15g}"
    return " ".join(str(value).split())


def _write(outline: Outline, rows: Iterable[Sequence[str]]) -> None:
    """Titles above the table as they are; then, below what reads as names of columns, "name: cell; ..." a row."""
    remaining = iter(rows)
    head: Sequence[str] = ()
    for row in remaining:
        if sum(map(bool, row)) > 1:
            head = row
            break
        outline.add(" ".join(row))
    named = _is_head(head)
    outline.add(_plain(head))
    for row in remaining:
        outline.add("; ".join(_labelled(head, row)) if named else _plain(row))


def _is_head(row: Sequence[str]) -> bool:
    names = [cell for cell in row if cell]
    return len(names) > 1 and len(set(names)) == len(names) and not any(_is_number(cell) for cell in names)


def _is_number(cell: str) -> bool:
    return cell.strip("€$£% -+").replace(",", "").replace(".", "").isdecimal()


def _plain(row: Sequence[str]) -> str:
    return " | ".join(cell for cell in row if cell)


def _labelled(head: Sequence[str], row: Sequence[str]) -> Iterator[str]:
    for column, cell in enumerate(row):
        if cell:
            name = head[column] if column < len(head) else ""
            yield f"{name}: {cell}" if name else cell
