"""What a run trains on: tables of rows, how each is read, and how much of the training each makes up."""

import hashlib
import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from tuning.columns import Columns
from tuning.errors import InputError
from tuning.rows import Row, read_rows
from tuning.templates import Template

MOST_REPLAY = 0.9


@dataclass(frozen=True)
class Table:
    """A file of rows. Raises InputError for templates that are not well formed, or columns that no row has."""

    path: Path
    weight: float | None = None
    """Its part of the training rows, in relation to the other tables' weights; None for as many as it has."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Our field (or a name in the templates) to the column of the file; an empty column leaves the field out."""
    prompt: str = ""
    """Jinja2 template of the prompt, over the columns; given with that of the response, or not at all."""
    response: str = ""

    def __post_init__(self) -> None:
        if self.weight is not None and not (math.isfinite(self.weight) and self.weight > 0):
            raise InputError(f"the weight of {self.path.name} is {self.weight:g}; choose one above 0")
        if bool(self.prompt.strip()) != bool(self.response.strip()):
            missing = "response" if self.prompt.strip() else "prompt"
            raise InputError(f"the {missing} template of {self.path.name} is missing; give both, or neither")
        self._columns()

    def rows(self) -> list[Row]:
        """Its rows. Raises InputError with the file, the place and the remedy where they cannot be read."""
        columns = self._columns()
        rows = read_rows(self.path, columns)
        columns.check(self.path.name)
        return rows

    def _columns(self) -> Columns:
        templates = {"prompt": self.prompt, "response": self.response}
        return Columns(self.columns, [Template(text, name) for name, text in templates.items() if text.strip()])

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "path": self.path.as_posix(), "columns": dict(self.columns)}


@dataclass(frozen=True)
class Recipe:
    """Tables, and the share of the training rows that general rows make up. Raises InputError for a bad mixture."""

    tables: tuple[Table, ...]
    replay: float = 0.0
    """Share of general rows in training, against forgetting; 0 to 0.9."""

    def __post_init__(self) -> None:
        if not self.tables:
            raise InputError("no rows are given; give at least one file")
        if len({table.weight is None for table in self.tables}) > 1:
            bare = next(table.path.name for table in self.tables if table.weight is None)
            raise InputError(f"{bare} has no weight and others have one; give each file a weight, or none")
        if not 0 <= self.replay <= MOST_REPLAY:
            raise InputError(f"replay is {self.replay:g}; choose a share from 0 to {MOST_REPLAY:g}")

    @classmethod
    def of(cls, path: Path) -> "Recipe":
        """One file as it is."""
        return cls((Table(path),))

    @property
    def name(self) -> str:
        """The names of its files."""
        return " + ".join(table.path.name for table in self.tables)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """A name for each table that no other has."""
        names = [table.path.name for table in self.tables]
        return tuple(f"{name} ({number})" if names.count(name) > 1 else name for number, name in enumerate(names, 1))

    def refuse_pipes(self) -> None:
        """Raises InputError for a table that is no file: a pipe, say, would be waited for, forever."""
        for table in self.tables:
            if table.path.exists() and not table.path.is_file():
                raise InputError(f"{table.path} is not a file; write its rows to one")

    def rows(self) -> list[list[Row]]:
        """The rows of each table; where there are several, each row's place names its table too."""
        read = [table.rows() for table in self.tables]
        if len(read) == 1:
            return read
        return [
            [replace(row, place=f"{label}, {row.place}") for row in rows]
            for label, rows in zip(self.labels, read, strict=True)
        ]

    def digest(self, *others: Path) -> str:
        """SHA-256 over what is read and how, and over `others`; of one plain file, that of its bytes."""
        paths = (*(table.path for table in self.tables), *others)
        hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
        if self == Recipe.of(self.tables[0].path) and not others:
            return hashes[0]
        told = {**self.as_json(), "tables": [{**table.as_json(), "path": ""} for table in self.tables]}
        return hashlib.sha256(json.dumps([hashes, told], sort_keys=True).encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        return {"tables": [table.as_json() for table in self.tables], "replay": self.replay}

    def copied(self, folder: Path) -> dict[str, Any]:
        """Copy the tables' files below `folder`, each under its own name; what `from_json` reads of that folder."""
        tables = []
        for number, table in enumerate(self.tables, 1):
            path = Path(str(number), table.path.name)  # a folder for each, since two may have the same name
            (folder / path).parent.mkdir(parents=True)
            shutil.copyfile(table.path, folder / path)
            tables.append(replace(table, path=path))
        return replace(self, tables=tuple(tables)).as_json()

    @classmethod
    def from_json(cls, record: Mapping[str, Any], folder: Path) -> "Recipe":
        """The recipe that `as_json` wrote; its paths are relative to `folder`."""
        tables = (Table(**{**table, "path": folder / table["path"]}) for table in record["tables"])
        return cls(tuple(tables), record.get("replay", 0.0))
