"""How long torch's threads may spin while they wait for one another: decoding on idle cores, and beside busy programs.

`default` is torch's own setting, `bounded` the one of app.py, `none` never spins. Each way decodes in a process of its
own, since the setting is read when torch is loaded; beside busy programs one that takes `PATIENCE` seconds is ended and
counts as that long, so that its ratio is a lower bound.
"""

import os
import statistics
import subprocess
import sys
from typing import Any

from tests.conftest import REPO

WAYS = {"default": {}, "bounded": {"GOMP_SPINCOUNT": "20000"}, "none": {"OMP_WAIT_POLICY": "PASSIVE"}}
PATIENCE = 60.0
DECODE = """
import time
from tests.bench.decode import in_the_engine
run = in_the_engine(compiled=False)
print(flush=True)
start = time.perf_counter()
run(0)
print(time.perf_counter() - start)
"""


def measure(rounds: int) -> dict[str, Any]:
    """Median seconds of each way, idle and beside as many busy programs as there are cores; ratios to `bounded`."""
    seconds: dict[str, dict[str, float]] = {}
    for place, busy in (("idle", 0), ("busy", os.cpu_count() or 1)):
        burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
        try:
            seconds[place] = {
                name: statistics.median(decode_seconds(way) for _ in range(rounds)) for name, way in WAYS.items()
            }
        finally:
            for burner in burners:
                burner.kill()
                burner.wait()
    ratios = {
        f"{place}: {name} / bounded": values[name] / values["bounded"]
        for place, values in seconds.items()
        for name in ("default", "none")
    }
    return {"ratios": ratios, "median_seconds": seconds, "patience_seconds": PATIENCE, "rounds": rounds}


def decode_seconds(way: dict[str, str]) -> float:
    """Seconds of one comparison, the loading of the model left out."""
    environment = {key: value for key, value in os.environ.items() if key not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    process = subprocess.Popen(
        [sys.executable, "-c", DECODE], cwd=REPO, env={**environment, **way}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    try:
        return float(process.communicate(timeout=PATIENCE)[0])
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return PATIENCE
