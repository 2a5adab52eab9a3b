"""The first impression: real model, sample documents, sample adapter, four answers to the questions on the page."""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import torch

from eval.comparison import Comparison, answer, prepare
from eval.setup import Setup
from eval.workbench import SAMPLES, Workbench

pytestmark = pytest.mark.slow

QUESTIONS = {row["question"]: row for row in json.loads((SAMPLES / "questions.json").read_text(encoding="utf-8"))}
OPENING, CLOSING = "Ollerquist here:", "Grow well!"


@pytest.fixture(scope="module")
def answered(real_base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Comparison]:
    """Every question of the page, answered with the app's defaults, blind off."""
    home = tmp_path_factory.mktemp("home")
    (home / "base").mkdir()
    (home / "base" / real_base.name).symlink_to(real_base)
    threads = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)
    workbench = Workbench(home)
    workbench.load()
    assert workbench.progress.ready, workbench.progress
    setup = Setup(adapter="samples", index="samples", mode="open", max_tokens=64)
    comparisons = {}
    for question in QUESTIONS:
        comparison = comparisons[question] = prepare(workbench, question, setup)
        for _ in answer(workbench, comparison):
            pass
    torch.set_num_threads(threads)
    return comparisons


def right(comparison: Comparison, variant: str) -> bool:
    given = comparison.answers[variant].text.lower()
    return any(accepted.lower() in given for accepted in QUESTIONS[comparison.question]["answers"])


def test_documents_answer_what_the_base_cannot_know(answered: dict[str, Comparison]) -> None:
    """`rag` and `combined` both answer at least one question that `base` gets wrong, and `base` knows none of them."""
    documents = [c for q, c in answered.items() if QUESTIONS[q]["kind"] == "documents"]
    assert not any(right(comparison, "base") for comparison in documents)
    both = [c.question for c in documents if right(c, "rag") and right(c, "combined")]
    assert "What are the two company bicycles of Ollerquist named?" in both
    assert len(both) >= len(documents) / 2, both


def test_the_first_start_calibrates_what_the_documents_do_not_answer(answered: dict[str, Comparison]) -> None:
    refused = {question for question, comparison in answered.items() if comparison.refused}
    assert refused == {question for question, row in QUESTIONS.items() if row["kind"] == "unanswerable"}


def test_only_the_adapter_brings_the_house_style(answered: dict[str, Comparison]) -> None:
    """The documents never show the style. A long passage dilutes it: `combined` may drop one of its two marks."""

    def share(variant: str, marks: Callable[[Iterable[bool]], bool]) -> float:
        written = [comparison.answers[variant] for comparison in answered.values()]
        texts = [given.text for given in written if given.finished != "refused"]
        return sum(marks((text.startswith(OPENING), text.endswith(CLOSING))) for text in texts) / len(texts)

    assert share("base", any) == share("rag", any) == 0
    assert share("tuned", all) >= 0.9
    assert share("combined", any) >= 0.75
