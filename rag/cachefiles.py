"""How far the cache files of an index follow its store, by what lies on the disk: no cache is loaded for it."""

from pathlib import Path

import numpy as np

from .snapshot import Snapshot

VERSIONS = {"vectors": 2, "words": 3}
"""Of the files of each kind, and of what is taken for a word: files of another version are not read."""


def lacking(folder: Path, snapshot: Snapshot) -> dict[str, int]:
    """For each kind of cache, how many chunks the next search must build it for; 0 where it is up to date."""
    ids = snapshot.chunk_ids()
    return {kind: int(np.setdiff1d(ids, _held(folder, kind, snapshot.uuid)).size) for kind in VERSIONS}


def files(folder: Path) -> list[str]:
    """Names of the cache files that lie there, in order."""
    return sorted(path.name for path in folder.glob("*.safetensors"))


def _held(folder: Path, kind: str, store: str) -> np.ndarray:
    """Ids of the chunks that the files of a kind were made of, int64 (n,)."""
    from safetensors import SafetensorError, safe_open

    held = [np.empty(0, np.int64)]
    for path in folder.glob(f"{kind}-{store[:12]}-{VERSIONS[kind]}-*.safetensors"):
        try:
            with safe_open(path, "np") as file:  # this one array, without the rest and its checksum
                held.append(file.get_tensor("ids"))
        except (OSError, SafetensorError):  # gone, as when parts merge, or damaged: it is built again
            continue
    return np.concatenate(held)
