"""The Tune page's handlers, called as anyone may call them, and what it shows, escaped."""

import asyncio
import json
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from tuning.config import PRESETS
from tuning.jobs import latest_job
from tuning.tune_tab import EDITABLE, SAMPLE, SOURCES, TunePage, tune_tab
from tuning.tune_view import adapters_html, verdict

VALUES = [vars(PRESETS["quick"])[field] for field in EDITABLE]


@pytest.fixture
def page(home: Path, tiny_base_path: Path) -> TunePage:
    return TunePage(home, (home / "adapters",), str(tiny_base_path))


def write(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


def test_the_report_counts_and_escapes(page: TunePage, tmp_path: Path) -> None:
    nasty = "<img src=x onerror=alert(1)>"
    path = write(
        tmp_path / "r.jsonl",
        {"prompt": nasty, "response": f"{nasty}!"},
        {"prompt": "a", "response": ""},
    )
    shown = page.inspect(SOURCES[1], path, 512)
    assert "<b>1</b> of 2 rows of r.jsonl are used" in shown
    assert "Left out: 1" in shown
    assert "the response is empty" in shown
    assert "<img" not in shown
    assert "&lt;img" in shown


def test_the_sample_rows_are_whole(page: TunePage) -> None:
    shown = page.inspect(SOURCES[0], None, 1024)
    assert "Left out" not in shown
    assert f"of {len(SAMPLE.read_text().splitlines())} rows" in shown


@pytest.mark.parametrize(
    ("source", "file", "length", "message"),
    [
        (SOURCES[1], None, 512, "no file is chosen"),
        (SOURCES[1], "/no/such.jsonl", 512, "No such file"),
        (SOURCES[1], "/etc/passwd", 512, "is not a table that can be read"),
        (SOURCES[0], None, "many", "max_length is 'many'; give a number"),
        (SOURCES[0], None, None, "max_length is None; give a number"),
        (SOURCES[0], None, 3, "max_length is 3; choose a value from 16"),
        (SOURCES[0], None, float("inf"), "max_length is inf; give a number"),
    ],
)
def test_bad_input_is_a_message(page: TunePage, source: Any, file: Any, length: Any, message: str) -> None:
    with pytest.raises(gr.Error, match=message):
        page.inspect(source, file, length)


@pytest.mark.parametrize("name", ["", None, "../up", "a b", 3.5, ["x"]])
def test_a_bad_name_starts_nothing(page: TunePage, name: Any) -> None:
    if name == 3.5:
        name = "3.5/"
    with pytest.raises(gr.Error, match="cannot be a name"):
        page.start(SOURCES[0], None, name, "quick", *VALUES)
    assert latest_job(page.home) is None


def test_words_of_a_result() -> None:
    assert (
        verdict({"test_loss": 1.0, "base_test_loss": 2.0}) == "Loss on unseen rows 1.000, base model 2.000: 50% better."
    )
    assert verdict({"test_loss": 3.0, "base_test_loss": 2.0}).endswith("50% worse.")
    assert "was not measured" in verdict({"test_loss": None})
    assert adapters_html([], ["<x> is not whole"]).count("&lt;x&gt;") == 1


def test_a_public_page_has_no_handler_that_starts_anything(home: Path) -> None:

    async def handlers(enabled: bool) -> set[str]:  # where no loop runs, gradio makes some and leaves them open
        with gr.Blocks(analytics_enabled=False) as demo:
            tune_tab(home, (), None, enabled)
        return {block_fn.name for block_fn in demo.fns.values()}

    assert {"start", "stop", "inspect"} <= asyncio.run(handlers(enabled=True))
    assert asyncio.run(handlers(enabled=False)) == {"view"}
