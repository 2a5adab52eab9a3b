"""The Tune page's handlers, called as anyone may call them, and what it shows, escaped."""

import asyncio
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from tests.tuning.test_recipe_tab import chosen
from tuning.choosing import SOURCES
from tuning.config import TrainConfig
from tuning.jobs import latest_job
from tuning.settings import FRESH, suggested
from tuning.tune_tab import TunePage, tune_tab
from tuning.tune_view import adapters_html, estimate_html, verdict


def settings(start: Any = FRESH, method: str = "lora", **changes: Any) -> list[Any]:
    """What the form sends."""
    return [start, "quick", method, *(suggested("quick", method) | changes).values()]


@pytest.fixture
def page(home: Path, tiny_base_path: Path) -> TunePage:
    return TunePage(home, (home / "adapters",), str(tiny_base_path))


@pytest.mark.parametrize("name", ["", None, "../up", "a b", 3.5, ["x"]])
def test_a_bad_name_starts_nothing(page: TunePage, name: Any) -> None:
    if name == 3.5:
        name = "3.5/"
    with pytest.raises(gr.Error, match="cannot be a name"):
        page.start(name, *settings(), *chosen(SOURCES[0]))
    assert latest_job(page.home) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (settings(rank="wide"), "rank is 'wide'; give a number"),
        (settings(method="ppo"), "method 'ppo' is not available"),
        (settings(start="nobody"), "nobody"),
        (settings(epochs=0), "epochs is 0"),
    ],
)
def test_wrong_settings_start_and_foresee_nothing(page: TunePage, given: list[Any], message: str) -> None:
    with pytest.raises(gr.Error, match=message):
        page.start("mine", *given, *chosen(SOURCES[0]))
    with pytest.raises(gr.Error, match=message):
        page.foresee(*given, *chosen(SOURCES[0]))
    assert latest_job(page.home) is None


def test_a_run_has_the_settings_of_the_form(page: TunePage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuning.tune_tab.start_job", lambda job: None)
    monkeypatch.setattr("tuning.tune_tab.tell_place", lambda job: None)
    page.start("mine", *settings(method="dora", rank=4, learning_rate=0.002, sweep=True), *chosen(SOURCES[0]))
    job = latest_job(page.home)
    assert job is not None
    config = TrainConfig(**job.told["config"])
    assert (config.method, config.rank, config.learning_rate, config.sweep) == ("dora", 4, 0.002, True)
    assert (config.epochs, config.alpha, job.told["start"]) == (2.0, 16.0, None)


def test_an_estimate_says_when_memory_is_short() -> None:
    event = {"seconds": 754.0, "step_seconds": 3.0, "bytes": 2_100_000_000, "free_bytes": 3_000_000_000}
    assert "12 min 34 s" in estimate_html(event)
    assert "tune-bad" not in estimate_html(event)
    assert "tune-bad" in estimate_html(event | {"free_bytes": 100_000_000})


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

    assert {"start", "stop", "inspect", "foresee"} <= asyncio.run(handlers(enabled=True))
    assert asyncio.run(handlers(enabled=False)) == {"view"}
