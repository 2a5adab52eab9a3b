"""The Tune page's handlers, called as anyone may call them, and what it shows, escaped."""

import asyncio
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from tests.tuning.test_recipe_tab import chosen
from tuning.choosing import SOURCES
from tuning.config import PRESETS
from tuning.jobs import latest_job
from tuning.tune_tab import EDITABLE, TunePage, tune_tab
from tuning.tune_view import adapters_html, verdict

VALUES = [vars(PRESETS["quick"])[field] for field in EDITABLE]


@pytest.fixture
def page(home: Path, tiny_base_path: Path) -> TunePage:
    return TunePage(home, (home / "adapters",), str(tiny_base_path))


@pytest.mark.parametrize("name", ["", None, "../up", "a b", 3.5, ["x"]])
def test_a_bad_name_starts_nothing(page: TunePage, name: Any) -> None:
    if name == 3.5:
        name = "3.5/"
    with pytest.raises(gr.Error, match="cannot be a name"):
        page.start(name, "quick", *VALUES, *chosen(SOURCES[0]))
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
