"""The rating form: what raters are asked about each answer. A YAML text of the user's, every version of it kept.

A version is a file that is never changed, `forms/0001.yaml` and on; the latest one is shown, and a vote names its
version by the digest of the text.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from eval.errors import InputError
from eval.judgement import MOST_POINTS, Judgement

DEFAULT = Path(__file__).with_name("form.yaml")
LONGEST = 64 * 1024
"""Bytes of a form."""
MOST_DIMENSIONS, MOST_TAGS = 12, 40
LONGEST_GUIDANCE, LONGEST_NAME = 4_000, 200
"""Characters."""
ID = re.compile(r"[a-z][a-z0-9_-]{0,59}")


@dataclass(frozen=True)
class Dimension:
    """One thing that is scored, from 1 to `points`."""

    id: str
    name: str
    question: str = ""
    points: int = 5
    low: str = ""
    """What 1 means."""
    high: str = ""
    """What `points` means."""


@dataclass(frozen=True)
class Tag:
    """One thing that an answer can be marked with."""

    id: str
    name: str


@dataclass(frozen=True)
class Form:
    """What a YAML text says."""

    guidance: str
    dimensions: tuple[Dimension, ...]
    tags: tuple[Tag, ...]

    def check(self, judgement: Judgement) -> None:
        """Raise `InputError` where the judgement was not given on this form."""
        points = {dimension.id: dimension.points for dimension in self.dimensions}
        for name, score in judgement.scores.items():
            if name not in points:
                raise InputError(f"The rating form has no dimension {name!r}; reload the page.")
            if not 1 <= score <= points[name]:
                raise InputError(f"{score} is no score for {name}; choose 1 to {points[name]}.")
        for tag in judgement.tags:
            if tag not in {known.id for known in self.tags}:
                raise InputError(f"The rating form has no tag {tag!r}; reload the page.")


@dataclass(frozen=True)
class Version:
    """One text of the form; `number` counts from 1."""

    number: int
    digest: str
    """SHA-256 of the text, hexadecimal."""
    text: str
    form: Form


class Forms:
    """The versions in the state folder `home`. The first one is the form that comes with the program."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "forms"

    def current(self) -> Version:
        """The latest version; the first is written where there is none."""
        numbers = self._numbers()
        if not numbers:
            self._keep(1, DEFAULT.read_bytes())
            numbers = self._numbers()
        return self.version(numbers[-1])

    def version(self, number: int) -> Version:
        """One version. Raises `InputError` where there is none of that number or its file was damaged."""
        path = self._path(number)
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"There is no version {number} of the rating form; see the list of versions.") from error
        return Version(number, digest(text), text, parse(text, str(path)))

    def versions(self) -> list[Version]:
        """All of them, oldest first."""
        self.current()
        return [self.version(number) for number in self._numbers()]

    def set(self, text: str, place: str = "The form") -> Version:
        """Keep `text` as the version that is shown from now on; nothing changes where it is that already.

        Raises `InputError` naming the place in `text` that cannot be used, or where it cannot be written.
        """
        parse(text, place)
        now = self.current()
        if text != now.text:
            number = now.number + 1
            while not self._keep(number, text.encode()):  # another process took the number
                number += 1
            return self.version(number)
        return now

    def _numbers(self) -> list[int]:
        return sorted(int(path.stem) for path in self.folder.glob("[0-9]*.yaml") if path.stem.isdigit())

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:04}.yaml"

    def _keep(self, number: int, content: bytes) -> bool:
        """Write a version whole, synced; False where another one has the number."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                os.link(file.name, self._path(number))
            folder = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except FileExistsError:
            return False
        except OSError as error:
            raise InputError(
                f"The rating form could not be written to {self.folder} ({error.strerror}); make room or choose"
                " another FOURFOLD_HOME."
            ) from error
        return True


def digest(text: str) -> str:
    """How votes name a version."""
    return hashlib.sha256(text.encode()).hexdigest()


def parse(text: str, place: str = "The form") -> Form:
    """The form of a YAML text. Raises `InputError`, one sentence with the place and the remedy."""
    if len(text.encode(errors="replace")) > LONGEST:
        raise InputError(f"{place} has more than {LONGEST} bytes; shorten it.")
    try:
        content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{place}{line} is not YAML ({error.problem}); correct it there.") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else "nested too deeply"
        raise InputError(f"{place} is not YAML ({reason}); correct it there.") from error
    whole = _Part(content, place, ("guidance", "dimensions", "tags"))
    form = Form(
        guidance=whole.text("guidance", LONGEST_GUIDANCE),
        dimensions=tuple(_dimension(part) for part in whole.parts("dimensions", MOST_DIMENSIONS, DIMENSION_KEYS)),
        tags=tuple(Tag(part.id(), part.name()) for part in whole.parts("tags", MOST_TAGS, ("id", "name"))),
    )
    for kind, ids in (("dimensions", form.dimensions), ("tags", form.tags)):
        twice = sorted({part.id for part in ids if sum(other.id == part.id for other in ids) > 1})
        if twice:
            raise InputError(f"{place}: two of {kind} have the id {twice[0]!r}; give each an id of its own.")
    return form


DIMENSION_KEYS = ("id", "name", "question", "points", "low", "high")


def _dimension(part: "_Part") -> Dimension:
    points = part.content.get("points", 5)
    if type(points) is not int or not 2 <= points <= MOST_POINTS:
        raise InputError(f"{part.place}: points is {_shown(points)}; give a whole number from 2 to {MOST_POINTS}.")
    words = (part.text(key, LONGEST_NAME) for key in ("low", "high"))
    return Dimension(part.id(), part.name(), part.text("question", LONGEST_NAME), points, *words)


class _Part:
    """A mapping of the YAML text, and where it stands."""

    def __init__(self, content: Any, place: str, keys: tuple[str, ...]) -> None:
        if not isinstance(content, Mapping):
            raise InputError(f"{place} is not a mapping; write keys with values: {', '.join(keys)}.")
        unknown = [key for key in content if key not in keys]
        if unknown:
            raise InputError(f"{place} has the key {_shown(unknown[0])}, which means nothing; use {', '.join(keys)}.")
        self.content, self.place = content, place

    def text(self, key: str, longest: int) -> str:
        text = self.content.get(key) or ""
        if not isinstance(text, str):
            raise InputError(f"{self.place}: {key} is {_shown(text)} and not text; put it in quotes.")
        if len(text) > longest:
            raise InputError(f"{self.place}: {key} has {len(text)} characters; shorten it to {longest}.")
        return text.strip()

    def id(self) -> str:
        given = self.content.get("id")
        if not isinstance(given, str) or not ID.fullmatch(given):
            raise InputError(
                f"{self.place}: the id {_shown(given)} cannot be used; give up to 60 of a-z, 0-9, _, -, a letter first."
            )
        return given

    def name(self) -> str:
        return self.text("name", LONGEST_NAME) or self.id()

    def parts(self, key: str, most: int, keys: tuple[str, ...]) -> "list[_Part]":
        listed = self.content.get(key) or []
        if not isinstance(listed, list):
            raise InputError(f"{self.place}: {key} is not a list; begin each entry with '- id: ...'.")
        if len(listed) > most:
            raise InputError(f"{self.place}: {key} has {len(listed)} entries; keep to {most}.")
        return [_Part(entry, f"{self.place}: {key}, entry {row}", keys) for row, entry in enumerate(listed, start=1)]


def _shown(value: Any) -> str:
    """A value for a message; of a collection only its kind, since a few lines of YAML can spell out a huge one."""
    return repr(value)[:80] if isinstance(value, str | int | float | bool | None) else f"a {type(value).__name__}"
