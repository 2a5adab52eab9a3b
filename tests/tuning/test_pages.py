from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tuning.pages import PAGE, Pages, pages_for

COUNT = 7
Content = tuple[int, tuple[int, ...]]
"""Whose weights computed a page, and all tokens up to its end: what attention reads from it."""


@given(st.integers(0, 10_000))
def test_pages_for_is_the_fewest_that_hold_the_tokens(tokens: int) -> None:
    assert pages_for(tokens) * PAGE >= tokens > (pages_for(tokens) - 1) * PAGE


def words(*blocks: int, rest: int = 0) -> list[int]:
    """A page full of each block's number, and `rest` tokens more."""
    return [block for block in blocks for _ in range(PAGE)] + [99] * rest


def run(pages: Pages, ids: list[int], owner: int = 0, held: int | None = None) -> list[int]:
    """What a row does from its start to where it has computed `ids`."""
    shared = pages.find(owner, ids)
    mine = pages.reserve(shared, held or pages_for(len(ids)))
    assert mine is not None
    pages.publish(owner, ids, mine)
    return mine


@dataclass(eq=False)
class Holder:
    owner: int
    ids: list[int]
    pages: list[int]
    computed: int
    shared: int = 0
    """Pages at its head that it did not compute itself."""


@dataclass
class Model:
    """What physically stands in the pool's pages, and who may write there."""

    rows: list[Holder] = field(default_factory=list)
    content: dict[int, Content] = field(default_factory=dict)

    @property
    def held(self) -> set[int]:
        return {page for row in self.rows for page in row.pages}


BLOCKS = st.lists(st.integers(0, 1), max_size=4)
REST = st.integers(0, PAGE - 1)
OWNER = st.integers(0, 1)


class AnyOrder(RuleBasedStateMachine):
    """Rows of two owners, whose texts often begin alike, come, compute, publish and go in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.pages = Pages(COUNT)
        self.model = Model()

    def found(self, owner: int, ids: list[int]) -> list[int]:
        """find's promise: what stands in the pages it names is what the asker would compute."""
        found = self.pages.find(owner, ids)
        for number, page in enumerate(found):
            assert self.model.content[page] == (owner, tuple(ids[: (number + 1) * PAGE]))
        assert len(set(found)) == len(found) <= len(ids) // PAGE
        return found

    @rule(owner=OWNER, blocks=BLOCKS, rest=REST, more=st.integers(0, 3), sharing=st.booleans())
    def begin(self, owner: int, blocks: list[int], rest: int, more: int, sharing: bool) -> None:
        ids = words(*blocks, rest=rest)
        shared = self.found(owner, ids) if sharing else []
        wanted = pages_for(len(ids)) + more
        before, available, held = self.everything_found(), self.pages.available, self.model.held
        pages = self.pages.reserve(shared, wanted)
        if pages is None:
            assert wanted > COUNT - len(held | set(shared)) + len(shared), "refused though there was room"
            assert self.pages.available == available
            assert self.everything_found() == before
            return
        fresh = pages[len(shared) :]
        assert pages[: len(shared)] == shared
        assert len(pages) == wanted == len(set(pages))
        assert not held & set(fresh), "a page that somebody holds was given to another"
        self.model.rows.append(Holder(owner, ids, pages, len(shared) * PAGE, len(shared)))
        for page in fresh:  # whatever stood there is lost from now on: the row may write any time
            self.model.content.pop(page, None)

    @precondition(lambda self: self.model.rows)
    @rule(data=st.data())
    def compute(self, data: st.DataObject) -> None:
        row = data.draw(st.sampled_from(self.model.rows))
        row.computed = data.draw(st.integers(row.computed, len(row.ids)))
        for number in range(row.shared, row.computed // PAGE):
            written = (row.owner, tuple(row.ids[: (number + 1) * PAGE]))
            assert self.model.content.setdefault(row.pages[number], written) == written
        done = row.ids[: row.computed]
        self.pages.publish(row.owner, done, row.pages)
        assert len(self.found(row.owner, done)) == row.computed // PAGE

    @precondition(lambda self: self.model.rows)
    @rule(data=st.data(), block=st.integers(0, 1))
    def grow(self, data: st.DataObject, block: int) -> None:
        row = data.draw(st.sampled_from(self.model.rows))
        room = len(row.pages) * PAGE - len(row.ids)
        row.ids += [block] * min(PAGE - len(row.ids) % PAGE, room)

    @precondition(lambda self: self.model.rows)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        row = data.draw(st.sampled_from(self.model.rows))
        before = self.everything_found()
        self.model.rows.remove(row)
        self.pages.release(row.pages)
        assert self.everything_found() == before, "what was computed is wanted again"

    @rule(owner=OWNER, blocks=BLOCKS)
    def look(self, owner: int, blocks: list[int]) -> None:
        self.found(owner, words(*blocks))

    @rule()
    def forget(self) -> None:
        self.pages.forget()
        for found in self.everything_found():
            assert set(found) <= self.model.held

    def everything_found(self) -> list[list[int]]:
        """What rows of the model could ask for, answered now."""
        texts = [[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)]
        return [self.pages.find(owner, words(*text)) for owner in (0, 1) for text in texts]

    @invariant()
    def none_is_lost_and_none_counted_twice(self) -> None:
        assert self.pages.available + len(self.model.held) == COUNT

    @invariant()
    def held_pages_keep_what_they_hold(self) -> None:
        """A row goes on reading every page it holds: its own and those it shares."""
        for row in self.model.rows:
            for number in range(row.computed // PAGE):
                assert self.model.content[row.pages[number]] == (row.owner, tuple(row.ids[: (number + 1) * PAGE]))

    @invariant()
    def names_do_not_pile_up(self) -> None:
        assert len(self.pages._known) == len(self.pages._names) <= COUNT

    def teardown(self) -> None:
        for row in self.model.rows:
            self.pages.release(row.pages)
        everything = self.pages.reserve([], COUNT)
        assert everything is not None
        assert sorted(everything) == list(range(COUNT))


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=150, stateful_step_count=40)


def test_a_row_that_begins_alike_reads_the_earlier_rows_full_pages() -> None:
    pages = Pages(8)
    first = run(pages, words(1, 2, rest=5))
    assert pages.find(0, words(1, 2, 3)) == first[:2]
    assert pages.find(0, words(1, 3)) == first[:1]
    assert pages.find(0, words(2)) == []
    assert pages.find(0, words(1)[:-1]) == [], "half a page says nothing of its other half"
    assert pages.find(1, words(1, 2)) == [], "another adapter's keys and values are others"


def test_alike_pages_behind_different_ones_are_different() -> None:
    pages = Pages(8)
    run(pages, words(1, 7))
    other = run(pages, words(2, 7))
    assert pages.find(0, words(2, 7)) == other


def test_what_is_not_published_is_not_found() -> None:
    pages = Pages(4)
    mine = pages.reserve([], 3)
    assert mine is not None
    assert pages.find(0, words(1, 2)) == []
    pages.publish(0, words(1, 2)[:-1], mine)
    assert pages.find(0, words(1, 2)) == mine[:1]


def test_reserve_takes_all_or_nothing_and_counts_resting_pages_once() -> None:
    """The pages to be shared may be the very ones that the rest would be taken from."""
    pages = Pages(3)
    pages.release(run(pages, words(1, 2)))
    shared = pages.find(0, words(1, 2))
    assert pages.available == 3
    assert pages.reserve(shared, 4) is None
    assert pages.available == 3
    mine = pages.reserve(shared, 3)
    assert mine is not None
    assert mine[:2] == shared
    assert pages.available == 0
    assert pages.reserve([], 1) is None
    assert pages.reserve(shared, 2) == shared, "sharing costs no page"


def test_room_is_made_of_what_was_wanted_longest_ago_last_page_first() -> None:
    pages = Pages(5)
    old, new = run(pages, words(1, 2)), run(pages, words(3, 4))
    pages.release(old)
    pages.release(new)
    found: dict[int, list[int]] = {}
    for taken in range(1, 6):
        assert pages.reserve([], 1) is not None
        found[taken] = [len(pages.find(0, words(1, 2))), len(pages.find(0, words(3, 4)))]
    assert found == {1: [2, 2], 2: [1, 2], 3: [0, 2], 4: [0, 1], 5: [0, 0]}


def test_what_was_shared_again_counts_as_wanted_lately() -> None:
    pages = Pages(2)
    pages.release(run(pages, words(1)))
    pages.release(run(pages, words(2)))
    pages.release(run(pages, words(1)))
    assert pages.reserve([], 1) is not None
    assert len(pages.find(0, words(1))) == 1
    assert pages.find(0, words(2)) == []


def test_what_is_forgotten_is_computed_again_but_by_nobody_who_reads_it_now() -> None:
    pages = Pages(4)
    pages.release(run(pages, words(1, 2)))
    reading = run(pages, words(1))
    pages.forget()
    assert pages.find(0, words(1, 2)) == reading
    assert pages.available == 3
    pages.release(reading)
    pages.forget()
    assert pages.find(0, words(1)) == []
    assert pages.available == 4


def test_a_pages_number_given_again_does_not_bring_back_its_followers() -> None:
    """Two rows computed the same first page; the published one goes, the other's second page hangs behind it. Were the
    followers named after the page's number, the next text in that page would have been followed by theirs."""
    pages = Pages(4)
    first = run(pages, words(1))
    second = pages.reserve([], 2)
    assert second is not None
    pages.publish(0, words(1, 2), second)
    assert pages.find(0, words(1, 2)) == [first[0], second[1]]
    pages.release(first)
    assert pages.reserve([], 2) is not None  # takes the only free page, and the first row's
    assert pages.find(0, words(1, 2)) == []
    pages.release(second)
    third = run(pages, words(3))
    assert pages.find(0, words(3, 2)) == third


def test_a_page_whose_forerunner_went_is_found_behind_the_new_one() -> None:
    """Publishing again gave the page a second name and left the first one for good: the table grew without end, and
    what others had computed behind that page was found no more."""
    pages = Pages(4)
    first = run(pages, words(1))
    second = pages.reserve([], 3)
    assert second is not None
    pages.publish(0, words(1, 2, 3), second)
    pages.release(first)
    third = pages.reserve([], 1)  # takes the first row's page
    assert third == first
    pages.publish(0, words(1, 2), second)
    assert pages.find(0, words(1, 2, 3)) == second
    assert len(pages._known) == 3


@pytest.mark.parametrize("rest", [0, 1, PAGE - 1])
def test_pages_held_for_the_answer_are_not_findable(rest: int) -> None:
    pages = Pages(6)
    mine = run(pages, words(1, 2, rest=rest), held=5)
    assert len(mine) == 5
    assert pages.find(0, words(1, 2, 99, 99)) == mine[:2]
    pages.release(mine)
    assert pages.available == 6
