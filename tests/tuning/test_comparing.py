"""Two adapters side by side: only rows that both were measured on are compared, with the right sign."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tuning.assessed import assessment, measured
from tests.tuning.test_adapters import CARDS, write
from tuning.adapters import Adapter, save_adapter
from tuning.assessment import ASSESSMENT
from tuning.comparing import compare, in_words


def make(folder: Path, name: str, rank: int, found: Any = None, **card: Any) -> Adapter:
    config = {"rank": rank, "seed": 0}
    facts = {"method": "lora", "train_rows": 80, "config": config, "rows": {"sha256": "1"}, **card}
    adapter = save_adapter(folder, name, write, CARDS | facts)
    if found is not None:
        (adapter.path / ASSESSMENT).write_text(json.dumps(assessment(adapter, **found)))
    return adapter


def test_shared_rows_are_compared_right_minus_left(tmp_path: Path) -> None:
    left = make(tmp_path, "left", 8, {"tuned": 2.0})
    right = make(tmp_path, "right", 16, {"held_out": measured(10, 3.0, 1.5, slope=0.03)})
    result = compare(left, right)
    loss = result["held_out"]["loss"]
    assert (result["held_out"]["rows"], result["general"]["rows"]) == (10, 12)
    assert loss["base"] == pytest.approx(sum(2.0 + n / 50 for n in range(10)) / 10)
    assert loss["difference"]["value"] == pytest.approx(-0.5 + 0.045)
    assert (result["same_base"], result["same_data"], result["same_weights"]) == (True, True, True)
    assert result["config"] == {"rank": [8, 16]}
    assert "held-out rows: 10 of the 12 measured for left are shared" in result["notes"]
    words = "\n".join(in_words(result))
    assert "10 held-out rows from 10 sources" in words
    assert "left -> right" in words
    assert "rank" in words
    assert "seed" not in words
    assert result["conclusion"].startswith(
        "right is better than left on rows that neither saw: the loss of the answers"
    )
    backwards = compare(right, left)
    assert backwards["held_out"]["loss"]["difference"]["value"] == pytest.approx(0.5 - 0.045)
    assert backwards["conclusion"].startswith("right is better than left")
    assert compare(left, left)["conclusion"].startswith("No difference to be seen between left and left: token F1")


def test_rows_that_are_not_the_same_are_not_compared(tmp_path: Path) -> None:
    left = make(tmp_path, "left", 8, {})
    right = make(tmp_path, "right", 8, {"held_out": measured(12, 3.0, 1.0, "other")}, rows={"sha256": "2"})
    result = compare(left, right)
    assert "held_out" not in result
    assert not result["same_data"]
    assert "held-out rows: none in common, so their figures are of different rows" in result["notes"]
    assert result["config"] == {}
    assert result["conclusion"] == "Which is better cannot be told: no held-out rows were measured for both."


def test_losses_of_different_tokenisers_are_not_compared(tmp_path: Path) -> None:
    right = make(tmp_path, "right", 8, {}, base_digest="1" * 64)
    result = compare(make(tmp_path, "left", 8, {}), right)
    assert "loss" not in result["held_out"]
    assert "f1" in result["held_out"]
    assert any("their bases differ" in note for note in result["notes"])


def test_one_that_was_not_measured_is_told(tmp_path: Path) -> None:
    result = compare(make(tmp_path, "left", 8), make(tmp_path, "right", 8, {}))
    assert result["notes"] == ["left was not measured; `python -m tuning assess left` measures it, then compare again"]
    assert in_words(result)
