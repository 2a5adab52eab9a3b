"""The estimate that a page shows before a run, from a process of its own."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tuning.config import TrainConfig
from tuning.errors import InputError
from tuning.estimating import foresee
from tuning.recipe import Recipe

CONFIG = TrainConfig(rank=4, alpha=8, epochs=1, max_length=128, precision="float32")


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps({"prompt": f"answer {n}?", "response": "red green"}) for n in range(24)))
    return Recipe.of(path)


@pytest.mark.slow
def test_it_says_how_long_and_how_much_and_writes_nothing(home: Path, recipe: Recipe, tiny_base_path: Path) -> None:
    found = foresee(home, recipe, CONFIG, str(tiny_base_path))
    assert set(found) == {"seconds", "step_seconds", "bytes", "free_bytes"}
    assert 0 < found["step_seconds"] < found["seconds"]
    assert found["bytes"] > 0
    assert not (home / "jobs").exists()


@pytest.mark.slow
def test_what_the_run_would_be_refused_for_is_said(home: Path, recipe: Recipe, tiny_base_path: Path) -> None:
    with pytest.raises(InputError, match=r"rows.jsonl teaches answers, which dpo does not learn from"):
        foresee(home, recipe, replace(CONFIG, method="dpo"), str(tiny_base_path))
    with pytest.raises(InputError, match="no-such-base"):
        foresee(home, recipe, CONFIG, "/no-such-base")
