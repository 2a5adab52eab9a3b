"""The part of the Documents page about the floor, as its handlers are called."""

from pathlib import Path

import gradio as gr
import pytest

from rag.embedder import Embedder
from rag.floor import read_floor
from rag.floor_tab import FloorPart
from rag.library import Library

from .conftest import HOURS
from .test_floor import INSIDE, OUTSIDE


@pytest.fixture
def part(tmp_path: Path, embedder: Embedder) -> FloorPart:
    library = Library(tmp_path, lambda: embedder)
    library.open("shop", make=True).add([("hours.md", HOURS.encode())])
    return FloorPart(library, editable=True)


def test_a_floor_is_chosen_shown_and_dropped(part: FloorPart, tmp_path: Path) -> None:
    (tmp_path / "asked.txt").write_text("\n".join(INSIDE))
    (tmp_path / "other.txt").write_text("\n".join(OUTSIDE))
    assert "There is no floor" in part.view("shop")
    shown = part.calibrate("shop", str(tmp_path / "asked.txt"), str(tmp_path / "other.txt"))
    assert "of 10 answerable questions" in shown
    assert read_floor(part.library.open("shop")) is not None
    assert "There is no floor" in part.forget("shop")
    assert part.view("") == part.view("nowhere") == ""


def test_what_is_wrong_is_told(part: FloorPart, tmp_path: Path) -> None:
    with pytest.raises(gr.Error, match="answerable questions; give at least 10"):
        part.calibrate("shop", None, None)
    with pytest.raises(gr.Error, match="no index"):
        part.calibrate("nowhere", None, None)
    visitor = FloorPart(part.library, editable=False)
    for handler in (lambda: visitor.calibrate("shop", None, None), lambda: visitor.forget("shop")):
        with pytest.raises(gr.Error, match="public demo"):
            handler()
