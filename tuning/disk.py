"""Room on the disk: what a run will need, reckoned from the base model's shapes before it starts."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuning.config import TrainConfig
from tuning.errors import InputError

DEFAULT = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""As in `tuning.base`, which cannot be imported here: it imports a model library."""

TRAINED_BYTES = 12
"""Of a weight in a checkpoint: itself and the two averages of AdamW, in float32."""

CHECKPOINTS = 3
"""The newest, the best, and the one being written."""

SAVED_BYTES = 4
"""Of a weight in what is saved at the end, at most."""

BESIDE_BYTES = 50_000_000
"""The rows, the log, what the process prints, and some room for the rest of the machine."""

UNKNOWN_BYTES = 500_000_000
"""Asked for where the base model is not on the disk yet, so that its shapes are not known."""


def refuse_full(home: Path, config: TrainConfig, base: str | None) -> None:
    """Raise InputError if the disk of `home` has too little room for a run."""
    free, needed = shutil.disk_usage(home).free, needed_bytes(home, config, base)
    if free < needed:
        raise InputError(
            f"{home} has {free / 1e6:,.0f} MB free; this run needs {needed / 1e6:,.0f} MB for its checkpoints, so make "
            "room first" + ("" if config.method == "full" else " or lower the rank")
        )


def needed_bytes(home: Path, config: TrainConfig, base: str | None) -> int:
    """Most bytes that a run has on the disk at once."""
    folder = _folder(home, base)
    shapes = list(_shapes(folder)) if folder else []
    if not shapes:
        return UNKNOWN_BYTES
    if config.method == "full":
        weights = sum(rows * columns for _, rows, columns in shapes)
    else:
        linear = [(rows, columns) for name, rows, columns in shapes if columns > 1 and not _apart(name)]
        weights = sum(config.rank * (rows + columns) for rows, columns in linear)
        if config.method == "dora":
            weights += sum(rows for rows, _ in linear)
    return weights * (TRAINED_BYTES * CHECKPOINTS + SAVED_BYTES) + BESIDE_BYTES


def _apart(name: str) -> bool:
    """Whether the matrix has no adapter: embeddings and the output layer."""
    return "embed" in name or "lm_head" in name or "wte" in name or "wpe" in name


def _folder(home: Path, base: str | None) -> Path | None:
    """Where the base model's files are, if that can be told without asking anybody."""
    if base and Path(base).is_dir():
        return Path(base)
    from huggingface_hub import constants

    name = base or DEFAULT
    cached = Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}" / "snapshots"
    found = [*sorted(cached.glob("*")), home / "base" / name.split("/")[-1], home / "models" / name]
    return next((folder for folder in found if any(folder.glob("*.safetensors"))), None)


def _shapes(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Name, rows and columns of every weight in the folder's safetensors files; a vector has one column."""
    for path in sorted(folder.glob("*.safetensors")):
        for name, entry in _header(path).items():
            if name != "__metadata__":
                rows, *rest = entry["shape"] or [1]
                yield name, rows, _product(rest)


def _header(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        return dict(header)
    except (OSError, ValueError, MemoryError, OverflowError):
        return {}  # a file that is broken is found and named when it is loaded


def _product(numbers: list[int]) -> int:
    product = 1
    for number in numbers:
        product *= number
    return product
