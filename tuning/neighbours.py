"""What this package asks of the packages that it does not import.

How a question with passages is worded is the documents' business, and who refers to an adapter is the votes'. Both are
looked up by name when they are first needed, so that adapters can be trained and used without either.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

GROUND = "rag.prompt", "ground"


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


def _look_up(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)
