"""What this package asks of the packages that it does not import.

How a question with passages is worded is the documents' business, and who refers to an adapter is the votes'. Both are
looked up by name when they are first needed, so that adapters can be trained and used without either.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuning.errors import InputError

GROUND = "rag.prompt", "ground"
VOTES_WITH = "eval.references", "votes_with"


@dataclass(frozen=True)
class Passage:
    """A passage as the wording of grounded prompts reads it."""

    document: str
    text: str


def ground(messages: Sequence[Mapping[str, str]], passages: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """The messages with `passages` (each with `id` and `text`, best first) worded in as at chat time."""
    hits = [Passage(passage["id"], passage["text"]) for passage in passages]
    grounded: list[dict[str, str]] = _look_up(*GROUND)([dict(message) for message in messages], hits)
    return grounded


def votes_with(digest: str, home: Path, database: str | None = None) -> int:
    """How many votes refer to the adapter with that digest: none where the votes' package is not there.

    `database` is the URL of the votes' log, None for that of `home`. Raises InputError where it cannot be read.
    """
    try:
        count = _look_up(*VOTES_WITH)
    except ModuleNotFoundError as error:
        if error.name not in (VOTES_WITH[0], VOTES_WITH[0].split(".")[0]):
            raise  # it is there, and lacks something else
        return 0
    try:
        return int(count(digest, home, database))
    except (ValueError, RuntimeError) as error:  # the neighbours' InputError is none of ours
        raise InputError(str(error)) from error


def _look_up(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)
