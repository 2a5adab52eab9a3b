"""A model folder -> one GGUF file, as llama.cpp reads it, by llama.cpp's own converter where that is installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tuning.errors import InputError

SCRIPT = "convert_hf_to_gguf.py"
COMMANDS = (SCRIPT, "convert-hf-to-gguf", "convert_hf_to_gguf")
BESIDE = ("llama-cli", "llama-server", "llama-quantize", "llama.cpp")
"""llama.cpp's own programs: its converter lies in the folder above those of a build."""
VARIABLE = "FOURFOLD_GGUF_CONVERTER"
TYPES = ("f32", "f16", "bf16", "q8_0", "auto")
"""What the converter writes by itself; finer types are made from these by `llama-quantize`."""
MAGIC = b"GGUF"


def converter() -> list[str]:
    """The command that converts. Raises InputError with the remedy where there is none."""
    named = os.environ.get(VARIABLE)
    if named:
        path = Path(named).expanduser()
        path = path / SCRIPT if path.is_dir() else path
        if not path.is_file():
            raise InputError(f"{VARIABLE} names {named}, where no {SCRIPT} is; name the file or llama.cpp's folder")
        return _command(path)
    installed = next((place for name in COMMANDS if (place := shutil.which(name))), None)
    if installed:
        return _command(Path(installed))
    for name in BESIDE:
        program = shutil.which(name)
        for folder in Path(program).resolve().parents[:4] if program else ():
            if (folder / SCRIPT).is_file():
                return _command(folder / SCRIPT)
    raise InputError(
        f"no GGUF converter is installed; fetch llama.cpp and set {VARIABLE} to its {SCRIPT}, or export with --merge"
    )


def _command(path: Path) -> list[str]:
    return [sys.executable, str(path)] if path.suffix == ".py" else [str(path)]


def convert(folder: Path, target: Path, kind: str) -> None:
    """Write the model in `folder` as the file `target`, its weights of the type `kind`.

    Raises InputError where there is no converter, it fails, or what it wrote is no GGUF file.
    """
    if kind not in TYPES:
        raise InputError(f"{kind!r} is no type that the converter writes; choose one of: {', '.join(TYPES)}")
    command = [*converter(), str(folder), "--outfile", str(target), "--outtype", kind]
    try:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    except OSError as error:
        raise InputError(f"{command[0]} cannot be run ({error.strerror}); set {VARIABLE} to another") from error
    if done.returncode:
        said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        why = said[-1] if said else f"it ended with status {done.returncode} and said nothing"
        raise InputError(f"the GGUF converter failed ({why[:300]}); update llama.cpp, or export with --merge")
    if not target.is_file() or not _is_gguf(target):
        raise InputError(f"{command[-5]} wrote no GGUF file; check that it is llama.cpp's {SCRIPT}")


def _is_gguf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC
