"""One visitor cannot take the whole machine, and no address is kept."""

import pytest

from eval.errors import InputError
from eval.limits import SALT_SECONDS, Limits


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_so_many_at_once_and_a_place_is_given_back() -> None:
    limits = Limits(at_once=2, per_minute=100)
    with limits.admit("10.0.0.1"), limits.admit("10.0.0.1"):
        with pytest.raises(InputError, match="2 of your questions"), limits.admit("10.0.0.1"):
            pass
        with limits.admit("10.0.0.2"):
            pass
    with limits.admit("10.0.0.1"):
        pass


def test_a_place_is_given_back_after_a_failure() -> None:
    limits = Limits(at_once=1)
    for _ in range(3):
        with pytest.raises(RuntimeError), limits.admit("10.0.0.1"):
            raise RuntimeError


def test_so_many_a_minute() -> None:
    clock = Clock()
    limits = Limits(per_minute=3, clock=clock)
    for _ in range(3):
        with limits.admit("10.0.0.1"):
            clock.now += 10
    with pytest.raises(InputError, match="ask again in 30 s"), limits.admit("10.0.0.1"):
        pass
    clock.now += 31
    with limits.admit("10.0.0.1"):
        pass


def test_addresses_are_hashed_with_a_salt_that_changes_daily() -> None:
    clock = Clock()
    limits = Limits(clock=clock)
    with limits.admit("203.0.113.7"):
        assert "203.0.113.7" not in repr(vars(limits))
    first = limits._key("203.0.113.7")
    clock.now += SALT_SECONDS + 1
    assert limits._key("203.0.113.7") != first
