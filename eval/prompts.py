"""A file of prompts for a campaign: one a line of text, or the `question` or `prompt` of any table of records."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.comparison import LONGEST_QUESTION
from eval.errors import InputError
from eval.vote_rules import is_key
from tuning.rowfiles import READERS, Broken

NAMES = ("question", "prompt", "text")
"""Fields that may hold the prompt, the first that is there."""
TASKS = ("task", "topic", "kind")
"""Fields that may say what the prompt is about, or what kind of one it is; the first that says something."""
ENDINGS = (".txt", *READERS)
MOST = 10_000


@dataclass(frozen=True)
class Prompt:
    """One question to be rated."""

    id: str
    question: str
    task: str = ""
    """Its topic or kind, by which results are grouped; empty where the file names none."""


def read_prompts(path: Path) -> list[Prompt]:
    """The prompts of a file, by its ending: a table, or else a prompt a line. InputError names line and remedy."""
    try:
        if path.suffix.lower() in READERS:
            return collect(READERS[path.suffix.lower()](path), path.name)
        return lines_of(path.read_text(encoding="utf-8-sig"), path.name)
    except Broken as error:
        raise InputError(f"{path.name}, {error}.") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(
            f"{path} cannot be read ({reason}); give prompts as UTF-8 in one of {', '.join(ENDINGS)}."
        ) from error


def lines_of(text: str, name: str) -> list[Prompt]:
    """A prompt a line. `name` is for complaints."""
    lines = enumerate(text.split("\n"), 1)
    return collect(((f"line {number}", {"question": line}) for number, line in lines if line.strip()), name)


def collect(records: Iterable[tuple[str, Mapping[str, Any]]], name: str) -> list[Prompt]:
    """The prompts of records with their places. They may have an `id`; the others are numbered by their questions.

    The same question twice is one prompt.
    """
    found: dict[str, Prompt] = {}
    questions: set[str] = set()
    for place, record in records:
        prompt = _prompt(record, f"{name}, {place}", len(questions) + 1)
        if prompt.question in questions:
            continue
        if prompt.id in found:
            raise InputError(f"{name}, {place}: the id {prompt.id!r} is there twice; give each prompt its own.")
        questions.add(prompt.question)
        found[prompt.id] = prompt
        if len(found) > MOST:
            raise InputError(f"{name} holds more than {MOST} prompts; rate fewer in one campaign.")
    if not found:
        raise InputError(f"{name} holds no prompt; write one a line.")
    return list(found.values())


def _prompt(record: Mapping[str, Any], place: str, number: int) -> Prompt:
    field = next((name for name in NAMES if name in record), None)
    if field is None:
        raise InputError(f"{place}: there is no field question or prompt; name the column of the prompts so.")
    question = record[field]
    if not isinstance(question, str) or not question.strip():
        raise InputError(f"{place}: the {field} is empty; remove the line or write it.")
    question = question.strip()
    if len(question) > LONGEST_QUESTION:
        raise InputError(f"{place}: the {field} has {len(question)} characters; shorten it to {LONGEST_QUESTION}.")
    if any("\ud800" <= character <= "\udfff" for character in question):
        raise InputError(f"{place}: the {field} holds half of a character; save the file as UTF-8 again.")
    name = str(record.get("id") or f"{number:04d}")
    if not is_key(name):
        raise InputError(f"{place}: the id has more than 200 characters or some that cannot be printed; shorten it.")
    return Prompt(name, question, _task(record, place))


def _task(record: Mapping[str, Any], place: str) -> str:
    field = next((name for name in TASKS if str(record.get(name) or "").strip()), "")
    task = str(record[field]).strip() if field else ""
    if task and not is_key(task):
        raise InputError(
            f"{place}: the {field} has more than 200 characters or some that cannot be printed; shorten it."
        )
    return task
