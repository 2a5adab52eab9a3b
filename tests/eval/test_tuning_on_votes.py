"""From votes to a run in the queue, which goes on from what was voted on."""

import json
from pathlib import Path
from typing import Any

import pytest

import tuning.jobs
from eval.__main__ import main
from eval.errors import InputError
from eval.tuning_on_votes import tune
from eval.variants import IDS
from eval.votes import Votes, database_url
from tests.eval.conftest import copy_adapter
from tests.eval.making import make_vote
from tuning.jobs import list_jobs


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs that would have begun: what a run does has its own tests."""
    runs: list[str] = []
    monkeypatch.setattr(tuning.jobs, "start_job", lambda job: runs.append(job.name))
    return runs


def cast(count: int = 12, **changes: Any) -> list[Any]:
    """Votes for `combined`, each on a question of its own that all four were asked without passages."""
    return [
        make_vote(
            f"c{number}",
            prompts={id: [{"role": "user", "content": f"{number}?"}] for id in IDS},
            answers={id: f"{id} {number}" for id in IDS},
            choice="combined",
            acceptable=True,
            **changes,
        )
        for number in range(count)
    ]


def test_a_run_goes_on_from_the_adapter_that_was_voted_on(samples: Path, home: Path, started: list[str]) -> None:
    copy_adapter(samples, home, "mine")
    votes = cast(configuration={"adapter": {"name": "an old name", "digest": "ab" * 32}})
    job = tune(votes, "dpo", "preferred", home, [home / "adapters"])
    assert started == ["preferred"]
    assert job.told["config"]["method"] == "dpo"
    assert Path(job.told["start"]).name == "mine"
    rows = [row for table in job.recipe.rows() for row in table]
    assert {row.kind for row in rows} == {"preferences"}
    assert len({row.source for row in rows}) == 12
    assert tune(votes, "kto", "fresh", home, [home / "adapters"], "base").told["start"] is None


@pytest.mark.parametrize(
    ("votes", "kind", "start", "remedy"),
    [
        (cast(), "csv", None, "give --format dpo, kto or sft"),
        (cast(2), "dpo", None, "fewer than 8; vote on more"),
        (cast(), "dpo", "other", "no adapter 'other'"),
    ],
)
def test_what_cannot_be_trained_on_is_said(
    votes: list[Any], kind: str, start: str | None, remedy: str, home: Path
) -> None:
    with pytest.raises(ValueError, match=remedy):
        tune(votes, kind, "preferred", home, [home / "adapters"], start)
    assert list_jobs(home) == []


def test_the_command_reports_and_queues(home: Path, started: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    log = Votes(database_url(home))
    for vote in cast():
        log.append(vote)
    log.close()
    assert main(["export", "--format", "dpo", str(home / "rows.jsonl"), "--tune", "preferred", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["report"]["rows"] == len((home / "rows.jsonl").read_text().splitlines())
    assert [job.id for job in list_jobs(home)] == [told["job"]]
    assert started == ["preferred"]
    assert main(["export", "--format", "dpo"]) == 2
    assert "--tune NAME" in capsys.readouterr().err
    assert issubclass(InputError, ValueError)
