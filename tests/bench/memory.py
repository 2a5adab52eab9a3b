"""Peak memory of a process that answers one comparison, over the size of the weights on the disk.

A process of its own loads the default base and the adapter and writes four answers of the app's usual length after
prompts with passages; its high-water mark of resident memory is read then, and twice on the way: when the libraries are
imported, and when everything is loaded. That counts the shared libraries' pages that it touched.
"""

import json
import re
import statistics
import subprocess
import sys
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.bench.loading import HOME, ask, four, log, long_question, make_engine
from tests.conftest import REPO
from tuning.base import find_base

TOKENS = 160
WAYS = {"compiled": {}, "int8": {"int8": True}, "eager": {"compiled": False}}
CHILD = "import json, sys; from tests.bench.memory import peaks; print(json.dumps(peaks(**json.loads(sys.argv[1]))))"


def measure(rounds: int) -> dict[str, Any]:
    """Median GB by way and stage, and the peaks over the size of the weights."""
    gigabytes: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for round_ in range(rounds + 1):
        for name, way in WAYS.items():
            done = subprocess.run(
                [sys.executable, "-c", CHILD, json.dumps(way)], cwd=REPO, stdout=subprocess.PIPE, text=True, check=True
            )
            for stage, value in json.loads(done.stdout.splitlines()[-1]).items() if round_ else ():
                gigabytes[name][stage].append(value)  # the first round finds out the precision, and compiles
    folder, _ = find_base(None, HOME, log)
    weights = sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 1e9
    medians = {
        name: {stage: statistics.median(values) for stage, values in stages.items()}
        for name, stages in gigabytes.items()
    }
    return {
        "ratio": medians["compiled"]["peak"] / weights,
        "ratios": {f"{name} / weights": stages["peak"] / weights for name, stages in medians.items()},
        "median_gigabytes": medians,
        "weights_gigabytes": weights,
        "rounds": rounds,
    }


def peaks(int8: bool = False, compiled: bool = True) -> dict[str, float]:
    """GB at most so far, at three stages of this process."""
    imported = high_water()
    with closing(make_engine(int8, compiled)) as engine:
        loaded = high_water()
        ask(engine, four(0, TOKENS, [long_question(engine.base)]))
        assert engine.compiled == compiled
    return {"libraries": imported, "loaded": loaded, "peak": high_water()}


def high_water() -> float:
    # Not getrusage, whose figure a process inherits from the one that started it.
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    if found is None:
        raise RuntimeError("this system does not tell a process's peak memory")
    return int(found[1]) * 1024 / 1e9
