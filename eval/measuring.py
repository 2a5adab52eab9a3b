"""A benchmark that goes on by itself, whatever becomes of the page that asked for it."""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eval.benchmark import Plan, Stopped, run
from eval.errors import USER_ERRORS, InputError
from eval.pace import Pace
from eval.questions import rows_to_ask
from eval.workbench import Workbench


@dataclass(frozen=True)
class Measured:
    """How far a benchmark is."""

    name: str
    done: int = 0
    answers: int = 0
    """All that are wanted; 0 while that is not known yet."""
    seconds_left: float | None = None
    stopping: bool = False
    finished: bool = False
    said: str = ""
    """At the end: what came of it, or what stopped it, in words."""


class Measuring:
    """The benchmarks that the pages start: one at a time, seen by every page, on the engine that answers visitors."""

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._now: Measured | None = None

    @property
    def now(self) -> Measured | None:
        """The benchmark that runs or ran last; None where none was started."""
        return self._now

    def start(self, plan: Plan, file: Path | None, most: int, train: Path | None = None) -> str:
        """Ask the rows of `file`, or those that the plan's adapter never saw, with examples out of `train` where the
        plan wants some; the name of the benchmark.

        The same again goes on where it was stopped. Raises InputError where it cannot begin or another one runs.
        """
        adapter = self.workbench.adapter(plan.adapter)
        rows, training, notes = rows_to_ask(adapter, file, most, train=train, shots=max(plan.shots))
        name = _name(plan, file)
        with self._lock:
            if self._now is not None and not self._now.finished:
                raise InputError(f"The benchmark {self._now.name} is running; wait for it or stop it.")
            self._stop.clear()
            self._now = Measured(name)
        arguments = (rows, training, plan, self.workbench.home / "benchmarks" / name, notes)
        threading.Thread(target=self._run, args=arguments, name="benchmark", daemon=True).start()
        return name

    def stop(self) -> None:
        """Ask it to end; what was answered is kept."""
        if self._now is not None and not self._now.finished:
            self._stop.set()
            self._change(stopping=True)

    def _run(self, rows: list[Any], training: list[Any], plan: Plan, folder: Path, notes: list[str]) -> None:
        try:
            while not self.workbench.settled and not self._stop.wait(0.2):
                pass  # answers of two kinds of step would not be the same when it is run again
            pace = Pace()

            def report(event: Mapping[str, Any]) -> None:
                self._change(done=event["done"], answers=event["answers"], seconds_left=pace.left(event))

            result = run(self.workbench, rows, training, plan, folder, report, self._stop)
            said = f"Finished: {result['rows']} questions, each answered by all. "
            self._end(said + " ".join(f"Note: {note}." for note in [*notes, *result["notes"]]))
        except Stopped:
            self._end("Stopped. What was answered is kept: start the same again, and it goes on from there.")
        except USER_ERRORS as error:
            self._end(str(error))
        except Exception as error:
            self._end(f"It stopped ({error!r}); what was answered is kept, start it again for the rest.")
            raise

    def _end(self, said: str) -> None:
        self._change(finished=True, seconds_left=None, said=said.strip())

    def _change(self, **changes: Any) -> None:
        with self._lock:  # a click and an answer may come together
            assert self._now is not None
            self._now = replace(self._now, **changes)


def _name(plan: Plan, file: Path | None) -> str:
    """Of what is compared on what: letters, digits, dots, dashes and underscores, as a folder's name."""
    parts = [plan.adapter, plan.index or "given"]
    parts += [file.stem] if file else []
    parts += ["few-shot"] if max(plan.shots) else []
    return re.sub(r"[^\w.-]+", "-", "-".join(parts), flags=re.ASCII).strip("-.")[:64]
