"""What is asked and answered in the rows of a training file, whichever of the usual layouts they have."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import InputError

_QUESTIONS = ("prompt", "instruction", "question")
_INPUTS = ("input", "context")
_ANSWERS = ("response", "output", "completion", "answer", "chosen")

Record = dict[str, Any]


def read_rows(path: Path) -> list[tuple[str, Record]]:
    """Place and content of each row of a JSONL file. Raises InputError where it cannot be read."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); give rows as JSON lines in UTF-8.") from error
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        place = f"{path}:{number}"
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{place} is not JSON ({error}); give one JSON object a line.") from error
        if not isinstance(record, dict):
            raise InputError(f"{place} is not a JSON object; give one a line.")
        if record.get("passages"):
            raise InputError(f"{place} has passages already; take them out first, or train on the rows as they are.")
        rows.append((place, record))
    if not rows:
        raise InputError(f"{path} has no rows; give at least one JSON object a line.")
    return rows


def question_of(record: Mapping[str, Any], place: str) -> str:
    """What the row asks: its last user turn, or its prompt with what stands beside it."""
    field = next((name for name in _QUESTIONS if name in record), "")
    turns = _turns(record) or record.get(field)
    if isinstance(turns, list):
        question = _last(turns, ("user", "human"))
    else:
        parts = [record.get(name) for name in (field, *_INPUTS)]
        question = "\n".join(part for part in parts if isinstance(part, str) and part.strip())
    if not question.strip():
        raise InputError(f"{place} has no question; give it a `prompt`, or `messages` with a user turn.")
    return question


def answer_of(record: Mapping[str, Any]) -> str:
    """The row's last answer; empty where it has none."""
    answer = _turns(record) or next((record[name] for name in _ANSWERS if name in record), "")
    return _last(answer, ("assistant", "gpt")) if isinstance(answer, list) else str(answer or "")


def answers_of(record: Mapping[str, Any]) -> list[str]:
    """The row's accepted short answers."""
    answers = record.get("answers")
    if isinstance(answers, Mapping):  # as SQuAD has them
        answers = answers.get("text")
    return [str(answer) for answer in (answers if isinstance(answers, list) else [answers]) if answer not in (None, "")]


def _turns(record: Mapping[str, Any]) -> Any:
    return record.get("messages") or record.get("conversations")


def _last(turns: list[Any], roles: tuple[str, ...]) -> str:
    for turn in reversed(turns):
        if isinstance(turn, Mapping) and turn.get("role", turn.get("from")) in roles:
            return str(turn.get("content", turn.get("value")) or "")
    return ""
