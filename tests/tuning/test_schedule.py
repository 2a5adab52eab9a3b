import random
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuning.request import Busy
from tuning.schedule import LONE_PIECE, PIECE, WaitingRoom, plan


@dataclass(eq=False)
class Waiting:
    user: str
    number: int = 0


USERS = st.sampled_from("abcd")


def room_of(calls: list[tuple[str, int]], places: int = 10_000, per_user: int = 10_000) -> WaitingRoom[Waiting]:
    room: WaitingRoom[Waiting] = WaitingRoom(places, per_user)
    for number, (user, size) in enumerate(calls):
        room.enter(user, [Waiting(user, number) for _ in range(size)])
    return room


CALLS = st.lists(st.tuples(USERS, st.integers(1, 5)), max_size=8)


# ---- the room ----


@given(CALLS)
def test_the_room_is_bounded_and_a_refused_call_leaves_nobody_in_it(calls: list[tuple[str, int]]) -> None:
    places, per_user = 9, 6
    room: WaitingRoom[Waiting] = WaitingRoom(places, per_user)
    waiting: list[Waiting] = []
    for user, size in calls:
        rows = [Waiting(user) for _ in range(size)]
        own = sum(row.user == user for row in waiting)
        too_many, ahead = own + size > per_user, own
        if not too_many:
            too_many, ahead = len(waiting) + size > places, len(waiting)
        if too_many:
            with pytest.raises(Busy) as busy:
                room.enter(user, rows)
            assert busy.value.ahead == ahead
        else:
            room.enter(user, rows)
            waiting += rows
        assert len(room) == len(waiting) <= places
        assert set(room) == set(waiting)


def test_a_call_bigger_than_the_room_enters_and_shuts_nobody_out() -> None:
    """It could never be answered else; and one such call made everybody "busy" until most of it was answered."""
    room = room_of([("a", 50)], places=9, per_user=6)
    assert len(room) == 50
    with pytest.raises(Busy) as busy:
        room.enter("a", [Waiting("a")])
    assert busy.value.ahead == 50
    room.enter("b", [Waiting("b")] * 3)
    with pytest.raises(Busy) as busy:
        room.enter("c", [Waiting("c")])
    assert busy.value.ahead == 53


@given(CALLS, st.randoms(use_true_random=False))
def test_who_leaves_waits_no_longer_and_the_others_do(calls: list[tuple[str, int]], random: random.Random) -> None:
    room = room_of(calls)
    waiting = list(room)
    random.shuffle(waiting)
    while waiting:
        room.leave(waiting.pop())
        assert set(room) == set(waiting)
        assert len(room) == len(waiting)
    room.leave(Waiting("a"))  # who never waited may leave as well
    assert list(room.admit({}, lambda row: True)) == []


def test_rows_are_told_apart_by_identity() -> None:
    """Two users may ask the same."""
    room: WaitingRoom[list[str]] = WaitingRoom(9, 9)
    one, other = ["What?"], ["What?"]
    room.enter("a", [one])
    room.enter("b", [other])
    room.leave(other)
    assert [row is one for row in room] == [True]


# ---- who comes next ----


@given(CALLS, st.dictionaries(USERS, st.integers(0, 4)))
def test_those_with_the_fewest_rows_come_first_and_of_equals_who_was_served_longest_ago(
    calls: list[tuple[str, int]], running: dict[str, int]
) -> None:
    room = room_of(calls)
    left = {user: [row for row in room if row.user == user] for user, _ in calls}  # in the order of their entrances
    turns, has = list(left), Counter(running)
    for row in room.admit(running, lambda row: True):
        expected = min((user for user in turns if left[user]), key=lambda user: (has[user], turns.index(user)))
        assert row is left[expected].pop(0), "a user's own rows keep their order"
        turns.append(turns.pop(turns.index(expected)))
        has[expected] += 1
        assert set(room) == {row for rows in left.values() for row in rows}, "who is in the batch waits no longer"
    assert not any(left.values())


@given(CALLS, st.integers(0, 6))
def test_whose_first_row_waits_is_served_before_the_next_row_of_another(
    calls: list[tuple[str, int]], running: int
) -> None:
    room = room_of([("hog", 20), *calls, ("new", 1)])
    order = [row.user for row in room.admit({"hog": running}, lambda row: True)]
    before = Counter(order[: order.index("new")])
    assert before["hog"] == (0 if running else 1)
    assert max(before.values(), default=0) <= 1


@given(CALLS, st.integers(0, 20))
def test_nobody_overtakes_a_row_that_does_not_fit(calls: list[tuple[str, int]], room_for: int) -> None:
    """A row that needs much room would otherwise wait for ever behind small ones."""
    usual = list(room_of(calls).admit({}, lambda row: True))
    room = room_of(calls)
    asked: list[Waiting] = []

    def fits(row: Waiting) -> bool:
        asked.append(row)
        return len(asked) <= room_for

    taken = list(room.admit({}, fits))
    assert [(row.user, row.number) for row in taken] == [(row.user, row.number) for row in usual[:room_for]]
    assert asked[: len(taken)] == taken
    assert len(asked) == min(len(usual), room_for + 1), "after the one that does not fit nobody is asked"
    if len(asked) > room_for:
        assert next(room.admit(Counter(row.user for row in taken), lambda row: True)) is asked[-1]


@given(CALLS, st.sets(st.integers(0, 7)))
def test_who_had_better_wait_lets_others_pass_and_keeps_the_place(
    calls: list[tuple[str, int]], later: set[int]
) -> None:
    room = room_of(calls)
    everyone = list(room)
    asked: Counter[Waiting] = Counter()

    def fits(row: Waiting) -> bool | None:
        asked[row] += 1
        return None if row.number in later else True

    taken = list(room.admit({}, fits))
    assert set(taken) == {row for row in everyone if row.number not in later}
    assert set(asked) == set(everyone)
    assert set(asked.values()) <= {1}, "who is passed is not asked again in the same round"
    assert set(room) == {row for row in everyone if row.number in later}
    for user in "abcd":
        own = [row for row in everyone if row.number in later and row.user == user]
        assert [row for row in room if row.user == user] == own


def test_a_row_that_is_passed_does_not_let_others_overtake_one_that_does_not_fit() -> None:
    room = room_of([("a", 1), ("b", 1), ("c", 1)])
    answers: dict[str, bool | None] = {"a": None, "b": False, "c": True}
    assert list(room.admit({}, lambda row: answers[row.user])) == []
    assert [row.user for row in room] == ["a", "b", "c"]


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 4))
def test_nobody_starves_beside_users_who_never_stop_asking(seed: int, places: int, hogs: int) -> None:
    """Of users with equally many rows in the batch, the one whose next row was oldest came first: in a batch of no more
    places than there are users with a queue, a newcomer waited for the whole of their queues."""
    chance = random.Random(seed)
    room: WaitingRoom[Waiting] = WaitingRoom(1000, 1000)
    batch: list[Waiting] = []
    since: dict[str, Counter[str]] = {}
    """By guest: how many rows of whom began while the guest waited."""
    for turn in range(60):
        for hog in range(hogs):
            room.enter(f"hog {hog}", [Waiting(f"hog {hog}") for _ in range(1 if turn else 10)])
        if turn % 3 == 2:
            room.enter(f"guest {turn}", [Waiting(f"guest {turn}")])
            since[f"guest {turn}"] = Counter()
        for row in room.admit(Counter(row.user for row in batch), lambda row: len(batch) < places):
            batch.append(row)
            since.pop(row.user, None)
            for began in since.values():
                began[row.user] += 1
                assert max(began.values()) == 1, "a user began a second row while another had none"
        batch.pop(chance.randrange(len(batch)))


# ---- who computes how much ----


@dataclass(eq=False)
class Pending:
    pending: int


ROWS = st.lists(st.one_of(st.just(1), st.integers(2, 20), st.integers(2, 3000)).map(Pending), max_size=40)
MANY_ROWS = st.builds(
    lambda count, seed: [Pending(random.Random(seed + number).randint(2, 400)) for number in range(count)],
    st.integers(PIECE - 2, LONE_PIECE + 40),
    st.integers(0, 2**32),
)


def budget(rows: list[Pending]) -> int:
    return PIECE if any(row.pending == 1 for row in rows) else LONE_PIECE


@given(ROWS)
def test_a_step_computes_one_token_of_each_growing_answer_and_a_bounded_number_of_prompts(rows: list[Pending]) -> None:
    planned = plan(rows)
    order = [rows.index(row) for row, _ in planned]
    assert order == sorted(set(order)), "the order is kept, and nobody is planned twice"
    assert all(1 <= count <= row.pending for row, count in planned)
    assert {row for row, _ in planned} >= {row for row in rows if row.pending == 1}
    reading = sum(count for row, count in planned if row.pending > 1)
    assert reading == min(budget(rows), sum(row.pending for row in rows if row.pending > 1)), "no room is wasted"


@given(ROWS)
def test_no_prompt_gets_less_than_an_even_share_so_short_ones_are_read_at_once(rows: list[Pending]) -> None:
    counts = dict(plan(rows))
    reading = [row for row in rows if row.pending > 1]
    for row in reading:
        assert counts[row] >= min(row.pending, budget(rows) // len(reading))


@settings(max_examples=20)
@given(MANY_ROWS, st.booleans())
def test_where_not_all_can_read_the_shortest_do(rows: list[Pending], growing: bool) -> None:
    """The even share of more rows than tokens is none: the shortest got none, and the longest were read."""
    rows += [Pending(1)] * growing
    counts = {row: count for row, count in plan(rows) if row.pending > 1}
    assert sum(counts.values()) <= budget(rows)
    left_out = [row.pending for row in rows if row.pending > 1 and row not in counts]
    if left_out:
        assert max(row.pending for row in counts) <= min(left_out)


@settings(max_examples=20)
@given(st.one_of(ROWS, MANY_ROWS))
def test_every_prompt_is_read_in_as_many_steps_as_its_tokens_need(rows: list[Pending]) -> None:
    to_read = sum(row.pending for row in rows if row.pending > 1)
    steps = 0
    while any(row.pending > 1 for row in rows):
        for row, count in plan(rows):
            row.pending = max(1, row.pending - count)  # a row that has read its prompt grows from then on
        steps += 1
    assert steps <= to_read // PIECE + 1
