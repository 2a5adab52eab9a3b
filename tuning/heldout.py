"""The rows that an adapter never saw, kept in its folder: every later measurement of it uses these and no others."""

import json
from collections.abc import Sequence
from pathlib import Path

from tuning.adapters import Adapter
from tuning.errors import InputError
from tuning.rows import Row

TEST_ROWS = "test.jsonl"


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """The rows as JSON lines. Escaped to ASCII, so that any text comes back, half of a character too."""
    with path.open("w", encoding="ascii") as file:
        for row in rows:
            record = {
                "id": row.id,
                "messages": row.messages,
                "source": row.source,
                "conversation": row.conversation,
                "task": row.task,
                "kind": row.kind,
                "passages": [dict(passage) for passage in row.passages],
                "answers": row.answers,
                "rejected": row.rejected,
                "good": row.good,
            }
            file.write(json.dumps(record) + "\n")


def held_out(adapter: Adapter) -> list[Row] | None:
    """The adapter's test rows, all of them; None where its folder holds none.

    Raises InputError where the file is broken.
    """
    path = adapter.path / TEST_ROWS
    if not path.is_file():
        return None
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            record = json.loads(line)
            rows.append(
                Row(
                    messages=tuple(record["messages"]),
                    place=f"line {number}",
                    id=record["id"],
                    task=record["task"],
                    source=record["source"],
                    conversation=record.get("conversation"),
                    split="test",
                    passages=tuple(record["passages"]),
                    answers=tuple(record["answers"]),
                    rejected=record.get("rejected"),
                    good=record.get("good"),
                )
            )
        except (ValueError, KeyError, TypeError) as error:
            remedy = "train the adapter anew, or remove the file and do without a measurement"
            raise InputError(f"{path}, line {number}: not a row as training wrote it ({error!r}); {remedy}") from error
    return rows
