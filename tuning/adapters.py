"""The adapters on disk: save, list, find, rename, delete. A folder is offered whole or not at all.

`<adapters>/<NAME>/` holds PEFT's `adapter_config.json` and `adapter_model.safetensors`, so that any PEFT program can
load it, and `fourfold.json`, the card: everything that says how the adapter came to be and what it achieved. A model of
its own, all of whose weights were trained, is `<models>/<NAME>/` in the same way, with transformers' files.
"""

import contextlib
import hashlib
import json
import logging
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

from safetensors import SafetensorError, safe_open

from tuning.checkpoints import sync
from tuning.errors import InputError
from tuning.places import give, remove, restore

CARD = "fourfold.json"
CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
MODEL_CONFIG = "config.json"
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
LEFTOVER_SECONDS = 3600
"""A temporary folder older than this belongs to a process that was killed while it wrote."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Adapter:
    """A trained adapter, or a whole trained model, in its folder."""

    name: str
    path: Path
    card: Mapping[str, Any]

    @property
    def base(self) -> str:
        """Name of the base model that it was trained on and works with."""
        return str(self.card["base"])

    @property
    def shown_base(self) -> str:
        """A Hub id as it is; of a folder only its name, since others need not know where files of this machine lie."""
        return self.base if HUB_ID.fullmatch(self.base) else PurePath(self.base).name

    @property
    def digest(self) -> str:
        """SHA-256 of the weights: what a vote refers to, since a name can be given again."""
        return str(self.card["weights_sha256"])

    @property
    def is_model(self) -> bool:
        """Whether it is a model of its own instead of an adapter beside its base."""
        return not (self.path / CONFIG).is_file()

    @property
    def seen(self) -> frozenset[str]:
        """Digests of the rows that it, or an adapter that it goes on from, was trained on or chosen by."""
        rows = self.card.get("rows") or {}
        return frozenset(digest for part in ("train", "validation", "earlier") for digest in rows.get(part, ()))

    @property
    def weight_bytes(self) -> int:
        return sum(path.stat().st_size for path in _weights(self.path))


def check_name(name: str) -> str:
    """The name, if it can be a folder on any system. Raises InputError otherwise."""
    if not NAME.fullmatch(name):
        rule = "1 to 64 letters, digits, dots, dashes or underscores, the first and last a letter or digit"
        raise InputError(f"{name!r} cannot be a name; use {rule}")
    return name


def list_adapters(*folders: Path, note: Callable[[str], None] = log.info) -> list[Adapter]:
    """Adapters in `folders`, the newest first. What is not a whole adapter is left out and told to `note`.

    Where two folders hold the same name, the first folder's adapter is the one that the name means.
    """
    found: dict[str, Adapter] = {}
    for folder in folders:
        restore(folder)
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name.startswith(".") or not path.is_dir():
                continue
            try:
                found.setdefault(path.name, open_adapter(path))
            except (OSError, ValueError, SafetensorError) as error:
                note(f"{path} is not offered: {error}")
    return sorted(found.values(), key=lambda adapter: str(adapter.card["created"]), reverse=True)


def find_adapter(name: str, *folders: Path) -> Adapter:
    """The adapter of that name. Raises InputError with the names that there are."""
    adapters = list_adapters(*folders)
    for adapter in adapters:
        if adapter.name == name:
            return adapter
    names = ", ".join(adapter.name for adapter in adapters) or "none yet"
    raise InputError(f"no adapter {name!r}; there are: {names}")


def open_adapter(path: Path) -> Adapter:
    """The adapter in that folder. Raises OSError, ValueError or SafetensorError where it is not whole."""
    card = json.loads((path / CARD).read_text(encoding="utf-8"))
    missing = {"base", "base_digest", "created", "weights_sha256"} - set(card if isinstance(card, dict) else ())
    if missing:
        raise ValueError(f"{CARD} lacks {', '.join(sorted(missing))}")
    if not (path / CONFIG).is_file() and not (path / MODEL_CONFIG).is_file():
        raise ValueError(f"{CONFIG} is missing")
    json.loads((path / (CONFIG if (path / CONFIG).is_file() else MODEL_CONFIG)).read_text(encoding="utf-8"))
    for file in _weights(path):
        with safe_open(file, framework="pt"):
            pass  # opening checks that the header reads and covers the whole file: one that was cut short is found
    return Adapter(path.name, path, card)


def save_adapter(
    folder: Path, name: str, write: Callable[[Path], None], card: Mapping[str, Any], replace: bool = False
) -> Adapter:
    """Let `write` fill a temporary folder, add the card, sync it, and give it its name in one step.

    Raises InputError if the name is taken (unless it is to `replace` what has it), or the disk full; nothing
    half-written stays behind then.
    """
    check_name(name)
    if not replace:
        refuse_taken(folder, name)
    with new_folder(folder / name, replace) as temporary:
        write(temporary)
        sha256 = _sha256(_weights(temporary))
        created = datetime.now(UTC).isoformat(timespec="seconds")
        full = {"name": name, "created": created, **card, "weights_sha256": sha256}
        (temporary / CARD).write_text(json.dumps(full, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return open_adapter(folder / name)


def _weights(folder: Path) -> list[Path]:
    """The files that hold the weights; a large model has several. Raises ValueError if there are none."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ValueError("no weights in it")
    return files


def _sha256(files: Sequence[Path]) -> str:
    whole = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                whole.update(block)
    return whole.hexdigest()


def refuse_taken(folder: Path, name: str) -> None:
    """Raise InputError if an adapter of that name exists, whatever its case: some file systems know no difference."""
    restore(folder)
    names = {path.name.lower() for path in folder.iterdir()} if folder.is_dir() else set()
    if name.lower() in names:
        raise InputError(f"an adapter {name!r} exists already; choose another name or delete that one first")


def rename_adapter(adapter: Adapter, name: str) -> Adapter:
    """Give an adapter another name, in one step. Votes and lineages know it by its digest, and so keep knowing it.

    Raises InputError for a name that cannot be one or is taken.
    """
    check_name(name)
    target = adapter.path.with_name(name)
    if name.lower() != adapter.name.lower():
        refuse_taken(target.parent, name)
    elif target != adapter.path and target.exists() and not target.samefile(adapter.path):
        raise InputError(f"an adapter {name!r} exists already; choose another name or delete that one first")
    try:
        adapter.path.rename(target)
        sync(target.parent)
    except OSError as error:
        why = error.strerror or error
        raise InputError(f"{adapter.path} could not be renamed ({why}); allow writing to its folder") from error
    return open_adapter(target)


def delete_adapter(adapter: Adapter) -> None:
    """Remove an adapter. It is renamed first, so that nobody can load half of it."""
    try:
        remove(adapter.path)
    except OSError as error:
        why = error.strerror or error
        raise InputError(f"{adapter.path} could not be removed ({why}); allow writing to its folder") from error


@contextmanager
def new_folder(target: Path, replace: bool = False) -> Iterator[Path]:
    """A temporary folder beside `target` that becomes `target`, synced, if nothing is raised; else it is removed."""
    temporary = target.parent / f".{target.name}.{uuid.uuid4().hex}.tmp"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        temporary.mkdir()
        yield temporary
        for path in [*temporary.rglob("*"), temporary]:
            sync(path)
        give(temporary, target, replace)
        sync(target.parent)
    except (OSError, SafetensorError) as error:
        place = f"{target} could not be written ({getattr(error, 'strerror', None) or error})"
        raise InputError(f"{place}; free some disk space or choose another folder") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what killed processes left."""
    for path in folder.glob(".*.tmp"):
        with contextlib.suppress(FileNotFoundError):  # another process swept it, or finished it, in between
            if path.is_dir() and time.time() - path.stat().st_mtime > LEFTOVER_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
