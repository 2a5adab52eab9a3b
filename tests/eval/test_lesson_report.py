"""Rows out of votes: each once, and what they would teach unmeant is said."""

from typing import Any

import pytest

from eval.lesson_report import distinct

PROMPT = [{"role": "user", "content": "How deep?"}]


def pair(chosen: str, rejected: str, source: str = "c1") -> dict[str, Any]:
    return {"prompt": PROMPT, "chosen": chosen, "rejected": rejected, "source": source, "id": f"{source}/{chosen}"}


def test_what_several_raters_said_alike_is_one_row() -> None:
    rows, report = distinct([pair("Nine.", "Ten."), pair("Nine.", "Ten.", "c2"), pair("Eight.", "Ten.", "c2")])
    assert [row["chosen"] for row in rows] == ["Nine.", "Eight."]
    assert (report.rows, report.repeated, report.sources) == (2, 1, 2)


def test_contradictions_are_counted_and_kept() -> None:
    rows, report = distinct([pair("Nine.", "Ten."), pair("Ten.", "Nine."), pair("Eight.", "Ten.")])
    assert len(rows) == 3
    assert report.contradicted == 2
    assert any("raters differ" in line for line in report.in_words())


def test_length_bias_is_said_where_it_is_more_than_chance() -> None:
    _, report = distinct([pair(f"It is {n} metres deep at the pier.", f"{n}.") for n in range(20)])
    assert report.longer == 1
    assert report.words_more == pytest.approx(7)
    assert "length bias: training on these rows also teaches to write more" in report.in_words()
    _, even = distinct([pair("a b", "a"), pair("a", "b c")])
    assert not any("length bias" in line for line in even.in_words())


def test_feedback_and_nothing_at_all() -> None:
    rows = [{"prompt": PROMPT, "completion": text, "label": good, "source": "c", "id": text}
            for text, good in (("a b c", True), ("a", False))]  # fmt: skip
    assert distinct(rows)[1].words_more == 2
    report = distinct([])[1]
    assert (report.rows, report.longer, report.words_more) == (0, None, None)
