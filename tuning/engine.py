"""Requests that name an adapter -> streamed answers, those of all users in one batch over one copy of the base weights.

Knows nothing of documents, variants or pages of the app. A thread of its own computes step after step; rows join and
leave between two steps. Every row is decoded as if it were alone: its own sampling state, its own end, its own faults.
"""

import logging
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from torch import Tensor

from tuning.attention import kv_shapes
from tuning.base import Base, end_tokens
from tuning.batch import Batch
from tuning.eager import Eager
from tuning.errors import InputError
from tuning.graphed import Graphed
from tuning.lowrank import read_adapter
from tuning.native.step import Native
from tuning.pages import PAGE, Pages
from tuning.pool import Pool, affordable_pages
from tuning.request import Answer, Request
from tuning.residents import Residents
from tuning.row import Row, read_request
from tuning.schedule import WaitingRoom, plan
from tuning.ticket import Ticket
from tuning.turns import Turns

ROWS = 32
"""Rows of a batch: eight users with four answers each."""
WAITING = 64
WAITING_PER_USER = 16
POOL_TOKENS = 24_576
"""Tokens whose keys and values are held, of rows in the making and of earlier ones that may be begun alike again."""

log = logging.getLogger(__name__)


class Engine:
    """Answers for one base model."""

    def __init__(self, base: Base, rows: int = ROWS, pool_tokens: int = POOL_TOKENS) -> None:
        """Raises InputError where the model is of a kind that cannot be decoded row by row of one batch."""
        self.base = base
        self.shapes = kv_shapes(base.model)
        weight = next(base.model.parameters())
        self._pages = Pages(affordable_pages(self.shapes, weight, pool_tokens))
        self.pool = Pool(self.shapes, self._pages.count, weight)
        self._residents = Residents(base.model)
        eager = Eager(base.model, self.pool, self._residents.rows)
        self._step = Graphed(eager) if base.device.type == "cuda" else eager
        self._native: Native | None = None
        self._ends = end_tokens(base)
        self._most_rows = rows
        self._rows: list[Row] = []
        self._room: WaitingRoom[Row] = WaitingRoom(WAITING, WAITING_PER_USER)
        self._turns = Turns(self._turn, "engine")

    @property
    def adapters(self) -> tuple[str, ...]:
        """Names of the resident adapters."""
        return self._residents.names

    @property
    def compiled(self) -> bool:
        """Whether the compiled step serves."""
        return self._native is not None

    def attach(self, name: str, path: Path) -> None:
        """Make the adapter in the folder `path` resident as `name`, while answers go on. Raises InputError.

        Answers that began with an earlier adapter of this name end with it.
        """
        pairs = read_adapter(path)
        self._residents.check(name, pairs)
        native = self._native
        packed = native.pack(pairs) if native else None
        self._turns.between(lambda: self._residents.seat(name, pairs, packed if native is self._native else None))

    def detach(self, name: str) -> None:
        self._turns.between(lambda: self._residents.drop(name))

    def use(self, native: Native | None) -> None:
        """Compute with the compiled step from the next step on; None: with transformers' model code again."""

        def switch() -> None:
            self._native = native
            self._residents.use(native)

        self._turns.between(switch)

    def stream(
        self, requests: Sequence[Request], stop: threading.Event | None = None, user: str = ""
    ) -> Iterator[list[Answer]]:
        """The answers' states, in the order of the requests, whenever they have changed, until all are finished.

        `stop`, and closing the iterator, end the answers after the step in progress. Raises InputError for a prompt
        that is too long or an adapter that is not resident, and Busy where too many wait.
        """
        if not requests:
            return
        ticket = Ticket(user, len(requests), stop)
        rows = [
            Row(request, read_request(request, self.base, self._pages.count * PAGE), ticket, number, self.base)
            for number, request in enumerate(requests)
        ]
        self._turns.between(lambda: self._enter(user, rows))
        try:
            yield from ticket.states(lambda: self._turns.alive)
        finally:
            ticket.close()

    def close(self) -> None:
        """End every answer and the thread."""
        self._turns.close(lambda: self._end(self._everyone, "stopped"))

    # ---- on the computing thread ----

    def _enter(self, user: str, rows: Sequence[Row]) -> None:
        for row in rows:
            if row.request.adapter is not None and row.request.adapter not in self.adapters:
                names = list(self.adapters)
                raise InputError(f"The adapter {row.request.adapter} is not loaded; choose one of {names}.")
        self._room.enter(user, rows)
        for row in rows:  # from here on its adapter stays, whoever drops it
            row.resident = self._residents.take(row.request.adapter) if row.request.adapter is not None else None

    @property
    def _everyone(self) -> list[Row]:
        return [*self._rows, *self._room]

    def _turn(self) -> bool:
        """Rows leave, rows join, one step. Returns whether anybody is left."""
        try:
            self._end([row for row in self._everyone if row.ticket.stopped], "stopped")
            self._end([row for row in self._everyone if row.late], "deadline")
            self._admit()
            planned = plan(self._rows)
            if planned:
                self._compute(sorted(planned, key=lambda one: one[0].slot))  # rows of one adapter share its products
        except Exception as error:  # a fault of ours: its rows end, the thread and the next request do not
            log.exception("a step failed")
            self._end(self._everyone, "failed", f"The engine failed ({error!r}); ask again.")
        return bool(self._everyone)

    def _admit(self) -> None:
        running = Counter(row.ticket.user for row in self._rows)
        for row in self._room.admit(running, self._fits):
            self._rows.append(row)

    def _fits(self, row: Row) -> bool | None:
        """Hold pages for a row, if there are enough, sharing those that begin as it does."""
        if len(self._rows) >= self._most_rows:
            return False
        shared = self._pages.find(row.owner, row.shareable)
        if any(common(row, other) > len(shared) for other in self._rows if other.reading):
            return None  # somebody is computing what it would compute
        pages = self._pages.reserve(shared, row.plan.pages)
        if pages is None:
            return False
        row.begin(pages, len(shared) * PAGE)
        return True

    # ---- one step ----

    def _compute(self, planned: Sequence[tuple[Row, int]]) -> None:
        try:
            logits, wanted = self._forward(planned)
        except Exception as error:
            self._isolate(planned, error)
            return
        self._take([row for row, _ in planned], logits, wanted)

    def _isolate(self, planned: Sequence[tuple[Row, int]], error: Exception) -> None:
        """A step failed: without the compiled step, else row by row, so that only the row at fault ends."""
        if self._native:
            log.warning("the compiled step failed (%s); going on without it", error)
            self._native = None
            self._residents.use(None)
            self._compute(planned)
        elif len(planned) > 1:
            for one in planned:
                self._compute([one])
        else:
            log.warning("an answer failed: %r", error)
            self._end([planned[0][0]], "failed", f"The model could not compute this answer ({first_line(error)}).")

    def _forward(self, planned: Sequence[tuple[Row, int]]) -> tuple[Tensor, list[range]]:
        """Logits of all wanted tokens, and which of them are each row's."""
        ids: list[int] = []
        positions: list[int] = []
        sequences: list[int] = []
        slots: list[int] = []
        kept: list[int] = []
        wanted: list[range] = []
        for number, (row, count) in enumerate(planned):
            first = len(ids)
            ids += row.ids[row.computed : row.computed + count]
            positions += range(row.computed, row.computed + count)
            sequences += [number] * count
            slots += [row.slot] * count
            mine = row.wanted(count)
            wanted.append(range(len(kept), len(kept) + len(mine)))
            kept += [first + token for token in mine]
        nothing = not kept
        batch = Batch(ids, positions, sequences, [row.pages for row, _ in planned], slots, kept or [0])
        if self._native:
            logits = self._native(batch)
        else:
            if self._residents.stack() and isinstance(self._step, Graphed):
                self._step.forget()
            logits = self._step(batch)
        for row, count in planned:
            if row.reading:  # others may wait for these very pages
                self._pages.publish(row.owner, row.ids[: row.computed + count], row.pages)
            row.computed += count
        return logits[:0] if nothing else logits, wanted

    def _take(self, rows: Sequence[Row], logits: Tensor, wanted: Sequence[range]) -> None:
        best, tokens = logits.max(dim=-1) if len(logits) else (logits.new_empty(0), logits.new_empty(0))
        values, likeliest = best.tolist(), tokens.tolist()
        ended = []
        for row, mine in zip(rows, wanted, strict=True):
            if not mine:
                continue
            try:
                if row.greedy and not abs(values[mine[-1]]) < float("inf"):
                    raise FloatingPointError
                scores = logits[mine.start : mine.stop]
                token = likeliest[mine[-1]] if row.greedy else None
                row.take(scores if row.greedy else scores.float().cpu(), self._ends, token)
            except FloatingPointError:
                who = f"the adapter {row.request.adapter}" if row.request.adapter else self.base.name
                self._end([row], "failed", f"The scores are not numbers; {who} is broken.")
            except Exception as error:
                log.exception("an answer failed")
                self._end([row], "failed", f"The answer could not be written ({error!r}).")
            if row.answer.finished:
                ended.append(row)
        self._leave(ended)
        for ticket in {row.ticket for row, mine in zip(rows, wanted, strict=True) if mine}:
            ticket.publish()

    # ---- leaving ----

    def _end(self, rows: Sequence[Row], reason: str, error: str = "") -> None:
        for row in rows:
            row.finish(reason, error)
        self._leave(rows)
        for ticket in {row.ticket for row in rows}:
            ticket.publish()

    def _leave(self, rows: Sequence[Row]) -> None:
        """Free what finished rows hold; what they computed stays findable, unless it may be wrong."""
        for row in rows:
            self._room.leave(row)
            if row in self._rows:
                self._rows.remove(row)
            if row.pages:
                if row.answer.finished != "failed":
                    self._pages.publish(row.owner, row.ids[: row.computed], row.pages)
                self._pages.release(row.pages)
                row.pages = []
            if row.resident:
                resident, row.resident = row.resident, None
                self._residents.give_back(resident)


def common(row: Row, other: Row) -> int:
    """Full pages that `row` could share with `other` once that one is computed."""
    if row.owner != other.owner:
        return 0
    alike = 0
    for ours, theirs in zip(row.shareable, other.plan.ids, strict=False):
        if ours != theirs:
            break
        alike += 1
    return alike // PAGE


def first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).split("\n", 1)[0][:200]
