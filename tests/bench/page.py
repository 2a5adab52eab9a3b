"""Seconds from `python app.py` to its first page, against a bare gradio page started the same way."""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from typing import Any

from tests.conftest import REPO

BARE = """
import sys, gradio as gr
with gr.Blocks() as demo:
    gr.Markdown("bare")
demo.launch(server_port=int(sys.argv[2]), quiet=True)
"""


def measure(rounds: int) -> dict[str, Any]:
    """Median seconds of both and their ratio."""
    ways = {"app": ["app.py"], "bare": ["-c", BARE]}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            seconds[name].append(seconds_until_up(way))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {"ratio": medians["app"] / medians["bare"], "median_seconds": medians, "rounds": rounds}


def seconds_until_up(way: list[str]) -> float:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "FOURFOLD_HOME": home, "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *way, "--port", str(port)], cwd=REPO, env=environment, stderr=subprocess.DEVNULL
        )
        try:
            while process.poll() is None:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
                    return time.perf_counter() - start
                except OSError:
                    time.sleep(0.02)
            raise RuntimeError(f"{way} ended with {process.returncode}")
        finally:
            process.kill()
            process.wait()
