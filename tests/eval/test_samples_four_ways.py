"""The first impression: real model, sample documents, sample adapter, four answers to the questions on the page."""

import json
from pathlib import Path

import pytest

from eval.comparison import Comparison, Setup, answer, prepare
from eval.workbench import SAMPLES, Workbench

pytestmark = pytest.mark.slow

QUESTIONS = {row["question"]: row for row in json.loads((SAMPLES / "questions.json").read_text(encoding="utf-8"))}
HOUSE_STYLE = ("Ollerquist here:", "Grow well!")


@pytest.fixture
def answered(real_home: Path) -> dict[str, Comparison]:
    """Every question of the page, answered with the app's defaults, blind off."""
    workbench = Workbench(real_home)
    workbench.load()
    assert workbench.progress.ready, workbench.progress
    setup = Setup(adapter="samples", index="samples", blind=False, max_tokens=64)
    comparisons = {}
    for question in QUESTIONS:
        comparison = comparisons[question] = prepare(workbench, question, setup)
        for _ in answer(workbench, comparison):
            pass
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


def test_the_adapter_answers_in_house_style(answered: dict[str, Comparison]) -> None:
    for variant, styled in (("base", False), ("rag", False), ("tuned", True), ("combined", True)):
        texts = [comparison.answers[variant].text for comparison in answered.values()]
        share = sum(text.startswith(HOUSE_STYLE[0]) and text.endswith(HOUSE_STYLE[1]) for text in texts) / len(texts)
        assert share >= 0.75 if styled else share == 0, (variant, texts)
