"""What may be renamed and removed, and what a vote, a run or the program holds on to."""

from pathlib import Path

import pytest

from tests.tuning.test_adapters import CARDS, write
from tuning import keeping
from tuning.adapters import Adapter, list_adapters, save_adapter
from tuning.config import TrainConfig
from tuning.errors import InputError
from tuning.jobs import create_job

ROWS = Path(__file__).resolve().parents[2] / "data" / "samples" / "rows.jsonl"


@pytest.fixture
def adapter(home: Path) -> Adapter:
    return save_adapter(home / "adapters", "mine", write, CARDS)


@pytest.fixture
def votes(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Votes by digest, in place of a log."""
    counts: dict[str, int] = {}
    monkeypatch.setattr(keeping, "votes_with", lambda digest, home, database: counts.get(digest, 0))
    return counts


def test_votes_hold_an_adapter_until_it_is_said_twice(home: Path, adapter: Adapter, votes: dict[str, int]) -> None:
    votes[adapter.digest] = 3
    with pytest.raises(InputError, match=r"3 votes refer to mine, .* a second time with --even-with-votes"):
        keeping.delete(adapter, home)
    assert list_adapters(home / "adapters") == [adapter]
    assert keeping.delete(adapter, home, even_with_votes=True) == 3
    assert list_adapters(home / "adapters") == []


def test_without_votes_it_goes_at_once(home: Path, adapter: Adapter, votes: dict[str, int]) -> None:
    assert keeping.delete(adapter, home) == 0
    assert list_adapters(home / "adapters") == []


def test_a_log_that_cannot_be_read_may_hold_votes(
    home: Path, adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> int:
        raise InputError("The votes could not be read; check that it can be reached.")

    monkeypatch.setattr(keeping, "votes_with", broken)
    with pytest.raises(InputError, match="mine was not deleted: The votes could not be read"):
        keeping.delete(adapter, home)
    assert keeping.delete(adapter, home, even_with_votes=True) == 0


def test_what_comes_with_the_program_stays(home: Path, tmp_path: Path, votes: dict[str, int]) -> None:
    sample = save_adapter(tmp_path / "samples", "samples", write, CARDS)
    for change in (lambda: keeping.delete(sample, home), lambda: keeping.rename(sample, "other", home)):
        with pytest.raises(InputError, match="samples comes with the program and cannot be"):
            change()
    assert list_adapters(tmp_path / "samples") == [sample]


def test_a_run_that_goes_on_from_it_holds_it(home: Path, adapter: Adapter, votes: dict[str, int]) -> None:
    job = create_job(home, ROWS, "next", TrainConfig(), None, adapter)
    for change in (lambda: keeping.delete(adapter, home), lambda: keeping.rename(adapter, "other", home)):
        with pytest.raises(InputError, match=r"\(next\) goes on from mine; wait for it or stop it"):
            change()
    (job.path / "events.jsonl").write_text('{"event": "stopped", "reason": ""}\n')
    assert keeping.rename(adapter, "other", home).name == "other"


def test_a_model_of_its_own_can_be_renamed_too(home: Path, votes: dict[str, int]) -> None:
    def model(folder: Path) -> None:
        write(folder)
        (folder / "adapter_config.json").rename(folder / "config.json")

    whole = save_adapter(home / "models", "whole", model, CARDS)
    assert keeping.rename(whole, "better", home).is_model
