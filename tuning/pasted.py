"""Text that somebody pasted, or that a pipe brought -> a file of rows, of the kind that it looks like."""

import json
from pathlib import Path

from tuning.errors import InputError

NAME = "pasted"


def write_pasted(text: str, folder: Path) -> Path:
    """A new file in `folder` that holds the text: JSON, an object a line, or a table with a line of column names.

    Raises InputError if there is nothing but white space in it.
    """
    if not text.strip():
        raise InputError("the pasted text is empty; paste rows, an object a line or a table with column names")
    path = folder / f"{NAME}{_ending(text.strip())}"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


def _ending(text: str) -> str:
    if text.startswith("["):
        return ".json"
    if text.startswith("{"):
        return ".jsonl" if _stands_alone(text.split("\n", 1)[0]) or not _stands_alone(text) else ".json"
    return ".tsv" if "\t" in text.split("\n", 1)[0] else ".csv"


def _stands_alone(text: str) -> bool:
    """Whether it is a JSON value by itself."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
