import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuning.request import Answer
from tuning.ticket import Ticket, finished

LONG = 60.0
"""Seconds that no test lasts: a reader that sleeps so long was never woken."""


def alive() -> bool:
    return True


def reader(ticket: Ticket, patience: float = LONG) -> Iterator[list[Answer]]:
    return ticket.states(alive, patience)


def texts(states: list[list[Answer]]) -> list[list[str]]:
    return [[answer.text for answer in state] for state in states]


def in_a_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_a_reader_that_keeps_up_sees_every_state_published() -> None:
    ticket = Ticket("a", 2, None)
    states = reader(ticket)
    ticket.note(1, Answer("x"))
    ticket.publish()
    assert texts([next(states)]) == [["", "x"]]
    ticket.note(0, Answer("y"))
    ticket.publish()
    assert texts([next(states)]) == [["y", "x"]]
    ticket.note(0, Answer("y", finished="end"))
    ticket.note(1, Answer("xx", finished="length"))
    ticket.publish()
    assert texts(list(states)) == [["y", "xx"]], "the last state ends it"


def test_a_slow_reader_skips_states_but_never_the_last() -> None:
    ticket = Ticket("a", 1, None)
    states = reader(ticket)
    for number in range(5):
        ticket.note(0, Answer(str(number)))
        ticket.publish()
    assert next(states)[0].text == "4"
    for number in range(5, 9):
        ticket.note(0, Answer(str(number), finished="end" if number == 8 else ""))
        ticket.publish()
    assert texts(list(states)) == [["8"]]


def test_a_state_is_read_once_however_many_were_skipped() -> None:
    ticket = Ticket("a", 1, None)
    for _ in range(3):
        ticket.publish()
    states = ticket.states(lambda: False, patience=0.01)
    next(states)
    with pytest.raises(RuntimeError):
        next(states)


def test_states_that_were_read_do_not_change_any_more() -> None:
    ticket = Ticket("a", 1, None)
    states = reader(ticket)
    ticket.note(0, Answer("one"))
    ticket.publish()
    first = next(states)
    ticket.note(0, Answer("two", finished="end"))
    ticket.publish()
    assert texts([first, *states]) == [["one"], ["two"]]


def test_what_is_noted_wakes_nobody_until_it_is_published() -> None:
    """Four answers that a step brings forward are one state."""
    ticket = Ticket("a", 1, None)
    seen: list[list[Answer]] = []
    thread = in_a_thread(lambda: seen.extend(reader(ticket)))
    ticket.note(0, Answer("yes", finished="end"))
    thread.join(0.1)
    assert thread.is_alive()
    assert not seen
    ticket.publish()
    thread.join(LONG)
    assert texts(seen) == [["yes"]]


@settings(max_examples=20)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=40), st.integers(0, 2))
def test_between_two_threads_texts_only_grow_and_the_last_arrives(steps: list[int], pause: int) -> None:
    """A wake-up that is lost would leave the reader asleep for `LONG`."""
    ticket = Ticket("a", 3, None)

    def write() -> None:
        answers = [Answer() for _ in range(3)]
        for number in steps:
            answers[number] = Answer(answers[number].text + "x")
            ticket.note(number, answers[number])
            ticket.publish()
            time.sleep(pause * 0.0001)
        for number, answer in enumerate(answers):
            ticket.note(number, Answer(answer.text, finished="end"))
        ticket.publish()

    seen: list[list[Answer]] = []
    reading = in_a_thread(lambda: seen.extend(reader(ticket)))
    writing = in_a_thread(write)
    writing.join(LONG)
    reading.join(LONG / 2)
    assert not reading.is_alive()
    assert [answer.text for answer in seen[-1]] == ["x" * steps.count(number) for number in range(3)]
    assert [finished(state) for state in seen] == [False] * (len(seen) - 1) + [True]
    for before, after in pairwise(seen):
        assert all(new.text.startswith(old.text) for old, new in zip(before, after, strict=True))


def test_the_writer_never_waits_for_a_reader_who_is_busy() -> None:
    ticket = Ticket("a", 1, None)
    states = reader(ticket)
    ticket.publish()
    next(states)  # the reader is now away with a state

    def write() -> None:
        for number in range(1000):
            ticket.note(0, Answer(str(number)))
            ticket.publish()

    thread = in_a_thread(write)
    thread.join(LONG)
    assert not thread.is_alive()
    assert next(states)[0].text == "999"


def test_a_reader_does_not_wait_for_a_writer_who_is_gone() -> None:
    ticket = Ticket("a", 1, None)
    ticket.note(0, Answer("so far"))
    ticket.publish()
    states = ticket.states(lambda: False, patience=0.01)
    assert texts([next(states)]) == [["so far"]], "what was published before is read first"
    with pytest.raises(RuntimeError, match="engine has stopped"):
        next(states)


def test_a_reader_waits_for_a_writer_who_takes_long() -> None:
    ticket = Ticket("a", 1, None)
    asked: list[int] = []

    def write() -> None:
        ticket.note(0, Answer("late", finished="end"))
        ticket.publish()

    def slow() -> bool:
        asked.append(1)
        if len(asked) == 3:
            in_a_thread(write)
        return len(asked) < 500

    assert texts(list(ticket.states(slow, patience=0.01))) == [["late"]]
    assert len(asked) >= 3


def test_alive_is_asked_only_while_nothing_comes() -> None:
    """Else each state would cost a look at the thread."""
    ticket = Ticket("a", 1, None)
    states = ticket.states(lambda: pytest.fail("asked"), patience=LONG)
    for number in range(3):
        ticket.note(0, Answer(str(number)))
        ticket.publish()
        assert texts([next(states)]) == [[str(number)]]


def test_who_sets_the_event_or_closes_wants_no_more() -> None:
    event = threading.Event()
    ticket, neighbour, alone = Ticket("a", 1, event), Ticket("b", 1, threading.Event()), Ticket("c", 1, None)
    assert not ticket.stopped
    event.set()
    assert ticket.stopped
    assert not neighbour.stopped
    assert not alone.stopped
    alone.close()
    assert alone.stopped
    neighbour.close()
    assert neighbour.stopped


def test_a_stop_does_not_cut_off_the_last_state() -> None:
    """The engine answers it with states that say `stopped`, and these are still read."""
    event = threading.Event()
    ticket = Ticket("a", 1, event)
    states = reader(ticket)
    ticket.publish()
    next(states)
    event.set()
    ticket.note(0, Answer("half", finished="stopped"))
    ticket.publish()
    assert texts(list(states)) == [["half"]]


def test_all_must_be_finished() -> None:
    assert finished([Answer(finished="end"), Answer(finished="failed")])
    assert not finished([Answer(finished="end"), Answer()])
