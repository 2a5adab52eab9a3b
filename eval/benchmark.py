"""Held-out rows -> answers of every cell -> figures with intervals: a comparison without people.

`<home>/benchmarks/<NAME>/` holds `answers.jsonl`, to which every answer is appended as it is finished, so that the same
command goes on where a killed one was, and `result.json`, written at the end.
"""

import json
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.answerlog import AnswerLog, Made, key_of, made, refusal
from eval.cells import Cell, cells
from eval.errors import USER_ERRORS, InputError
from eval.fewshot import Examples
from eval.questions import Asked, Found, ask, given_passages, search
from eval.scoreboard import Figures, figures_of, summary
from eval.workbench import Workbench

if TYPE_CHECKING:
    from tuning.adapters import Adapter
    from tuning.request import Answer, Request
    from tuning.rows import Row

SCHEMA = 1
ANSWERS, RESULT = "answers.jsonl", "result.json"
PASSAGES = ("search", "given")
USER = "benchmark"

Report = Callable[[dict[str, Any]], None]


class Stopped(InputError):
    """The benchmark was stopped; what was answered is kept."""


@dataclass(frozen=True)
class Plan:
    """What is asked, and how."""

    adapter: str
    parent: str | None = None
    """An adapter that `base` and `rag` run, to see what training on from it has added; None: the bare base."""
    index: str | None = None
    """None where the rows bring their passages."""
    shots: tuple[int, ...] = (0,)
    """Examples in front of the question; each number adds four cells."""
    examples: str = "fixed"
    passages: str = "search"
    """`search`: what the index finds; `given`: the row's own."""
    count: int = 3
    """Passages of a search."""
    floor: bool = True
    """Below the index's floor, if it has one, cells with documents refuse, as in the app."""
    max_tokens: int = 64
    temperature: float = 0.0
    seed: int = 0
    timed: int = 8
    """Questions whose answers are computed one by one, which is how long a user waits; the others share their steps."""

    def __post_init__(self) -> None:
        if self.passages not in PASSAGES:
            raise InputError(f"--passages {self.passages!r} is unknown; give one of {', '.join(PASSAGES)}.")
        if self.passages == "search" and not self.index:
            raise InputError("An index is needed to search; give --index NAME, or --passages given.")
        if not 1 <= self.count <= 10:
            raise InputError(f"{self.count} passages cannot be used; give --count 1 to 10.")
        if self.timed < 0:
            raise InputError(f"--timed {self.timed} is no number of questions; give 0 or more.")


@dataclass(frozen=True)
class Work:
    """One answer to be computed."""

    key: str
    request: "Request"
    place: str
    timed: bool
    timed_row: bool
    """Whether it belongs to a question with timed answers."""


def run(
    workbench: Workbench,
    rows: "Sequence[Row]",
    training: "Sequence[Row]",
    plan: Plan,
    folder: Path,
    report: Report = lambda event: None,
    stop: threading.Event | None = None,
) -> dict[str, Any]:
    """Ask `rows`, with examples out of `training`, and write and return the result.

    `report` gets the event `answering` with `done` of `answers`. Raises InputError where something cannot be asked,
    Stopped soon after `stop` was set.
    """
    adapter = workbench.adapter(plan.adapter)
    parent = workbench.adapter(plan.parent) if plan.parent else None
    digests = {one.name: one.digest for one in (adapter, parent) if one}
    compared = cells(plan.shots)
    asked, notes = _asked(workbench, rows, training, plan, compared)
    base = workbench.engine().base
    weights = {"digest": base.digest, "precision": base.precision}
    keys = {id(request): key_of(request, weights, digests.get(request.adapter or "")) for request in _requests(asked)}
    with AnswerLog(folder / ANSWERS) as log:
        work = list(_work(asked, keys, plan.timed, log))
        _answer(workbench, work, len(set(keys.values())), log, report, stop)
        figures = [_figures(workbench, one, compared, keys, log) for one in asked]
    result: dict[str, Any] = {
        "schema": SCHEMA,
        "name": folder.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "plan": asdict(plan),
        "base": {"name": base.name, **weights, "compiled": workbench.engine().compiled},
        "adapter": {"name": adapter.name, "digest": adapter.digest},
        "parent": {"name": parent.name, "digest": parent.digest} if parent else None,
        "index": _index(workbench, plan),
        "rows": len(figures),
        "sources": len({one.source for one in figures}),
        "notes": notes + _warnings(base.digest, adapter),
        **summary(figures, compared),
        "figures": [asdict(one) for one in figures],
    }
    result = plain(result)
    _write(folder / RESULT, result)
    return result


def read_result(folder: Path) -> dict[str, Any]:
    """The result in a benchmark's folder. Raises InputError where there is none that can be read."""
    try:
        found: dict[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        if found["schema"] != SCHEMA:
            raise ValueError(f"schema {found['schema']}")
        return found
    except FileNotFoundError as error:
        names = ", ".join(sorted(path.parent.name for path in folder.parent.glob(f"*/{RESULT}"))) or "none yet"
        raise InputError(f"There is no finished benchmark {folder.name!r}; there are: {names}.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder / RESULT} cannot be read ({error}); run the benchmark again.") from error


def _asked(
    workbench: Workbench, rows: "Sequence[Row]", training: "Sequence[Row]", plan: Plan, compared: Sequence[Cell]
) -> tuple[list[Asked], list[str]]:
    """What is sent for each row; a row that no prompt has room for is left out for all cells, which a note says."""
    from rag.floor import read_floor
    from tuning.request import Sampling
    from tuning.row import read_request

    sampling = Sampling(plan.temperature, max_tokens=plan.max_tokens, seed=plan.seed)
    encode = workbench.embedder().encode if plan.examples == "nearest" else None
    examples = Examples(training, plan.examples, encode)
    index = workbench.index(plan.index) if plan.passages == "search" and plan.index else None
    floor = read_floor(index) if index and plan.floor else None
    if index:
        search(rows[0], index, plan.count)  # what is loaded at the first search is no cost of the first question
    base, asked, notes = workbench.engine().base, [], []
    for row in rows:
        found = search(row, index, plan.count, floor) if index else Found(given_passages(row))
        one = ask(row, found, compared, examples, plan.adapter, plan.parent, sampling)
        try:
            for request in (*one.requests.values(), *one.scored.values()):
                read_request(request, base, base.context)
        except USER_ERRORS as error:
            notes.append(f"{row.place} is left out: {error}")
            continue
        asked.append(one)
    if not asked:
        raise InputError(f"No row can be asked: {notes[0]}")
    if refused := sum(one.found.refused for one in asked):
        notes.append(f"{refused} of {len(asked)} questions are below the index's floor: rag and combined refuse them")
    return asked, notes


def _requests(asked: Sequence[Asked]) -> "Iterator[Request]":
    for one in asked:
        yield from one.requests.values()
        yield from one.scored.values()


def _work(asked: Sequence[Asked], keys: Mapping[int, str], timed: int, log: AnswerLog) -> Iterator[Work]:
    """What is not there yet. An answer stands beside its score, which begins alike and is then read once."""
    begun: set[str] = set()
    for number, one in enumerate(asked):
        for cell, score in one.scored.items():
            for wanted, alone in ((one.requests.get(cell), number < timed), (score, False)):
                key = keys.get(id(wanted), "")
                there = log.answers.get(key)
                if wanted and key not in begun and (there is None or (alone and there.seconds is None)):
                    begun.add(key)
                    yield Work(key, wanted, one.row.place, alone, number < timed)


def _answer(
    workbench: Workbench,
    work: Sequence[Work],
    total: int,
    log: AnswerLog,
    report: Report,
    stop: threading.Event | None,
) -> None:
    """Compute what is missing: most of it in one stream, then the timed answers by themselves, then their scores.

    In this order, since nothing of a timed answer's prompt may be there already when it is asked, and a decoder that is
    compiled meanwhile is there by then.
    """
    done = total - len(work)
    stream = [one for one in work if not one.timed_row]
    timed = [one for one in work if one.timed]
    scores = [one for one in work if one.timed_row and not one.timed]
    report({"event": "answering", "done": done, "answers": total, "before": done})
    for calls in filter(None, (stream, *([one] for one in timed), scores)):
        for finished in _finished(workbench, calls, stop):
            log.add(finished)
            done += 1
            report({"event": "answering", "done": done, "answers": total})
        if stop is not None and stop.is_set():
            raise Stopped(
                f"Stopped after {done} of {total} answers, which are kept; the same command goes on from them."
            )


def _finished(workbench: Workbench, work: Sequence[Work], stop: threading.Event | None) -> Iterator[Made]:
    """The answers, each as soon as it is there. Raises InputError where one cannot be computed."""
    waiting = dict(enumerate(work))
    states: list[Answer]
    for states in workbench.generate([one.request for one in work], USER, stop):
        for number in [number for number in waiting if states[number].finished]:
            one, answer = waiting.pop(number), states[number]
            if answer.finished == "failed":
                raise InputError(f"{one.place}: {answer.error}")
            if answer.finished in ("end", "length", "scored"):
                yield made(one.key, answer, one.timed)


def _figures(
    workbench: Workbench, asked: Asked, compared: Sequence[Cell], keys: Mapping[int, str], log: AnswerLog
) -> Figures:
    from tuning.row import read_request

    base = workbench.engine().base
    sent = asked.requests
    written = {cell.id: log.answers[keys[id(sent[cell.id])]] if cell.id in sent else refusal() for cell in compared}
    scores = {cell.id: log.answers[keys[id(asked.scored[cell.id])]] for cell in compared}
    prompts = {cell.id: 0 for cell in compared} | {
        id: read_request(request, base, base.context).prompt for id, request in sent.items()
    }
    return figures_of(asked, compared, written, scores, prompts, workbench.embedder())


def _index(workbench: Workbench, plan: Plan) -> dict[str, Any] | None:
    if plan.passages != "search" or not plan.index:
        return None
    index = workbench.index(plan.index)
    return {"name": plan.index, "digest": index.digest, "embedder": index.embedder.identity}


def _warnings(base_digest: str, adapter: "Adapter") -> list[str]:
    if base_digest == adapter.card["base_digest"]:
        return []
    return [f"{adapter.name} was trained on {adapter.shown_base}, and not on the weights that it was measured with"]


def _write(path: Path, result: Mapping[str, Any]) -> None:
    from tuning.process import write_json

    try:
        write_json(path, result)
    except OSError as error:
        raise InputError(f"{path} could not be written ({error.strerror}); make room and run it again.") from error


def plain(value: Any) -> Any:
    """The same in JSON's types: null for NaN, which JSON lacks."""
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value
