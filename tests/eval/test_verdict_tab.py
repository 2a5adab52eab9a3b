"""The page's handlers, called as anyone can call them."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

import tuning.jobs
from eval.verdict_tab import FROM_VOTES, LESSONS, verdict_tab
from eval.votes import Votes, database_url
from tests.eval.test_tuning_on_votes import cast
from tests.eval.test_verdict import result, votes
from tuning.jobs import list_jobs

DPO = next(iter(LESSONS))


@pytest.fixture
def log(home: Path) -> Iterator[Votes]:
    log = Votes(database_url(home))
    yield log
    log.close()


def handlers(log: Votes, home: Path, **options: Any) -> dict[str, Callable[..., Any]]:
    async def build() -> gr.Blocks:  # where no loop runs, gradio makes some and leaves them open
        with gr.Blocks(analytics_enabled=False) as demo:
            gr.Markdown("Compare")
        with demo.route("Verdict", "/verdict"):
            verdict_tab(home, log, [home / "adapters"], **options)
        return demo

    demo = asyncio.run(build())
    return {block.fn.__name__: block.fn for block in demo.fns.values() if block.fn is not None}


def test_the_page_weighs_votes_and_a_benchmark(log: Votes, home: Path) -> None:
    found = handlers(log, home)
    assert "There are no votes" in found["show"](5, FROM_VOTES)
    folder = home / "benchmarks" / "b"
    folder.mkdir(parents=True)
    made = result({"base": 0.2, "rag": 0.7, "tuned": 0.3, "combined": 0.72})
    (folder / "result.json").write_text(json.dumps({"schema": 1, **made}))
    choices, page = found["opened"](5, "b")
    assert [value for _, value in choices.choices] == [FROM_VOTES, "b"]
    assert "<h1>Retrieve.</h1>" in page
    assert "Fine-tune and retrieve." in found["show"](1, "b")
    assert "choose another" in found["show"](5, "../../etc")
    assert Path(found["report"](5, "b", "md")).read_text().startswith("# Retrieve")


def test_what_the_votes_teach_is_said_and_a_run_is_queued(
    log: Votes, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning.jobs, "start_job", lambda job: None)
    for vote in cast():
        log.append(vote)
    found = handlers(log, home)
    assert "rows of 12 conversations or prompts" in found["lesson"](DPO)
    with pytest.raises(gr.Error, match="has no name"):
        found["tune"](DPO, " ")
    assert "is in the queue" in found["tune"](DPO, "preferred")
    assert [job.name for job in list_jobs(home)] == ["preferred"]
    with pytest.raises(gr.Error, match="preferred"):
        found["tune"](DPO, "preferred")


def test_visitors_see_the_verdict_and_nobodys_answers(log: Votes, home: Path) -> None:
    """A button that is only hidden can still be called by anyone."""
    for vote in votes({"rag": 9, "base": 2}):
        log.append(vote)
    found = handlers(log, home, enabled=False)
    assert set(found) == {"show", "opened"}
    page = found["show"](5, FROM_VOTES)
    assert "Evidence: votes" in page
    assert "the answer of rag" not in page
    assert "the answer of rag" in handlers(log, home)["show"](5, FROM_VOTES)
