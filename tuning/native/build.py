"""Compiled files on disk: found by everything that they depend on, made in a process of its own, loaded once.

`<folder>/kernels-<hash>.so` holds the operators, `<folder>/graph-<hash>.so` the step of one model shape. A file appears
under its name when it is whole. The compiler runs at the lowest priority, so that it takes the time nobody wants.
"""

import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import torch
from transformers import PreTrainedModel

from tuning.errors import InputError
from tuning.native import graph as graph_module
from tuning.precision import processor

KERNELS = Path(__file__).with_name("kernels.cpp")
FLAGS = ("-O3", "-march=native", "-ffast-math", "-fno-finite-math-only", "-std=c++20", "-shared", "-fPIC")
_loading = threading.Lock()


def compiler() -> str | None:
    """The C++ compiler's path, or None."""
    return shutil.which(os.environ.get("CXX") or "g++") or shutil.which("g++") or shutil.which("clang++")


def kernels_file(folder: Path) -> Path:
    """Where the operators stand, compiled or not."""
    sources = [path.read_text(encoding="utf-8") for path in sorted([KERNELS, *KERNELS.parent.glob("*.h")])]
    return folder / f"kernels-{digest(sources, FLAGS, processor())}.so"


def graph_file(folder: Path, model: PreTrainedModel) -> Path:
    """Where the step of `model` stands, compiled or not."""
    source = Path(graph_module.__file__).read_text(encoding="utf-8")
    versions = [importlib.metadata.version(name) for name in ("torch", "transformers")]
    return folder / f"graph-{digest(shape(model), str(model.dtype), source, versions, processor())}.so"


def shape(model: PreTrainedModel) -> dict[str, object]:
    """The model's config without what names it or says how to use it."""
    ignored = {"_name_or_path", "dtype", "transformers_version", "architectures", "id2label", "label2id"}
    return {key: value for key, value in model.config.to_dict().items() if key not in ignored}


def digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def load(folder: Path, model: PreTrainedModel) -> int | None:
    """The number of the model's compiled graph, its operators loaded; None where it is not compiled yet."""
    kernels, graph = kernels_file(folder), graph_file(folder, model)
    if not (kernels.is_file() and graph.is_file()):
        return None
    for path in (kernels, graph, graph.with_suffix(".json")):
        os.utime(path)  # in use, see `clean`
    with _loading:  # operators can be registered once a process
        if not hasattr(torch.ops.fourfold, "run_graph"):
            torch.ops.load_library(str(kernels))  # type: ignore[no-untyped-call]
    number: int = torch.ops.fourfold.load_graph(str(graph))
    return number


def discard(folder: Path, model: PreTrainedModel) -> None:
    """Remove files that cannot be loaded, so that they are compiled anew."""
    graph = graph_file(folder, model)
    for path in (kernels_file(folder), graph, graph.with_suffix(".json")):
        path.unlink(missing_ok=True)


class Build:
    """One compilation in the background."""

    def __init__(self, folder: Path, model: PreTrainedModel) -> None:
        self._folder, self._model = folder, model
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False

    def run(self) -> None:
        """Compile what is missing. Raises InputError with the reason where it cannot be done."""
        if compiler() is None:
            raise InputError("there is no C++ compiler (on Debian: apt install g++)")
        self._folder.mkdir(parents=True, exist_ok=True)
        clean(self._folder)
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=".making-") as scratch:
            kernels, graph = kernels_file(self._folder), graph_file(self._folder, self._model)
            if not kernels.is_file():
                made = Path(scratch) / "kernels.so"
                self._call(kernels_command(made), Path(scratch))
                publish(made, kernels)
            if not graph.is_file():
                self._model.config.save_pretrained(scratch)
                made, dtype = Path(scratch) / "graph.so", str(self._model.dtype).removeprefix("torch.")
                command = [sys.executable, "-m", "tuning.native.graph", scratch, dtype, str(kernels), str(made)]
                self._call(command, Path(scratch))
                publish(made.with_suffix(".json"), graph.with_suffix(".json"))
                publish(made, graph)

    def stop(self) -> None:
        """End the compiler if it runs."""
        self._ended = True
        if self._process and self._process.poll() is None:
            self._process.kill()

    def _call(self, command: list[str], scratch: Path) -> None:
        log = scratch / "log"
        environment = {
            **os.environ,
            "TORCHINDUCTOR_CACHE_DIR": str(scratch / "cache"),
            "TORCHINDUCTOR_COMPILE_THREADS": "1",
            "TMPDIR": str(scratch),
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "PYTHONPATH": os.pathsep.join([str(KERNELS.parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]),
        }
        if self._ended:
            raise InputError("it was stopped")
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                ["nice", "-n", "19", *command] if shutil.which("nice") else command,
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=environment, cwd=scratch,
            )  # fmt: skip
            status = self._process.wait()
        if status:
            lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
            reason = (
                "it was stopped" if self._ended else lines[-1][:300] if lines else f"the compiler ended with {status}"
            )
            raise InputError(reason)


def kernels_command(out: Path) -> list[str]:
    root = Path(torch.__file__).parent
    includes = [f"-I{root / 'include'}", f"-I{root / 'include' / 'torch' / 'csrc' / 'api' / 'include'}"]
    libraries = [f"-L{root / 'lib'}", "-ltorch", "-ltorch_cpu", "-lc10", f"-Wl,-rpath,{root / 'lib'}", "-pthread"]
    return [compiler() or "g++", *FLAGS, *includes, str(KERNELS), "-o", str(out), *libraries]


def publish(made: Path, target: Path) -> None:
    """Give a finished file its name, on the disk before it can be found."""
    with made.open("rb") as file:
        os.fsync(file.fileno())
    made.replace(target)


def clean(folder: Path) -> None:
    """Remove what a killed compilation left behind, and files of other versions that no start has used for a month."""
    for path in folder.iterdir():
        age = time.time() - path.stat().st_mtime
        if path.name.startswith(".making-") and age > 3600:
            shutil.rmtree(path, ignore_errors=True)
        elif path.suffix in (".so", ".json") and age > 30 * 24 * 3600:
            path.unlink(missing_ok=True)
