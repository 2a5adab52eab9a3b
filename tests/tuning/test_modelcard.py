"""The card states all that is known, on the adapter that comes with the program and on invented ones."""

from pathlib import Path

import pytest

from tests.tuning.assessed import ANSWER, QUESTION, assessment
from tuning.adapters import Adapter, open_adapter
from tuning.commands import SAMPLES
from tuning.modelcard import card_text

CARD = {
    "base": "maker/base-1B",
    "base_digest": "ab" * 32,
    "created": "2026-03-04T05:06:07+00:00",
    "weights_sha256": "cd" * 32,
    "method": "dora",
    "lineage": [{"name": "first", "digest": "ef" * 32}],
    "config": {"method": "dora", "rank": 16, "learning_rate": 0.0005, "seed": 3},
    "precision": "bfloat16",
    "rows": {
        "file": "a|b.jsonl",
        "sha256": "12" * 32,
        "train": ["x"] * 80,
        "validation": ["y"] * 10,
        "test": ["z"] * 9,
    },
    "curves": {"train": [[1, 3.5], [90, 1.25]], "validation": [[n, 3 - n / 50] for n in range(0, 91, 2)]},
    "steps": 90,
    "ended": "finished",
    "test_loss": 1.5,
    "base_test_loss": 3.0,
    "answer_tokens_per_second": 321.5,
    "seconds": 77.0,
}


@pytest.fixture
def adapter(tmp_path: Path) -> Adapter:
    (tmp_path / "w.safetensors").write_bytes(bytes(2_500_000))
    return Adapter("mine", tmp_path, CARD)


def test_everything_is_stated(adapter: Adapter) -> None:
    text = card_text(adapter, assessment(adapter))
    for stated in (
        "base_model: maker/base-1B", "base_model_relation: adapter", "library_name: peft", "- dora",
        "a DoRA adapter of **maker/base-1B**, made on 2026-03-04", "2.5 MB", "`cdcdcdcdcdcdcdcd`", "`abababababababab`",
        "went on from earlier adapters, the nearest first: first (`efefefefefefefef`)",
        "Rows of a\\|b.jsonl (SHA-256 `" + "12" * 32 + "`): 80 to train, 10 to validate, 9 held out to test",
        "| rank | 16 |", "| learning\\_rate | 0.0005 |", "| seed | 3 |", "| precision | bfloat16 |", "| steps | 90 |",
        "| answer tokens a second | 321.5 |", "3.500 at step 1, 1.250 at step 90", "lowest at step 90, 1.200",
        "**Verdict: keep.** It helped: ", "### Against the base, on rows that it never saw",
        "| loss of the answers | 3.055 | 1.110 | -1.945 \\[", "### Forgetting: general rows",
        "Noise floor of the figures that decided: 0.0", "- held-out rows: 12 of 40 are measured",
    ):  # fmt: skip
        assert stated in text, stated
    assert QUESTION not in text
    assert ANSWER not in text


def test_what_is_not_known_is_said(adapter: Adapter) -> None:
    text = card_text(adapter, None)
    assert "**Verdict: not measured.**" in text
    assert "Loss of the answers on the held-out rows: 1.500, the base model's 3.000." in text
    bare = {key: CARD[key] for key in ("base", "base_digest", "created", "weights_sha256")}
    text = card_text(Adapter("mine", adapter.path, bare), None)
    assert "Training began with fresh weights" in text
    assert "No rows were left to validate with." in text


@pytest.mark.parametrize("base", ["/srv/models/secret", "./secret", "C:\\models"])
def test_where_files_lie_is_not_told(adapter: Adapter, base: str) -> None:
    text = card_text(Adapter("mine", adapter.path, CARD | {"base": base}), None)
    assert "/srv" not in text
    assert "base_model" not in text


@pytest.mark.parametrize("form", ["adapter", "model", "gguf"])
def test_the_programs_own_adapter_has_a_card(form: str) -> None:
    text = card_text(open_adapter(SAMPLES / "samples"), None, form)
    assert text.startswith("---\nlibrary_name: ")
    assert text.count("---\n") >= 2
    assert ("PeftModel" in text) == (form == "adapter")
