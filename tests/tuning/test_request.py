import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning.errors import InputError
from tuning.request import Answer, Busy, Request, Sampling

MESSAGES = [{"role": "user", "content": "What?"}]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("temperature", [-0.1, 5.1, math.nan, math.inf]),
        ("top_p", [0, -0.5, 1.01, math.nan]),
        ("max_tokens", [0, -1, 100_001, 1.5]),
        ("seed", [-1, 2**63, 0.5]),
        ("top_k", [-1, 2.5]),
        ("min_p", [-0.1, 1.1, math.nan]),
        ("repetition_penalty", [0, 0.05, 11, -1, math.nan]),
        ("stop", ["User:", "", ("",), ("a", ""), ["a"], (1,), None]),
    ],
)
def test_what_is_out_of_range_is_refused_by_name_and_value(name: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(InputError) as refused:
            Sampling(**{name: value})
        assert str(refused.value).startswith(f"{name} {value!r} must ")


@given(
    st.builds(
        Sampling,
        temperature=st.floats(0, 5),
        top_p=st.floats(0, 1, exclude_min=True),
        max_tokens=st.integers(1, 100_000),
        seed=st.integers(0, 2**63 - 1),
        top_k=st.integers(0),
        min_p=st.floats(0, 1),
        repetition_penalty=st.floats(0.1, 10),
        stop=st.lists(st.text(min_size=1), max_size=3).map(tuple),
    )
)
def test_what_is_in_range_is_taken_as_it_is(sampling: Sampling) -> None:
    """Both ends of every range included: hypothesis tries those first."""
    assert Sampling(**dataclasses.asdict(sampling)) == sampling


@pytest.mark.parametrize("deadline", [0, -1, math.nan])
def test_a_deadline_leaves_some_time(deadline: float) -> None:
    with pytest.raises(InputError, match="leaves no time"):
        Request(MESSAGES, deadline=deadline)
    assert Request(MESSAGES, deadline=0.01).deadline == 0.01
    assert Request(MESSAGES).deadline is None


def test_the_plain_request_is_greedy_on_the_base_alone() -> None:
    request = Request(MESSAGES)
    assert (request.adapter, request.sampling, request.given) == (None, Sampling(temperature=0), None)


def test_requests_and_answers_cannot_change_under_another_threads_eyes() -> None:
    for given_out, name in ((Sampling(), "seed"), (Request(MESSAGES), "adapter"), (Answer(), "text")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(given_out, name, None)


def test_busy_is_a_fault_that_pages_and_commands_show() -> None:
    with pytest.raises(InputError, match="2 answers are ahead; try again") as busy:
        raise Busy(2)
    assert isinstance(busy.value, Busy)
    assert busy.value.ahead == 2
    assert "1 answer is ahead" in str(Busy(1))
