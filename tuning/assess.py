"""An adapter against its base: on the rows that it never saw, and on general rows, which show what it forgot.

The result is kept as `assessment.json` in the adapter's folder, with the figures of every row, so that two adapters can
be compared on the rows that both never saw without computing anything again.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuning import ranks
from tuning.adapters import Adapter
from tuning.assessment import ASSESSMENT, SCHEMA, SETS
from tuning.base import Base
from tuning.dialogues import Finding
from tuning.engine import Engine
from tuning.errors import InputError
from tuning.heldout import held_out
from tuning.paired import measure, summary
from tuning.process import write_json
from tuning.rows import Row
from tuning.scores import accepted
from tuning.trial import Outcome, Pairing, Side, outcomes
from tuning.verdict import judge
from tuning.warmup import WarmUp

SAMPLES = {"held_out": 8, "general": 4, "own": 4}
"""Answers shown side by side, also where there is no short answer to compare them with."""

Report = Callable[[dict[str, Any]], None]


class Stopped(InputError):
    """The assessment was stopped; nothing of it was kept."""


@dataclass(frozen=True)
class Limits:
    """How much is measured. What is left out for it is said in the result's notes."""

    rows: int = 120
    """Of each set, drawn by their hash: more cost minutes and hardly narrow the intervals."""
    tokens: int = 64
    """Of an answer that is compared with a short one."""
    seconds: float = 1200.0
    """After which no more rows are measured, each set having its share."""


DEFAULT = Limits()


def assess(
    base: Base,
    adapter: Adapter,
    general: Sequence[Row],
    report: Report = lambda event: None,
    stop: Callable[[], bool] = lambda: False,
    *,
    own: Sequence[Row] = (),
    model: Base | None = None,
    compiled: Path | None = None,
    limits: Limits = DEFAULT,
) -> dict[str, Any]:
    """Measure `adapter` against `base` and write the result into the adapter's folder.

    A model of its own is given loaded as `model`. `own` are rows of the user's choice, which are to be remembered like
    the `general` ones. `report` gets the event `assessing` with `done` of `rows`. Compiled steps are used where the
    folder `compiled` holds them. The base's layers get the adapter beside them, so that `base` must not be trained on
    afterwards.

    Raises InputError where the base is not the adapter's or an answer cannot be computed, Stopped soon after `stop()`
    turned true.
    """
    began = time.perf_counter()
    if base.digest != adapter.card["base_digest"]:
        raise InputError(f"{adapter.name} was trained on {adapter.base}, not on {base.name}; choose that with --base")
    rows, notes = _chosen(adapter, general, own, limits.rows)
    with closing(_pairing(base, adapter, model, compiled)) as pairing:
        results = _results(pairing, rows, limits, report, stop)
    for kind, mine in results.items():
        notes += [f"{SETS[kind]}, {one.place}: {one.reason}" for one in mine if isinstance(one, Finding)]
        if len(mine) < len(rows[kind]):
            notes.append(f"{SETS[kind]}: the time was up after {len(mine)} of {len(rows[kind])}")
    measured = {kind: [measure(one) for one in mine if isinstance(one, Outcome)] for kind, mine in results.items()}
    found = {
        "schema": SCHEMA,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "adapter": {"name": adapter.name, "digest": adapter.digest},
        "base": {"name": base.name, "digest": base.digest, "precision": base.precision},
        "settings": asdict(limits),
        **{kind: summary(mine) for kind, mine in measured.items()},
        "samples": [sample for kind, mine in results.items() for sample in _samples(kind, mine)],
        "notes": notes,
        "rows": {kind: [vars(one) for one in mine] for kind, mine in measured.items()},
        "seconds": round(time.perf_counter() - began, 1),
    }
    if "own" in measured:  # more rows show a smaller loss
        found["both"] = summary([*measured["general"], *measured["own"]])
    found["verdict"] = judge(found).as_json()
    _write(adapter.path / ASSESSMENT, found)
    return found


def _write(path: Path, found: Mapping[str, Any]) -> None:
    try:
        json.dumps(found, allow_nan=False)
        write_json(path, found)
    except OSError as error:
        why = error.strerror or error
        raise InputError(f"{path} could not be written ({why}); make room, or allow writing to its folder") from error


def _pairing(base: Base, adapter: Adapter, model: Base | None, compiled: Path | None) -> Pairing:
    if adapter.is_model:
        if model is None:
            raise InputError(f"{adapter.name} is a model of its own; load it, to measure it beside {base.name}")
        return Pairing(_warm(Engine(base), compiled), _warm(Engine(model), compiled), None)
    engine = Engine(base)
    engine.attach(adapter.name, adapter.path)
    _warm(engine, compiled)
    return Pairing(engine, engine, adapter.name)


def _warm(engine: Engine, compiled: Path | None) -> Engine:
    if compiled is not None:
        WarmUp(engine, compiled).run(compile_missing=False)
    return engine


def _chosen(
    adapter: Adapter, general: Sequence[Row], own: Sequence[Row], most: int
) -> tuple[dict[str, list[Row]], list[str]]:
    """The rows of each set that are measured, and notes on those that are not."""
    notes = []
    stored = held_out(adapter)
    if stored is None:
        notes.append("its test rows were not kept with it; train it anew to have them measured")
    sets = {"held_out": stored or [], "general": list(general), **({"own": list(own)} if own else {})}
    chosen = {}
    for kind, rows in sets.items():
        whole = [row for row in rows if row.prompt and row.response and row.messages[-1]["role"] == "assistant"]
        fair = [row for row in whole if row.digest not in adapter.seen]
        if len(whole) < len(rows):
            notes.append(f"{SETS[kind]}: {len(rows) - len(whole)} left out, which have no question or no answer")
        if len(fair) < len(whole):
            notes.append(f"{SETS[kind]}: {len(whole) - len(fair)} left out, which it was trained on")
        if len(fair) > most:
            notes.append(f"{SETS[kind]}: {most} of {len(fair)} are measured, drawn by their hash")
        chosen[kind] = sorted(fair, key=lambda row: hashlib.sha256(row.digest.encode()).digest())[:most]
    return chosen, notes


def _results(
    pairing: Pairing, rows: Mapping[str, Sequence[Row]], limits: Limits, report: Report, stop: Callable[[], bool]
) -> dict[str, list[Outcome | Finding]]:
    """What came of each row of each set; an answer is written where it can be scored, and for the samples."""
    total, done, began = sum(map(len, rows.values())), 0, time.monotonic()
    results: dict[str, list[Outcome | Finding]] = {kind: [] for kind in rows}
    for number, (kind, mine) in enumerate(rows.items(), 1):
        share = limits.seconds * number / len(rows)
        written = {row.digest for row in mine[: SAMPLES[kind]]} | {row.digest for row in mine if accepted(row)}
        with closing(outcomes(pairing, mine, frozenset(written), limits.tokens)) as found:
            for result in found:
                if stop():
                    raise Stopped(f"stopped after {done} of {total} rows; nothing of it was kept")
                done += 1
                results[kind].append(result)
                report({"event": "assessing", "done": done, "rows": total})
                if time.monotonic() - began > share:
                    break
    return results


def _samples(kind: str, results: Sequence[Outcome | Finding]) -> list[dict[str, Any]]:
    """The first answers of both, side by side."""
    return [
        {
            "set": kind,
            "question": one.row.prompt[-1]["content"],
            "passages": len(one.row.passages),
            "response": one.row.response if one.row.good is not False else "",
            "answers": list(one.row.answers),
            "base": _shown(one.base),
            "tuned": _shown(one.tuned),
        }
        for one in results[: SAMPLES[kind]]
        if isinstance(one, Outcome)
    ]


def _shown(side: Side) -> str:
    return f"{side.text or ''}…" if side.cut else side.text or ""


def assess_saved(base: Base, adapter: Adapter, home: Path, report: Report, stop: Callable[[], bool]) -> dict[str, Any]:
    """Measure what a run has just saved; what goes wrong is told, and costs nothing of what was trained.

    Returns `verdict` and its `reasons` for the run's last event, in the first process of several. `base` must not be
    trained on afterwards.
    """
    from tuning.base import load_base
    from tuning.general import forgetting_rows

    if not ranks.is_first():
        return {}
    try:
        model = load_base(str(adapter.path), home) if adapter.is_model else None
        compiled = home / "compiled"
        found = assess(base, adapter, forgetting_rows(), report, stop, model=model, compiled=compiled)
        return {"verdict": found["verdict"]["verdict"], "reasons": list(found["verdict"]["reasons"])}
    except (Exception, KeyboardInterrupt) as error:
        why = (str(error).strip() or type(error).__name__).split("\n", 1)[0]
        again = f"`python -m tuning assess {adapter.name}` measures it later"
        report({"event": "note", "text": f"{adapter.name} is saved, but was not measured ({why}); {again}"})
        return {"verdict": "not measured", "reasons": [f"The measurement failed ({why}); {again}."]}
