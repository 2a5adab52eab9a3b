"""The form of hyperparameters: whatever is typed in becomes a config or a sentence that names the field."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning.config import METHODS, PRESETS, TrainConfig
from tuning.errors import InputError
from tuning.settings import FIELDS, is_used, method_choices, read_settings, suggested


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_suggested_reads_back_as_the_preset(preset: str, method: str) -> None:
    values = list(suggested(preset, method).values())
    assert read_settings(preset, method, values) == TrainConfig.preset(preset, {"method": method})


def test_every_method_is_offered_with_words() -> None:
    assert [method for _, method in method_choices()] == list(METHODS)


def test_numbers_come_as_a_page_sends_them() -> None:
    values = suggested("quick", "lora") | {"epochs": 3, "rank": 4.0, "learning_rate": "1e-3", "sweep": 1}
    config = read_settings("quick", "lora", values)
    assert (config.epochs, config.rank, config.learning_rate, config.sweep) == (3.0, 4, 1e-3, True)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("rank", None, "rank is None; give a number"),
        ("rank", 2.5, "rank is 2.5; give a whole number"),
        ("epochs", "many", "epochs is 'many'; give a number"),
        ("batch_size", float("inf"), "batch_size is inf; give a number"),
        ("precision", "int4", "precision 'int4' is unknown"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_settings("quick", "lora", suggested("quick", "lora") | {name: value})


@given(
    st.lists(st.one_of(st.none(), st.text(), st.floats(), st.booleans()), min_size=len(FIELDS), max_size=len(FIELDS))
)
def test_anything_else_is_a_config_or_an_input_error(values: list[Any]) -> None:
    try:
        config = read_settings("quick", "lora", values)
    except InputError:
        return
    assert isinstance(config, TrainConfig)


def test_only_preference_methods_have_a_beta() -> None:
    assert is_used("beta", "dpo")
    assert is_used("beta", "kto")
    assert not is_used("beta", "lora")
    assert not is_used("anchor", "kto")
    assert is_used("rank", "lora")
