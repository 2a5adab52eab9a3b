"""The compiled step off the user's path: an engine serves at once, and is switched over when the compiler is done."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from tuning.engine import Engine
from tuning.errors import InputError
from tuning.native import build
from tuning.native.graph import check
from tuning.native.step import Native

log = logging.getLogger(__name__)

Report = Callable[[str], object]


class WarmUp:
    """Brings one engine to its compiled step, which is kept in a folder, so that the next start has it at once."""

    def __init__(self, engine: Engine, folder: Path, report: Report = log.info) -> None:
        self._engine, self._folder, self._report = engine, folder, report
        self._build = build.Build(folder, engine.base.model)
        self.state = "not compiled"
        """What is going on, in words for the page."""
        self.settled = threading.Event()
        """Set once the engine stays with the step that it has."""

    def start(self) -> None:
        """Do it in the background; a failure is reported once and leaves the engine as it is."""
        threading.Thread(target=self.run, name="warm-up", daemon=True).start()

    def run(self, compile_missing: bool = True) -> None:
        """Switch the engine over, compiling first what is missing unless told not to."""
        try:
            self._run(compile_missing)
        finally:
            self.settled.set()

    def _run(self, compile_missing: bool) -> None:
        if self._engine.base.device.type != "cpu":
            self.state = "on the GPU"
            return
        try:
            check(self._engine.base.model, self._engine.shapes)
            graph = self._load()
            if graph is None and compile_missing:
                self._say("Compiling a faster decoder (about a minute, once)")
                self._build.run()
                graph = build.load(self._folder, self._engine.base.model)
            if graph is not None:
                base = self._engine.base
                self._engine.use(Native(base.model, self._engine.pool, graph, int8=base.int8))
                self._say("The compiled decoder is in use")
        except (InputError, OSError, RuntimeError) as error:
            self._say(f"Decoding without the compiled step: {str(error).strip()}")

    def _load(self) -> int | None:
        try:
            return build.load(self._folder, self._engine.base.model)
        except (OSError, RuntimeError) as error:
            log.warning("compiled files could not be loaded (%s); compiling anew", error)
            build.discard(self._folder, self._engine.base.model)
            return None

    def stop(self) -> None:
        self._build.stop()

    def _say(self, words: str) -> None:
        self.state = words
        self._report(words)
