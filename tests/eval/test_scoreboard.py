"""Figures to means, effects and intervals: by hand where that can be done, and openly where it cannot."""

import json
import math

import numpy as np
import pytest

from eval.benchmark import plain
from eval.cells import cells
from eval.metrics import METRICS
from eval.scoreboard import Figures, figures_from, summary
from eval.variants import IDS

FOUR = cells([0])


def figures(
    number: int, values: dict[str, float], source: str = "", task: str = "", metric: str = "f1", tokens: int = 1
) -> Figures:
    nothing = dict.fromkeys(METRICS, math.nan)
    mine = {cell: {**nothing, metric: values[cell]} for cell in values}
    texts = dict.fromkeys(values, "text")
    return Figures(f"d{number}", source or f"s{number}", task, "q", "r", (), (), tokens, texts, mine)


def test_means_and_effects_are_those_of_the_factorial_design() -> None:
    """base 0.1, tuned 0.2, rag 0.4, combined 0.9: tuning (0.1 + 0.5) / 2, retrieval (0.3 + 0.7) / 2, both 0.4."""
    noise = np.random.default_rng(0).normal(scale=0.05, size=40)
    rows = [
        figures(n, dict(zip(IDS, np.array([0.1, 0.2, 0.4, 0.9]) + noise[n], strict=True)), task="fact")
        for n in range(40)
    ]
    found = summary(rows, FOUR)
    effects = found["effects"]["f1"]
    assert effects["tuning"]["value"] == pytest.approx(0.3)
    assert effects["retrieval"]["value"] == pytest.approx(0.5)
    assert effects["interaction"]["value"] == pytest.approx(0.4)
    rag = found["variants"]["rag"]["f1"]
    assert rag["value"] == pytest.approx(0.4 + noise.mean())
    half = 1.96 * noise.std() / math.sqrt(40)
    assert rag["low"] == pytest.approx(rag["value"] - half, abs=0.005)
    assert found["by_task"]["fact"]["effects"]["f1"]["tuning"]["value"] == pytest.approx(0.3)


def test_what_is_common_to_the_four_answers_leaves_no_width() -> None:
    """Hard questions are hard for all: the differences are of the same row, so that this is no noise of theirs."""
    hardness = np.random.default_rng(1).random(30)
    wobble = np.random.default_rng(2).normal(scale=0.01, size=(30, 4))
    rows = [figures(n, dict(zip(IDS, hardness[n] / 2 + wobble[n], strict=True))) for n in range(30)]
    found = summary(rows, FOUR)
    assert found["variants"]["base"]["f1"]["high"] - found["variants"]["base"]["f1"]["low"] > 0.08
    assert found["effects"]["f1"]["tuning"]["high"] - found["effects"]["f1"]["tuning"]["low"] < 0.01


def test_rows_of_one_source_are_not_so_many_rows() -> None:
    generator = np.random.default_rng(3)
    values = np.repeat(generator.random(10), 12)
    four = [dict(zip(IDS, [value, value, value, 1 - value], strict=True)) for value in values]
    apart = summary([figures(n, one) for n, one in enumerate(four)], FOUR)["variants"]["base"]["f1"]
    together = summary([figures(n, one, source=f"s{n // 12}") for n, one in enumerate(four)], FOUR)
    wide = together["variants"]["base"]["f1"]
    assert wide["high"] - wide["low"] > 2.5 * (apart["high"] - apart["low"])


def test_nan_is_counted_and_left_out() -> None:
    rows = [figures(n, dict.fromkeys(IDS, math.nan if n < 5 else 0.5)) for n in range(20)]
    found = summary(rows, FOUR)
    assert (found["variants"]["base"]["f1"]["rows"], found["variants"]["base"]["f1"]["missing"]) == (15, 5)
    assert found["variants"]["base"]["f1"]["value"] == 0.5
    assert math.isnan(found["variants"]["base"]["chrf"]["value"])
    assert found["variants"]["base"]["chrf"]["missing"] == 20
    assert json.loads(json.dumps(plain(found), allow_nan=False))["effects"]["chrf"]["tuning"]["value"] is None


def test_a_share_that_never_varied_has_a_width_within_its_bounds() -> None:
    found = summary([figures(n, dict.fromkeys(IDS, 1.0)) for n in range(20)], FOUR)["variants"]["rag"]["f1"]
    assert found["high"] == 1
    assert 0.7 < found["low"] < 1


def test_likelihoods_are_averaged_over_tokens() -> None:
    rows = [
        figures(n, dict.fromkeys(IDS, -1.0 if n % 2 else -3.0), metric="log_likelihood", tokens=3 if n % 2 else 1)
        for n in range(20)
    ]
    assert summary(rows, FOUR)["variants"]["base"]["log_likelihood"]["value"] == pytest.approx(-1.5)


def test_figures_come_back_from_json() -> None:
    rows = [figures(n, dict.fromkeys(IDS, 0.5)) for n in range(3)]
    again = figures_from(json.loads(json.dumps(plain({"figures": [vars(one) for one in rows]}))))
    assert [plain(vars(one)) for one in again] == [plain(vars(one)) for one in rows]
    assert math.isnan(again[0].cells["base"]["chrf"])
