"""What somebody chooses on the page, table by table -> the recipe that the run is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuning.errors import InputError
from tuning.hubrows import PREFIX, fetch
from tuning.pasted import write_pasted
from tuning.recipe import Recipe, Table
from tuning.rows import first_records, read_rows
from tuning.templates import GALLERY

SAMPLE = Path(__file__).resolve().parent.parent / "data" / "samples" / "rows.jsonl"
SOURCES = ("Sample rows", "My files", "Pasted text", "Hub data set")
RECOGNISED, CHOSEN, OWN = "As they are", "By columns", "Own template"
READINGS = (RECOGNISED, CHOSEN, *(f"Template: {name}" for name in GALLERY), OWN)
"""How a table is read."""
MOST_TABLES = 6
LOOKED_AT = 50
"""Records of a table whose columns are offered."""

QUESTION_WORDS = ("question", "prompt", "instruction", "query", "input", "text", "title")
ANSWER_WORDS = ("answer", "response", "output", "reply", "completion", "summary", "label", "target")


@dataclass(frozen=True)
class Slot:
    """How one table is read and how much of the training it makes up, as the page says it."""

    reading: str = RECOGNISED
    question: str = ""
    """Columns that hold the question, the answer and the source, where these are chosen."""
    answer: str = ""
    source: str = ""
    prompt: str = ""
    """Templates, where these are used."""
    response: str = ""
    weight: float | None = None

    @classmethod
    def of(cls, values: Sequence[Any]) -> "Slot":
        """From what the page sends, which may be anything. Raises InputError where it is nothing of the kind."""
        reading, *given, weight = values
        if reading not in READINGS:
            raise InputError(f"rows cannot be read as {reading!r}; choose one of: {', '.join(READINGS)}")
        try:
            number = None if weight is None or weight == "" else float(weight)
        except (TypeError, ValueError) as error:
            raise InputError(f"the weight is {weight!r}; give a number above 0, or none") from error
        question, answer, source, prompt, response = (text if isinstance(text, str) else "" for text in given)
        return cls(reading, question, answer, source, prompt, response, number)

    def table(self, path: Path) -> Table:
        """The table at `path`, so read. Raises InputError where a column or a template is missing."""
        if self.reading == RECOGNISED:
            return Table(path, self.weight)
        if self.reading == CHOSEN:
            if not (self.question and self.answer):
                missing = "answer" if self.question else "question"
                raise InputError(f"{path.name}: no column is chosen for the {missing}; choose one")
            columns = {"prompt": self.question, "response": self.answer, "source": self.source}
            return Table(path, self.weight, {field: column for field, column in columns.items() if column})
        if not (self.prompt.strip() and self.response.strip()):
            raise InputError(f"{path.name}: a template is empty; write both, with columns as {{{{ name }}}}")
        return Table(path, self.weight, {}, self.prompt, self.response)


@dataclass(frozen=True)
class Offer:
    """What is offered for a table: its columns, and how it would be read."""

    name: str
    columns: tuple[str, ...] = ()
    slot: Slot = Slot()
    trouble: str = ""
    """Why it cannot be read, where no choice of columns would help."""


def paths_of(source: Any, files: Any, pasted: Any, hub: Any, folder: Path) -> list[Path]:
    """The files of the tables that are chosen; what is pasted or from the Hub is written to `folder`."""
    if source == SOURCES[0]:
        return [SAMPLE]
    if source == SOURCES[1]:
        given = [Path(str(file)) for file in (files if isinstance(files, list) else [files] if files else [])]
        if not given:
            raise InputError("no file is chosen; choose one, or take the sample rows")
        if len(given) > MOST_TABLES:
            raise InputError(f"{len(given)} files are chosen; take {MOST_TABLES} at most here, or the command line")
        return given
    if source == SOURCES[2]:
        return [write_pasted(str(pasted or ""), folder)]
    if source == SOURCES[3]:
        return [fetch(PREFIX + str(hub or "").strip().removeprefix(PREFIX), folder)]
    raise InputError(f"there are no rows such as {source!r}; choose one of: {', '.join(SOURCES)}")


def recipe_of(paths: Sequence[Path], slots: Sequence[Slot], replay: Any) -> Recipe:
    """The recipe; a table beyond the slots, or the sample, is read as it is."""
    try:
        share = float(replay or 0)
    except (TypeError, ValueError) as error:
        raise InputError(f"replay is {replay!r}; choose a share from 0 to 0.9") from error
    if list(paths) == [SAMPLE]:
        return Recipe((Table(SAMPLE),), share)
    read = [slots[number] if number < len(slots) else Slot() for number in range(len(paths))]
    if len(paths) == 1:  # a weight in relation to nothing
        return Recipe((Table(**{**vars(read[0].table(paths[0])), "weight": None}),), share)
    return Recipe(tuple(slot.table(path) for slot, path in zip(read, paths, strict=True)), share)


def offer(path: Path) -> Offer:
    """How a table would be read: as it is if its rows are recognised, else by the columns that look likeliest."""
    try:
        records = first_records(path, LOOKED_AT)
    except InputError as error:
        return Offer(path.name, trouble=str(error))
    columns = tuple(dict.fromkeys(str(name) for record in records for name in record))
    try:
        read_rows(path)
    except InputError as error:
        if len(columns) < 2:
            return Offer(path.name, columns, trouble=str(error))
        question = _likely(columns, QUESTION_WORDS, columns[0])
        others = [column for column in columns if column != question]
        answer = _likely(others, ANSWER_WORDS, others[0])
        source = next((column for column in columns if column.lower() in ("source", "document")), "")
        return Offer(path.name, columns, Slot(CHOSEN, question, answer, source), trouble=_beyond_names(error, columns))
    return Offer(path.name, columns)


def templates_of(reading: str) -> tuple[str, str] | None:
    """Prompt and response of a template of the gallery; None for another reading."""
    pattern = GALLERY.get(reading.removeprefix("Template: "))
    return (pattern.prompt, pattern.response) if pattern else None


def _beyond_names(error: InputError, columns: Sequence[str]) -> str:
    """The complaint, if it is about more than how the columns are called."""
    named = "name the fields as in" in str(error) and f"(it has: {', '.join(columns)})" in str(error)
    return "" if named else str(error)


def _likely(columns: Sequence[str], words: Sequence[str], otherwise: str) -> str:
    return next((column for word in words for column in columns if word in column.lower()), otherwise)
