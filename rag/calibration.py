"""The questions that a floor is chosen from: those of files, or made from the index and taken from the general list."""

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import InputError
from .sentences import sentences
from .terms import terms

if TYPE_CHECKING:  # loads torch
    from .index import Index

GENERAL = Path(__file__).resolve().parent.parent / "data" / "general" / "rows.jsonl"
"""Questions that have nothing to do with anybody's documents."""
MADE = 100
"""Questions that are made of an index at most."""

_KEYS = ("question", "prompt", "text")
_FULL = 6  # words that say something, of a sentence that a question is made of


def read_questions(path: Path) -> list[str]:
    """The different questions of a file: JSON lines or a JSON list of texts or objects, or plain text, one a line.

    Raises InputError for a file without questions or an object without `question`, `prompt` or `text`.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); give a UTF-8 file.") from error
    found = list(dict.fromkeys(question for place, row in _rows(path, text) if (question := _question(place, row))))
    if not found:
        raise InputError(f"{path} holds no questions; write one a line.")
    return found


def made_questions(index: "Index", seed: int = 0) -> list[str]:
    """What people might type who look for a sentence of the index: its headings' words, and every second word of it.

    Half of the words are left out because people seldom ask in a document's own words; their questions are harder yet.
    """
    draw = random.Random(seed)
    with index.store.snapshot() as snapshot:
        ids = snapshot.chunk_ids().tolist()
        chunks = snapshot.chunks(draw.sample(ids, min(len(ids), MADE)))
    found = []
    for stored in chunks:
        text = stored.chunk.text
        said = [terms(text[start:end]) for start, end in sentences(text)]
        whole = [(span, words) for span, words in zip(sentences(text), said, strict=True) if len(words) >= _FULL]
        if whole:
            (start, _), words = draw.choice(whole)
            title = stored.chunk.heading.rsplit(" > ", 1)[-1]
            kept = [text[start + term.start : start + term.end] for term in words[draw.randrange(2) :: 2]]
            found.append(" ".join([title, *kept]).strip())
    return list(dict.fromkeys(found))


def _rows(path: Path, text: str) -> list[tuple[str, Any]]:
    if text.lstrip().startswith("["):
        try:
            return [(f"{path}, item {number}", row) for number, row in enumerate(json.loads(text), 1)]
        except ValueError as error:
            raise InputError(f"{path} is not JSON ({error}); give a list of questions.") from error
    rows: list[tuple[str, Any]] = []
    for number, line in enumerate(text.splitlines(), 1):
        place = f"{path}:{number}"
        try:
            rows.append((place, json.loads(line) if line.lstrip().startswith("{") else line))
        except ValueError as error:
            raise InputError(f"{place} is not JSON ({error}); give one object a line.") from error
    return rows


def _question(place: str, row: Any) -> str:
    if isinstance(row, dict):
        row = next((row[key] for key in _KEYS if key in row), None)
    if not isinstance(row, str):
        raise InputError(f"{place} has no question; name it `question`, `prompt` or `text`.")
    return row.strip()
