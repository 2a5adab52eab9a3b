"""What a run would take, found out by a process of its own: a page must not load a second model into its memory.

`python -m tuning.estimating FOLDER` reads `asked.json` there and prints the estimate as JSON, or why there is none.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuning.adapters import Adapter, open_adapter
from tuning.config import TrainConfig
from tuning.errors import InputError
from tuning.process import PATIENT_THREADS, write_json
from tuning.recipe import Recipe

if TYPE_CHECKING:
    from tuning.pace import Estimate

ASKED = "asked.json"
MOST_SECONDS = 600.0


def foresee(
    home: Path, recipe: Recipe, config: TrainConfig, base: str | None, start: Adapter | None = None
) -> dict[str, Any]:
    """The fields of such a run's `Estimate`, in half a minute or so. Raises InputError where it could not begin."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asked = {
            "home": str(home.resolve()),
            "recipe": recipe.copied(folder / "rows"),
            "config": asdict(config),
            "base": base,
            "start": str(start.path.resolve()) if start else None,
        }
        write_json(folder / ASKED, asked)
        try:
            done = subprocess.run(
                [sys.executable, "-m", "tuning.estimating", str(folder)],
                cwd=Path(__file__).resolve().parent.parent,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=MOST_SECONDS,
                env={**os.environ, **PATIENT_THREADS},
                text=True,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise InputError("a few steps took longer than ten minutes; try when the machine is less busy") from error
    lines = done.stdout.splitlines() or [""]
    try:
        said = dict(json.loads(lines[-1]))
    except ValueError as error:
        last = (done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"])[-1]
        raise InputError(f"the steps could not be timed: {last}") from error
    if "error" in said:
        raise InputError(str(said["error"]))
    return said


def answer(folder: Path) -> dict[str, Any]:
    """What `asked.json` in the folder asks for."""
    from tuning.failures import name_failure

    try:
        return vars(_estimate(json.loads((folder / ASKED).read_text(encoding="utf-8")), folder))
    except InputError as error:
        return {"error": str(error)}
    except Exception as error:
        return {"error": name_failure(error, False).reason}


def _estimate(asked: Mapping[str, Any], folder: Path) -> "Estimate":
    from tuning.base import load_base
    from tuning.dialogues import load
    from tuning.train import estimate

    base = load_base(asked["base"], Path(asked["home"]))
    config = TrainConfig(**asked["config"])
    config = replace(config, max_length=min(config.max_length, base.context))
    data = load(Recipe.from_json(asked["recipe"], folder / "rows"), base.tokenizer, config.max_length, config.seed)
    return estimate(base, data, config, open_adapter(Path(asked["start"])) if asked["start"] else None)


if __name__ == "__main__":
    from tuning.worker import quiet, yield_to_others

    yield_to_others()
    quiet()
    sys.stdout.write(json.dumps(answer(Path(sys.argv[1]))) + "\n")
