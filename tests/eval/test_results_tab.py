"""The page's handlers, called as anyone can call them."""

import asyncio
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from eval.results_tab import results_tab
from eval.votes import Votes, database_url
from tests.eval.making import make_vote


@pytest.fixture
def log(home: Path) -> Iterator[Votes]:
    votes = Votes(database_url(home))
    yield votes
    votes.close()


def handlers(votes: Votes, **options: Any) -> dict[str, Callable[..., str]]:
    async def build() -> gr.Blocks:  # where no loop runs, gradio makes some and leaves them open
        with gr.Blocks(analytics_enabled=False) as demo:
            gr.Markdown("Compare")
        with demo.route("Results", "/results"):
            results_tab(votes, **options)
        return demo

    demo = asyncio.run(build())
    return {block.fn.__name__: block.fn for block in demo.fns.values() if block.fn is not None}


def test_the_page_shows_the_votes_of_the_moment(log: Votes) -> None:
    show = handlers(log)["show"]
    assert "No blind votes yet" in show()
    log.append(make_vote())
    assert "Provisional: 9 more votes" in show()


def test_the_export_is_a_file_of_ours_with_every_vote(log: Votes, home: Path) -> None:
    log.append(make_vote())
    path = Path(handlers(log)["build"]())
    assert path.name == "fourfold-votes.json"
    assert home not in path.parents
    assert len(json.loads(path.read_text())["votes"]) == 1


def test_the_charts_are_pictures_and_tables_and_hold_no_question(log: Votes, home: Path) -> None:
    for number in range(3):
        log.append(make_vote(f"c{number}", question="a secret question", rater=f"secret rater {number % 2}"))
    path = Path(handlers(log, exports=False)["draw"](True))
    with zipfile.ZipFile(path) as file:
        names = set(file.namelist())
        assert {"strengths.png", "strengths.csv", "effects.png", "matrix.png", "time.csv"} <= names
        assert file.read("strengths.png").startswith(b"\x89PNG")
        assert not any(b"secret" in file.read(name) for name in names if name.endswith(".csv"))
    assert "by-rater.csv" not in names


def test_votes_that_cannot_be_read_are_a_sentence_not_a_traceback(log: Votes, home: Path) -> None:
    found = handlers(log)
    log.close()
    (home / "votes.sqlite").write_bytes(b"<b>no database</b>" * 100)
    assert "The votes cannot be shown" in found["show"]()
    with pytest.raises(gr.Error, match="could not be read"):
        found["build"]()


def test_where_exports_are_off_there_is_no_handler_for_them(log: Votes) -> None:
    """A button that is only hidden can still be called by anyone."""
    assert set(handlers(log, exports=False)) == {"show", "draw"}
