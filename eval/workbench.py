"""What a running app holds in memory: one engine, one embedder, and the indexes and adapters on the disk beside them.

Loading takes seconds to a minute and happens in the background; until then every part answers with what is going on.
"""

import atexit
import json
import os
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eval.errors import USER_ERRORS, InputError
from rag.library import Library

if TYPE_CHECKING:  # these pull in torch, which must not hold up the page
    from rag.embedder import Embedder
    from rag.index import Index
    from tuning.adapters import Adapter
    from tuning.engine import Engine
    from tuning.request import Answer, Request
    from tuning.warmup import WarmUp

SAMPLES = Path(__file__).resolve().parent.parent / "data" / "samples"
SAMPLE_INDEX = "samples"
RESIDENT = 4
"""Adapters kept beside the weights; each costs memory and a little of every step, so the one used longest ago goes."""


@dataclass(frozen=True)
class Progress:
    """How far the loading is."""

    step: str
    """What is being done now, or what stopped it, in words."""
    seconds: float
    ready: bool = False
    failed: bool = False


def sample_questions() -> tuple[list[str], list[str]]:
    """What the sample rows ask, as far as it was trained on: facts and cards of the documents; what no document says.

    The other rows measure, and choose nothing.
    """
    rows = [json.loads(line) for line in (SAMPLES / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    trained = [row for row in rows if row["split"] == "train"]
    answerable = [row["prompt"] for row in trained if row["task"] in ("fact", "revised", "card")]
    return answerable, [row["prompt"] for row in trained if row["task"] == "refusal"]


class Workbench:
    """Models, indexes and adapters of one `FOURFOLD_HOME`."""

    def __init__(self, home: Path, base: str | None = None, embedder: str | None = None, int8: bool = False) -> None:
        self.home = home
        self._names = base, embedder
        self._int8 = int8
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._progress = Progress("Starting", 0.0)
        self._engine: Engine | None = None
        self._warmup: WarmUp | None = None
        self._embedder: Embedder | None = None
        self._library = Library(self.indexes, self.embedder)
        self._resident: OrderedDict[str, str] = OrderedDict()
        self._generate = on_gpu(self._stream)

    @property
    def indexes(self) -> Path:
        return self.home / "indexes"

    @property
    def adapter_folders(self) -> tuple[Path, Path]:
        """Where adapters stand: the user's own, then the sample."""
        return self.home / "adapters", SAMPLES / "adapter"

    @property
    def progress(self) -> Progress:
        now = self._progress
        return now if now.ready or now.failed else Progress(now.step, time.monotonic() - self._started)

    @property
    def decoder(self) -> str:
        """Which code computes the answers, or why it is not the fast one, in words."""
        return self._warmup.state if self._warmup else "not compiled"

    @property
    def settled(self) -> bool:
        """Whether answers are computed as they will be from now on: no decoder is being compiled or loaded."""
        return self._warmup is None or self._warmup.settled.is_set()

    def start(self) -> None:
        """Load in the background, then compile what makes the answers come faster."""

        def prepare() -> None:
            self.load()
            if self.progress.ready:
                self.warm_up()

        threading.Thread(target=prepare, name="loading", daemon=True).start()

    def warm_up(self) -> None:
        """Bring the engine to its compiled step, in the background."""
        self._warm().start()

    def warm_up_first(self, compile_missing: bool) -> None:
        """The same before anything is answered, so that all answers come from one kind of step and are repeatable."""
        self._warm().run(compile_missing)

    def _warm(self) -> "WarmUp":
        from tuning.warmup import WarmUp

        self._warmup = WarmUp(self.engine(), self.home / "compiled", lambda line: sys.stderr.write(f"{line}\n"))
        atexit.register(self._warmup.stop)
        return self._warmup

    def load(self) -> None:
        """Load everything; failures end in `progress`, for every page to show."""
        try:
            self._load()
        except USER_ERRORS as error:
            self._progress = Progress(str(error), self._elapsed(), failed=True)
        except Exception as error:
            self._progress = Progress(f"Loading failed: {error!r}; see the terminal.", self._elapsed(), failed=True)
            raise
        else:
            self._progress = Progress("Ready", self._elapsed(), ready=True)

    def engine(self) -> "Engine":
        """The engine. Raises InputError while it loads, saying what is going on."""
        if self._engine is None:
            raise InputError(self._wait())
        return self._engine

    def embedder(self) -> "Embedder":
        """The embedder. Raises InputError while it loads, saying what is going on."""
        if self._embedder is None:
            raise InputError(self._wait())
        return self._embedder

    def index_names(self) -> list[str]:
        """Names of the indexes on disk, the sample first."""
        names = sorted(path.name for path in self.indexes.glob("[!.]*") if path.is_dir())
        return sorted(names, key=lambda name: name != SAMPLE_INDEX)

    def index(self, name: str) -> "Index":
        """The index called `name`, which must be on disk."""
        if name not in self.index_names():
            raise InputError(f"There is no index {name!r}; add documents on the Documents page.")
        return self._library.open(name)

    def adapters(self) -> "list[Adapter]":
        from tuning.adapters import list_adapters

        return list_adapters(*self.adapter_folders)

    def adapter(self, name: str) -> "Adapter":
        """The adapter called `name`, resident in the engine from now on."""
        from tuning.adapters import find_adapter

        found = find_adapter(name, *self.adapter_folders)
        engine = self.engine()
        with self._lock:
            if self._resident.get(name) != found.digest:
                engine.attach(name, found.path)
                self._resident[name] = found.digest
            self._resident.move_to_end(name)
            while len(self._resident) > RESIDENT:
                engine.detach(self._resident.popitem(last=False)[0])
        return found

    def generate(
        self, requests: "Sequence[Request]", user: str = "", stop: threading.Event | None = None
    ) -> "Iterator[list[Answer]]":
        """Stream the answers to all requests as one call: one allocation of a GPU where those are lent by the call.

        Users are served in turn. Raises InputError when too much waits already.
        """
        # No event reaches the process that a lent GPU is used in; closing the iterator ends the answers there too.
        return self._generate(requests, user, None if os.environ.get("SPACES_ZERO_GPU") else stop)

    def _stream(
        self, requests: "Sequence[Request]", user: str, stop: threading.Event | None
    ) -> "Iterator[list[Answer]]":
        for name in {request.adapter for request in requests} - {None}:
            self.adapter(str(name))  # others may have taken its place since the request was worded
        yield from self.engine().stream(requests, stop, user)

    def _load(self) -> None:
        self._report("Starting the embedder")
        from rag.embedder import Embedder

        self._embedder = Embedder(self._names[1])
        if not (self.indexes / SAMPLE_INDEX).exists():
            self._report("Indexing the sample documents (once)")
            self._index_samples(self._embedder)
        self._report("Starting the language model")
        from tuning.base import load_base
        from tuning.engine import Engine

        self._engine = Engine(load_base(self._names[0], self.home, self._report, self._int8))

    def _index_samples(self, embedder: "Embedder") -> None:
        from rag.index import Index

        files = sorted((SAMPLES / "documents").iterdir())
        index = Index(self.indexes / SAMPLE_INDEX, embedder)
        report = index.add((file.name, file.read_bytes()) for file in files)
        if report.failed:
            raise InputError(f"The sample documents could not be indexed: {report.failed[0]}.")
        self._calibrate_samples(index)

    def _calibrate_samples(self, index: "Index") -> None:
        """Choose the floor from what the sample rows ask: facts of the documents, and what no document says."""
        from rag.calibration import GENERAL, read_questions
        from rag.floor import calibrate

        if (SAMPLES / "rows.jsonl").is_file():
            answerable, foreign = sample_questions()
            foreign += read_questions(GENERAL)
            calibrate(index, answerable[::3], foreign[::3])  # as many as 2 s allow

    def _report(self, step: str) -> None:
        self._progress = Progress(step, self._elapsed())

    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    def _wait(self) -> str:
        now = self.progress
        if now.failed:
            return now.step
        return f"The models are still loading ({now.step}, {now.seconds:.0f} s so far); try again in a moment."


Generate = Callable[["Sequence[Request]", str, threading.Event | None], "Iterator[list[Answer]]"]


def on_gpu(generate: Generate) -> Generate:
    """`generate` under the decorator of a Space that lends its GPU by the call; `generate` itself everywhere else."""
    if not os.environ.get("SPACES_ZERO_GPU"):
        return generate
    import spaces

    decorated: Generate = spaces.GPU(duration=60)(generate)
    return decorated
