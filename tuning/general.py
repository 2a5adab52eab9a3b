"""The general rows that come with the program: one half is replayed in training, the other shows what was forgotten."""

from pathlib import Path

from tuning.rows import Row, read_rows

GENERAL = Path(__file__).resolve().parent.parent / "data" / "general" / "rows.jsonl"


def replayed_rows(path: Path = GENERAL) -> list[Row]:
    """The rows that may be mixed into training: the file's training rows, or all where it names no splits."""
    rows = read_rows(path)
    return [row for row in rows if row.split == "train"] if any(row.split for row in rows) else rows


def forgetting_rows(path: Path = GENERAL) -> list[Row]:
    """The rows that show what an adapter forgot: the file's test rows, or all of them where it names no test rows."""
    rows = read_rows(path)
    return [row for row in rows if row.split == "test"] or rows
