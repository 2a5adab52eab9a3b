"""A benchmark that a page starts: one at a time, kept when it is stopped, whatever becomes of the page."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from eval.benchmark import ANSWERS, Plan, read_result
from eval.errors import InputError
from eval.measure_tab import IDLE, MeasurePage, in_words
from eval.measuring import Measured, Measuring
from eval.workbench import Workbench

PLAN = Plan("samples", index="samples", max_tokens=4, timed=1)


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "my questions.jsonl"
    rows = [{"prompt": f"Who keeps lamp {number}?", "response": f"Keeper {number}."} for number in range(3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def held(loaded: Workbench) -> threading.Event:
    """Nothing is answered until it is set: a decoder is being compiled."""
    event = threading.Event()
    loaded._warmup = SimpleNamespace(settled=event)  # type: ignore[assignment]
    return event


def wait_for(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ended(measuring: Measuring) -> Measured:
    wait_for(lambda: measuring.now and measuring.now.finished)
    assert measuring.now is not None
    return measuring.now


def test_it_goes_on_by_itself_and_says_how_far_it_is(loaded: Workbench, held: threading.Event, questions: Path) -> None:
    measuring = Measuring(loaded)
    assert in_words(measuring.now) == IDLE
    name = measuring.start(PLAN, questions, most=2)
    assert name == "samples-samples-my-questions"
    assert "Getting ready" in in_words(measuring.now)
    assert not (loaded.home / "benchmarks" / name / ANSWERS).exists(), "it began before the decoder was there"
    held.set()
    now = ended(measuring)
    assert (now.done, now.answers) == (16, 16)
    assert "Finished: 2 questions" in now.said
    assert "2 of 3 are asked" in now.said
    assert read_result(loaded.home / "benchmarks" / name)["rows"] == 2


def test_one_at_a_time_and_a_stopped_one_goes_on(loaded: Workbench, held: threading.Event, questions: Path) -> None:
    measuring = Measuring(loaded)
    measuring.start(PLAN, questions, most=10)
    with pytest.raises(InputError, match="is running"):
        measuring.start(PLAN, questions, most=10)
    measuring.stop()
    assert "Stopping" in in_words(measuring.now)
    assert "start the same again" in ended(measuring).said
    measuring.stop()
    assert ended(measuring).finished, "a late click of the button changes nothing"
    held.set()
    measuring.start(PLAN, questions, most=10)
    assert "Finished: 3 questions" in ended(measuring).said


def test_what_stops_it_is_said(loaded: Workbench, questions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measuring = Measuring(loaded)
    measuring.start(Plan("samples", index="nowhere"), questions, most=10)
    assert "no index 'nowhere'" in ended(measuring).said
    with pytest.raises(InputError, match="give a file of rows"):
        measuring.start(PLAN, None, most=10)  # this adapter keeps none of its own
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    monkeypatch.setattr("eval.measuring.run", lambda *_: 1 / 0)
    measuring.start(PLAN, questions, most=10)
    assert "what was answered is kept" in ended(measuring).said


def test_the_page_offers_what_is_there_and_says_what_is_missing(loaded: Workbench, questions: Path) -> None:
    page = MeasurePage(Measuring(loaded))
    adapter, index, said, begin, stop, clock = page.opened("gone", None)
    assert (adapter.value, index.value, said) == ("samples", "samples", IDLE)
    assert (begin.interactive, stop.visible, clock.active) == (True, False, False)
    with pytest.raises(gr.Error, match="choose them here"):
        page.start(None, "samples", None, 10, None)
    with pytest.raises(gr.Error, match="give a file of rows"):
        page.start("samples", "samples", None, 10, None)
    _, begin, stop, clock = page.start("samples", "samples", str(questions), 10, None)
    assert (begin.interactive, stop.visible, clock.active) == (False, True, True)
    ended(page.measuring)
    *_, clock, name = page.tick()
    assert (clock.active, name) == (False, "samples-samples-my-questions")


def test_with_rows_for_examples_each_variant_is_asked_with_three_too(
    loaded: Workbench, questions: Path, tmp_path: Path
) -> None:
    rows = [
        {"prompt": f"Who weighs herring {number}?", "response": "The master.", "source": str(number)}
        for number in range(5)
    ]
    (tmp_path / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    page = MeasurePage(Measuring(loaded))
    page.start("samples", "samples", str(questions), 10, str(tmp_path / "more.jsonl"))
    assert "Finished" in ended(page.measuring).said
    result = read_result(loaded.home / "benchmarks" / "samples-samples-my-questions-few-shot")
    assert "combined+3" in result["variants"]


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (Measured("b", 3, 12), "3 of 12 answers and scores"),
        (Measured("b", 3, 12, 45.2), "3 of 12 answers and scores, 45 s left"),
        (Measured("b", 3, 12, 600.0), "3 of 12 answers and scores, 10 min left"),
    ],
)
def test_how_far_it_is_in_words(now: Measured, words: str) -> None:
    assert in_words(now) == f"**b** {words}"
