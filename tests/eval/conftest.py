"""A workbench over a tiny base, the real embedder, two documents and an adapter with random weights."""

import json
import shutil
from pathlib import Path

import pytest

import eval.workbench
from eval.workbench import Workbench
from tests.tiny import make_adapter

DOCUMENTS = {
    "lighthouse.md": "# Lighthouse\n\nThe keeper of the lighthouse is called Orla. The lamp is lit at six.",
    "harbour.txt": "The harbour master weighs every herring twice. The scales stand by the pier.",
}


def make_card(folder: Path) -> None:
    card = {"base": "tiny", "base_digest": "0", "created": "2026-01-01T00:00:00+00:00", "weights_sha256": "ab" * 32}
    (folder / "fourfold.json").write_text(json.dumps({**card, "name": folder.name}))


@pytest.fixture(scope="session")
def samples(tiny_base_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out as `data/samples`."""
    folder = tmp_path_factory.mktemp("samples")
    (folder / "documents").mkdir()
    for name, text in DOCUMENTS.items():
        (folder / "documents" / name).write_text(text)
    make_card(make_adapter(tiny_base_path, folder / "adapter" / "samples"))
    return folder


@pytest.fixture
def workbench(samples: Path, tiny_base_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    """Not loaded yet."""
    monkeypatch.setattr(eval.workbench, "SAMPLES", samples)
    return Workbench(home, base=str(tiny_base_path))


@pytest.fixture
def loaded(workbench: Workbench) -> Workbench:
    workbench.load()
    assert workbench.progress.ready, workbench.progress
    return workbench


def copy_adapter(samples: Path, home: Path, name: str) -> None:
    shutil.copytree(samples / "adapter" / "samples", home / "adapters" / name)
    make_card(home / "adapters" / name)
