"""Passages for the rows of a training file: the one that holds the answer, and others that only look as if they did.

A model that is to answer from documents learns it from such rows: to find the passage that counts among some that do
not, and, from the rows whose passage is left out, what it should know by itself (Zhang et al. 2024, RAFT).
"""

import hashlib
import json
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from random import Random
from typing import Any

import numpy as np

from .errors import InputError
from .index import Index
from .prompt import BUDGET, PASSAGE
from .rowtext import answer_of, answers_of, question_of, read_rows
from .snapshot import StoredChunk

_BATCH = 256  # questions whose similarities to all chunks are in memory at once


@dataclass(frozen=True)
class Attaching:
    """How passages are chosen. Raises InputError for values outside their range."""

    distractors: int = 3
    """Passages beside the one that holds the answer."""
    golden: float = 0.8
    """Share of the rows that keep the passage of their source; the others get one distractor more."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.distractors <= 100:
            raise InputError(f"distractors is {self.distractors}; choose 0 to 100.")
        if not 0 <= self.golden <= 1:
            raise InputError(f"golden is {self.golden:g}; choose a share from 0 to 1.")


def attach(index: Index, rows: Path, out: Path, how: Attaching) -> dict[str, Any]:
    """Write the rows with `passages` to `out`, whole or not at all; and say how many got what.

    A row's `source` names the document that holds its answer: by its name in the index, or the end of it. A row without
    one gets what a search for its question finds. A row whose accepted answers are figures that its document does not
    hold gets passages of other documents: beside one that says otherwise it would teach to disregard passages. Each
    row also gets `golden`: whether the passage of its source is among its own.
    Raises InputError where a row has no question or has passages already, or where no source is in the index.
    """
    began = time.perf_counter()
    records = read_rows(rows)
    shelf = _Shelf(index)
    sources = [shelf.chunks_of(record.get("source")) for _, record in records]
    _refuse_strangers(records, sources, shelf, rows)
    outdated = [
        bool(own) and not shelf.holds(own, answers_of(record))
        for own, (_, record) in zip(sources, records, strict=True)
    ]
    usable = [bool(own) and not old for own, old in zip(sources, outdated, strict=True)]
    keeps = _drawn([record for _, record in records], usable, how)
    questions = [question_of(record, place) for place, record in records]
    answered = [
        f"{question}\n{answer_of(record)}"
        for question, (_, record), own, old in zip(questions, records, sources, outdated, strict=True)
        if own and not old
    ]
    to_answers = shelf.similarities(answered)
    counts: Counter[str] = Counter()
    lines = []
    strangers: Counter[str] = Counter()
    asked = zip(records, sources, outdated, keeps, shelf.similarities(questions), strict=True)
    for (_, record), own, old, keep, to_question in asked:
        gold = shelf.gold(own, next(to_answers), answers_of(record)) if own and not old else None
        if record.get("source") and not own:
            strangers[str(record["source"])] += 1
        chosen = shelf.choose(gold, own, to_question, how.distractors, keep)
        counts["golden" if keep else "left_out" if gold is not None else "outdated" if old else "without_source"] += 1
        counts["passages"] += len(chosen)
        Random(f"{how.seed} {_digest(record)}").shuffle(chosen)  # its place must not tell which passage counts
        lines.append(json.dumps({**record, "passages": [shelf.passage(chunk) for chunk in chosen], "golden": keep}))
    _write(out, lines)
    names = ("golden", "left_out", "outdated", "without_source", "passages")
    return {
        "rows": len(records),
        **{name: counts[name] for name in names},
        "unknown_sources": dict(strangers),
        "index": index.folder.name,
        "out": str(out),
        "seconds": round(time.perf_counter() - began, 2),
    }


class _Shelf:
    """All chunks of an index, at one moment."""

    def __init__(self, index: Index) -> None:
        self._embedder = index.embedder
        with index.store.snapshot() as snapshot:
            ids = snapshot.chunk_ids()
            if not len(ids):
                raise InputError(
                    f"The index {index.folder.name!r} holds no documents; add some with `python -m rag add`."
                )
            self._vectors = snapshot.vectors(ids, index.embedder.dimension)
            self._chunks: list[StoredChunk] = snapshot.chunks(ids.tolist())
            self.documents = snapshot.documents()
        places: dict[str, list[int]] = defaultdict(list)
        for number, chunk in enumerate(self._chunks):
            places[chunk.document].append(number)
        self._named: dict[str, list[int]] = defaultdict(list)
        for document in self.documents:
            ends = {end for name in document.names for end in (name, PurePath(name).name, PurePath(name).stem)}
            for end in ends:
                self._named[end] += places[document.name]

    def chunks_of(self, source: object) -> list[int]:
        """The chunks of the document of that name; none where it is not held."""
        return self._named.get(str(source), []) if source not in (None, "") else []

    def similarities(self, texts: Sequence[str]) -> Iterator[np.ndarray]:
        """For each text the cosines with all chunks."""
        for first in range(0, len(texts), _BATCH):
            yield from self._embedder.encode(texts[first : first + _BATCH], query=True) @ self._vectors.T

    def holds(self, own: Sequence[int], answers: Sequence[str]) -> bool:
        """Whether one of the answers stands in these chunks; taken to be so where no answer has a figure."""
        if not any(character.isdigit() for answer in answers for character in answer):
            return True
        text = "\n".join(self._chunks[number].chunk.text for number in own)
        return any(re.search(rf"(?<![\w.,]){re.escape(answer)}(?!\w)", text, re.IGNORECASE) for answer in answers)

    def gold(self, own: Sequence[int], similarity: np.ndarray, answers: Sequence[str]) -> int:
        """Of a row's own document, the chunk that holds its answer: in these words, and else by similarity."""
        wanted = [answer.casefold() for answer in answers]
        texts = {number: self._chunks[number].chunk.text.casefold() for number in own}
        holding = [number for number in own if any(answer in texts[number] for answer in wanted)]
        return max(holding or own, key=lambda number: float(similarity[number]))

    def choose(
        self, gold: int | None, own: Sequence[int], similarity: np.ndarray, distractors: int, keep: bool
    ) -> list[int]:
        """The gold chunk, if it is kept, and others; as many as fit into a prompt. The most similar are taken.

        They come out of other documents, since another piece of the same one may hold the answer too; only where there
        are not enough of those, out of the same.
        """
        chosen = [gold] if keep and gold is not None else []
        wanted = distractors + 1
        order = np.argsort(-similarity, kind="stable").tolist()
        same = set(own)
        for number in [*(n for n in order if n not in same), *(n for n in order if n in same and self._apart(n, gold))]:
            if len(chosen) == wanted:
                break
            if self._fits([*chosen, number]):
                chosen.append(number)
        return chosen

    def passage(self, number: int) -> dict[str, str]:
        chunk = self._chunks[number]
        return {"id": PurePath(chunk.document).name, "text": chunk.chunk.text}

    def _apart(self, number: int, gold: int | None) -> bool:
        """Whether a chunk has no text in common with the gold one."""
        if gold is None:
            return True
        one, other = self._chunks[number].chunk, self._chunks[gold].chunk
        return one.end <= other.start or other.end <= one.start

    def _fits(self, chosen: Sequence[int]) -> bool:
        passages = [self.passage(number) for number in chosen]
        words = (PASSAGE.format(number=n, document=p["id"], text=p["text"]) for n, p in enumerate(passages, 1))
        return sum(map(len, words)) <= BUDGET


def _drawn(records: Sequence[Mapping[str, Any]], known: Sequence[bool], how: Attaching) -> list[bool]:
    """Which rows keep their gold passage: their share of those that have one, by a lot of seed and row alone."""
    numbers = [number for number, has in enumerate(known) if has]
    numbers.sort(key=lambda number: hashlib.sha256(f"{how.seed}\n{_digest(records[number])}".encode()).digest())
    kept = set(numbers[: round(how.golden * len(numbers))])
    return [number in kept for number in range(len(records))]


def _digest(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _refuse_strangers(
    records: Sequence[tuple[str, Mapping[str, Any]]], sources: Sequence[Sequence[int]], shelf: _Shelf, rows: Path
) -> None:
    named = [(place, record["source"]) for place, record in records if record.get("source")]
    if named and not any(map(len, sources)):
        place, source = named[0]
        held = ", ".join(PurePath(document.name).name for document in shelf.documents[:5])
        raise InputError(
            f"None of {len(named)} sources in {rows} is a document of the index ({place} names {source!r}, but there "
            f"are {held}, ...); add the documents, or write their names into `source`."
        )


def _write(path: Path, lines: Sequence[str]) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"{path} cannot be written ({error.strerror or error}); choose another place.") from error
