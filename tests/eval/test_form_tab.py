"""The handlers of the rating form's page."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from eval.form import Forms
from eval.form_tab import form_tab


def handlers(home: Path, editable: bool) -> dict[str, Callable[..., Any]]:
    """By name, as the page wires them."""

    async def build() -> gr.Blocks:  # where no loop runs, gradio makes some and leaves them open
        with gr.Blocks(analytics_enabled=False) as demo:
            gr.Markdown("Compare")
        with demo.route("Rating form", "/form"):
            form_tab(Forms(home), editable)
        return demo

    return {block.fn.__name__: block.fn for block in asyncio.run(build()).fns.values() if block.fn is not None}


def test_a_form_is_saved_shown_and_listed(home: Path) -> None:
    page = handlers(home, editable=True)
    listed, text, shown, _ = page["load"]()
    assert "Hallucinated" in text
    assert "Hallucinated" in shown
    assert len(listed["choices"]) == 1
    listed, text, shown, status = page["set_form"]("tags:\n  - id: odd\n    name: <b>Odd\n")
    assert [number for _, number in listed["choices"]] == [2, 1]
    assert "&lt;b&gt;Odd" in shown
    assert "Version 2" in status
    assert "Hallucinated" in page["read"](1)[0]


def test_what_is_wrong_is_said_while_one_writes_and_saves_nothing(home: Path) -> None:
    page = handlers(home, editable=True)
    assert "line 1" in page["look"]("dimensions: [")[1]
    assert page["look"]("guidance: Be kind.")[1] == ""
    with pytest.raises(gr.Error, match="is not YAML"):
        page["set_form"]("dimensions: [")
    with pytest.raises(gr.Error):
        page["read"]("../../etc/passwd")
    assert Forms(home).current().number == 1


def test_visitors_only_read(home: Path) -> None:
    """Nothing on the page writes: what is not wired cannot be called."""
    page = handlers(home, editable=False)
    assert set(page) == {"load", "read"}
