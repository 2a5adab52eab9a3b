"""What every test of the tuning package has."""

import pytest


@pytest.fixture(autouse=True)
def own_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that trains in this process would lower the priority of all tests after it."""
    monkeypatch.setattr("tuning.worker.yield_to_others", lambda: None)
