"""Who waits, who comes next, and how many tokens of whom the next step computes. Bookkeeping only, no tensors."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from tuning.request import Busy

PIECE = 128
"""Prompt tokens that a step computes beside growing answers: what a newcomer's prompt may delay their next token by."""
LONE_PIECE = 512
"""Prompt tokens of a step that delays nobody."""

T = TypeVar("T")


class WaitingRoom(Generic[T]):
    """Rows that wait for a place in the batch, by user. None waits behind another's queue.

    No user can fill it: a call of any size is let in where its user has none waiting, and takes no more room from the
    others than `places_per_user`.
    """

    def __init__(self, places: int, places_per_user: int) -> None:
        self._places, self._places_per_user = places, places_per_user
        self._queues: OrderedDict[str, list[T]] = OrderedDict()  # who was served longest ago comes first

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def __iter__(self) -> Iterator[T]:
        return (row for queue in self._queues.values() for row in queue)

    def enter(self, user: str, rows: Sequence[T]) -> None:
        """Let all of `rows` wait. Raises Busy, and none of them waits, where there is no room for all."""
        own = len(self._queues.get(user, ()))
        if own and own + len(rows) > self._places_per_user:
            raise Busy(own)
        others = sum(min(len(queue), self._places_per_user) for name, queue in self._queues.items() if name != user)
        if others and others + min(own + len(rows), self._places_per_user) > self._places:
            raise Busy(len(self))
        if rows:
            self._queues.setdefault(user, []).extend(rows)

    def leave(self, row: T) -> None:
        """A row that waits no longer."""
        for user, queue in list(self._queues.items()):
            queue[:] = [waiting for waiting in queue if waiting is not row]
            if not queue:
                del self._queues[user]

    def admit(self, running: Mapping[str, int], fits: Callable[[T], bool | None]) -> Iterator[T]:
        """Take rows out, of the user with the fewest in the batch first, among equals of who was served longest ago.

        `fits` says True for a row that starts, False for one that does not fit now: then nobody overtakes it. None is
        for a row that had better wait although others may start.
        """
        rows_of = Counter(running)
        passed: set[int] = set()
        while True:
            rows = {user: [row for row in queue if id(row) not in passed] for user, queue in self._queues.items()}
            users = [user for user in rows if rows[user]]
            if not users:
                return
            user = min(users, key=lambda user: rows_of[user])
            row = rows[user][0]
            answer = fits(row)
            if answer is False:
                return
            if answer is None:
                passed.add(id(row))
                continue
            self.leave(row)
            if user in self._queues:
                self._queues.move_to_end(user)
            rows_of[user] += 1
            yield row


class Pending(Protocol):
    """A row as planning sees it."""

    @property
    def pending(self) -> int:
        """Tokens that must be computed before its next token is known."""
        ...


P = TypeVar("P", bound=Pending)


def plan(rows: Sequence[P]) -> list[tuple[P, int]]:
    """How many tokens of each row the next step computes: one of each growing answer, and a bounded number of those of
    prompts, shared evenly, so that a short prompt is not held up by a long one."""
    growing = [row for row in rows if row.pending == 1]
    reading = sorted((row for row in rows if row.pending > 1), key=lambda row: row.pending)
    left = PIECE if growing else LONE_PIECE
    counts = {id(row): 1 for row in growing}
    for number, row in enumerate(reading):
        counts[id(row)] = min(row.pending, max(1, left // (len(reading) - number)), left)
        left -= counts[id(row)]
    return [(row, counts[id(row)]) for row in rows if counts[id(row)]]
