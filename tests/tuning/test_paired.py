"""Figures of two sides, against sums written out by hand and by numpy."""

import math

import numpy as np
import pytest

from tuning.paired import Measured, contrast, measure, summary
from tuning.rows import Row
from tuning.trial import Outcome, Side


def row(question: str = "Q?", answer: str = "Paris", **others: object) -> Row:
    turns = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    return Row(turns, "line 1", **others)  # type: ignore[arg-type]


def test_a_row_is_measured_by_its_own_answer() -> None:
    found = measure(Outcome(row(), 4, Side(8.0, None, "It is Paris."), Side(2.0, None, "Paris")))
    assert found.base == {"loss": 2.0, "exact": 0.0, "f1": 0.5, "holds": 1.0}
    assert found.tuned == {"loss": 0.5, "exact": 1.0, "f1": 1.0, "holds": 1.0}


def test_a_preference_is_measured_by_its_lead() -> None:
    found = measure(Outcome(row(rejected="Rome"), 2, Side(6.0, 4.0, None), Side(5.0, 9.0, None)))
    assert (found.base["margin"], found.tuned["margin"]) == (-2.0, 4.0)
    assert found.base["loss"] == 3.0


@pytest.mark.parametrize(("good", "base", "tuned"), [(True, -6.0, -5.0), (False, 6.0, 5.0)])
def test_feedback_is_measured_by_its_sign(good: bool, base: float, tuned: float) -> None:
    found = measure(Outcome(row(good=good), 2, Side(6.0, None, "x"), Side(5.0, None, "x")))
    assert (found.base["margin"], found.tuned["margin"]) == (base, tuned)
    assert ("loss" in found.base) == ("f1" in found.base) == good, "a bad answer is nothing to come close to"


def test_rows_of_one_source_or_of_one_question_belong_together() -> None:
    def source(one: Row) -> str:
        return measure(Outcome(one, 1, Side(1, None, None), Side(1, None, None))).source

    assert source(row("a", source="x.md")) == source(row("b", source="x.md")) != source(row("a", source="y.md"))
    assert source(row("a", "1")) == source(row("a", "2")) != source(row("b", "1"))


def rows_of(count: int, sources: int) -> list[Measured]:
    random = np.random.default_rng(8)
    return [
        Measured(
            f"{number}", f"s{number % sources}", int(random.integers(2, 30)),
            {"loss": float(random.normal(3, 0.5)), **({"f1": 0.2, "exact": 0.0, "holds": 0.0} if number % 2 else {})},
            {"loss": float(random.normal(2, 0.5)), **({"f1": 0.6, "exact": 0.0, "holds": 1.0} if number % 2 else {})},
        )
        for number in range(count)
    ]  # fmt: skip


def test_means_are_over_tokens_and_over_rows_with_a_short_answer() -> None:
    rows = rows_of(60, 20)
    found = summary(rows)
    tokens = [row.tokens for row in rows]
    base = np.average([row.base["loss"] for row in rows], weights=tokens)
    tuned = np.average([row.tuned["loss"] for row in rows], weights=tokens)
    assert (found["rows"], found["sources"], found["answer_tokens"]) == (60, 20, sum(tokens))
    assert found["loss"]["base"] == pytest.approx(base)
    assert found["loss"]["tuned"] == pytest.approx(tuned)
    assert found["loss"]["difference"]["value"] == pytest.approx(tuned - base)
    assert found["loss"]["difference"]["low"] < tuned - base < found["loss"]["difference"]["high"] < 0
    assert found["perplexity"]["base"] == pytest.approx(math.exp(base))
    assert found["perplexity"]["ratio"]["high"] == pytest.approx(math.exp(found["loss"]["difference"]["high"]))
    assert (found["short_answers"], found["f1"]["difference"]["rows"]) == (30, 30)
    assert found["f1"]["tuned"] == pytest.approx(0.6)


def test_the_interval_is_that_of_resampled_sources() -> None:
    """Written out once more: draw sources with replacement, pool their tokens, take percentiles."""
    rows = rows_of(60, 20)
    ours = contrast(rows, "loss")["difference"]
    sums, masses = np.zeros(20), np.zeros(20)
    for one in rows:
        number = int(one.source[1:])
        sums[number] += (one.tuned["loss"] - one.base["loss"]) * one.tokens
        masses[number] += one.tokens
    random = np.random.default_rng(9)
    draws = random.integers(0, 20, (20_000, 20))
    means = sums[draws].sum(1) / masses[draws].sum(1)
    tail = 0.025 * 0.75  # the expanded percentiles of 20 sources lie a little outside of the plain ones
    low, high = np.quantile(means, [tail, 1 - tail])
    assert ours["low"] == pytest.approx(low, abs=0.02)
    assert ours["high"] == pytest.approx(high, abs=0.02)


def test_with_few_sources_rows_are_drawn_and_that_is_said() -> None:
    difference = contrast(rows_of(30, 3), "loss")["difference"]
    assert difference["low"] is not None
    assert (difference["rows"], difference["sources"]) == (30, 3)
    assert difference["note"].startswith("rows were drawn singly, as sources are few")
    assert contrast(rows_of(5, 3), "loss")["difference"]["low"] is None


def test_no_rows_have_no_figures_and_an_endless_perplexity_is_none() -> None:
    assert summary([]) == {"rows": 0, "sources": 0, "answer_tokens": 0, "short_answers": 0}
    wild = [Measured(f"{n}", f"{n}", 1, {"loss": 900.0 + n}, {"loss": 1.0}) for n in range(9)]
    assert summary(wild)["perplexity"]["base"] is None
