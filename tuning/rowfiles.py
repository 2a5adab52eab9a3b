"""The bytes of a data file -> its records, each with the place where it stands, so that every complaint can name it."""

import csv
import importlib
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

FORMATS = '{"prompt", "response"}, {"messages"}, {"instruction", "input", "output"} or {"conversations"}'
LIST_FIELDS = ("messages", "conversations", "passages", "answers")


class Broken(ValueError):
    """`PLACE: what is wrong; remedy`, to which the file's name is put in front."""


Records = Iterator[tuple[str, Mapping[str, Any]]]


def _text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8-sig")


def json_value(text: str, place: Callable[[json.JSONDecodeError | None], str]) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        cure = (
            "name the file .jsonl if it has an object a line" if error.msg == "Extra data" else "correct or remove it"
        )
        raise Broken(f"{place(error)}: not JSON ({error.msg}, column {error.colno}); {cure}") from error
    except (RecursionError, ValueError) as error:  # nested or with digits beyond what Python reads
        raise Broken(f"{place(None)}: JSON too deep or with a number too long; simplify it") from error


def _jsonl(path: Path) -> Records:
    # Only a line feed ends a line: str.splitlines would also cut at U+2028, which JSON allows inside a text.
    for number, line in enumerate(_text_of(path).split("\n"), 1):
        if line.strip():
            place = f"line {number}"
            yield place, mapping(json_value(line, lambda _, place=place: place), place)  # type: ignore[misc]


def _json(path: Path) -> Records:
    text = _text_of(path)
    value = json_value(text, lambda error: f"line {error.lineno if error else 1}")
    lines = _item_lines(text) if isinstance(value, list) and "\n" in text.strip() else iter(())
    if isinstance(value, Mapping):
        # {"data": [...]} is a list with a name around it, unless the list is the turns of one single row.
        lists = [items for field, items in value.items() if isinstance(items, list) and field not in LIST_FIELDS]
        value = lists[0] if len(value) == len(lists) == 1 else [value]
    if not isinstance(value, list):
        raise Broken(f"line 1: a list of objects is needed, this is {kind(value)}; write [{{...}}, {{...}}]")
    for number, record in enumerate(value, 1):
        line = next(lines, None)
        place = f"row {number}" if line is None else f"row {number}, line {line}"
        yield place, mapping(record, place)


def _item_lines(text: str) -> Iterator[int]:
    """The line on which each item of a JSON list begins, which is sound."""
    decoder, separator = json.JSONDecoder(), re.compile(r"[\s,]*")
    at, line = text.index("[") + 1, 1
    counted = 0
    while True:
        at = separator.match(text, at).end()  # type: ignore[union-attr]
        if text[at] == "]":
            return
        line, counted = line + text.count("\n", counted, at), at
        yield line
        at = decoder.raw_decode(text, at)[1]


def _table(path: Path) -> Records:
    whole = _text_of(path)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter(whole.lstrip().split("\n", 1)[0])
    reader = csv.reader(io.StringIO(whole, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    start = 1
    try:
        for cells in reader:
            place, start = f"line {start}", reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [cell.strip() for cell in cells]
                if twice := next((name for name in header if header.count(name) > 1), None):
                    raise Broken(f"{place}: two columns are called {twice!r}; rename one of them")
                continue
            if len(cells) != len(header):
                cure = "put text that has commas or line breaks in double quotes"
                raise Broken(f"{place}: {len(cells)} cells under {len(header)} column names; {cure}")
            yield place, {name: _cell(name, cell, place) for name, cell in zip(header, cells, strict=True)}
    except csv.Error as error:
        raise Broken(f"line {reader.line_num}: {error}; check the double quotes and the length of the cell") from error


def _delimiter(header: str) -> str:
    """Spreadsheets of many countries part the cells of a CSV file by semicolons."""
    return "," if "," in header else next((mark for mark in ";\t" if mark in header), ",")


def _cell(name: str, cell: str, place: str) -> Any:
    """A CSV cell; the columns that hold a list hold it as JSON."""
    if name in LIST_FIELDS and cell.strip():
        return json_value(cell, lambda _: f"{place}, column {name}")
    return cell


def _parquet(path: Path) -> Records:
    parquet, arrow = importlib.import_module("pyarrow.parquet"), importlib.import_module("pyarrow")
    try:
        with path.open("rb") as file:
            records = parquet.read_table(file).to_pylist()
    except arrow.ArrowException as error:
        raise Broken(f"row 1: not a readable Parquet file ({str(error).splitlines()[0]}); write it anew") from error
    for number, record in enumerate(records, 1):
        yield f"row {number}", record


READERS: dict[str, Callable[[Path], Records]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _json,
    ".csv": _table,
    ".tsv": _table,
    ".parquet": _parquet,
}


def mapping(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Broken(f"{place}: an object is needed, this is {kind(value)}; write {FORMATS}")
    return value


def kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), f"the number {value}" if isinstance(value, int | float) else type(value).__name__)
