"""What a run found out before its first step, kept beside its checkpoints for when it goes on from one.

The precision must not change then, nor the learning rate that a sweep chose; and the base model need not be measured
twice.
"""

import contextlib
import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError

from tuning import ranks
from tuning.adapters import Adapter, check_name, open_adapter, refuse_taken
from tuning.places import restore
from tuning.process import write_json

T = TypeVar("T")


class Before:
    """The facts in `work/before.json`, as long as they are of the same run.

    `of` tells runs apart: whatever the training depends on. Where it differs from what is on the disk, the facts and
    the checkpoints in `work` are another run's, and are removed.
    """

    def __init__(self, work: Path, of: Mapping[str, Any]) -> None:
        self._path = work / "before.json"
        self.checkpoints = work / "checkpoints"
        digest = hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()
        self._facts = ranks.first_does(lambda: self._begin(digest))

    @property
    def run(self) -> str:
        """A name for this run that no other has."""
        return str(self._facts["run"])

    def recall(self, name: str, find: Callable[[], T]) -> T:
        """What `find` returned when the run was first asked for `name`: any value that JSON holds."""
        if name not in self._facts:
            value = find()  # by every process, since they may have to find it together
            self._facts[name] = ranks.first_does(lambda: value)
            if ranks.is_first():
                write_json(self._path, self._facts)
        found: T = self._facts[name]
        return found

    def saved(self, adapters: Path, name: str) -> Adapter | None:
        """What this very run has saved as `adapters/name` before it was stopped or killed; None if nothing.

        Raises InputError if the name cannot be used, or is another adapter's.
        """
        check_name(name)
        restore(adapters)
        with contextlib.suppress(OSError, ValueError, SafetensorError):
            adapter = open_adapter(adapters / name)
            if adapter.card.get("run") == self.run:
                return adapter
        refuse_taken(adapters, name)
        return None

    def _begin(self, digest: str) -> dict[str, Any]:
        facts = self._read()
        if facts.get("of") != digest:
            shutil.rmtree(self.checkpoints, ignore_errors=True)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            facts = {"of": digest, "run": uuid.uuid4().hex}
            write_json(self._path, facts)
        return facts

    def _read(self) -> dict[str, Any]:
        try:
            facts = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return facts if isinstance(facts, dict) else {}
