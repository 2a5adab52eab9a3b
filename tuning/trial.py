"""Rows -> what base and tuned model make of each: how likely they find its answer, and what they answer themselves.

An adapter is asked in one batch with its base over one copy of the weights, so that nothing but the adapter differs
between the two; a model of its own has an engine of its own.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from tuning.dialogues import Finding
from tuning.engine import WAITING_PER_USER, Engine
from tuning.errors import InputError
from tuning.request import Answer, Request, Sampling
from tuning.rows import Row


@dataclass(frozen=True)
class Pairing:
    """Who answers for the base, and who for what was trained."""

    base: Engine
    tuned: Engine
    """The same engine where an adapter is asked, which is then resident in it."""
    adapter: str | None
    """The adapter's name; None where `tuned` is the engine of a model of its own."""

    def ask(self, requests: Sequence[Request]) -> list[tuple[Answer, Answer]]:
        """The final answers of both to the same requests."""
        others = [replace(request, adapter=self.adapter) for request in requests]
        if self.base is self.tuned:
            answers = _final(self.base, [*requests, *others])
            return list(zip(answers[: len(requests)], answers[len(requests) :], strict=True))
        return list(zip(_final(self.base, requests), _final(self.tuned, others), strict=True))

    def close(self) -> None:
        """End both engines."""
        self.base.close()
        self.tuned.close()


@dataclass(frozen=True)
class Side:
    """What one of the two makes of a row."""

    loss: float
    """Negative log-likelihood of the row's answer with its end of turn, in nats, summed over its tokens."""
    rejected: float | None
    """The same of the rejected answer; None where the row has none."""
    text: str | None
    """Its own answer, the likeliest token each time; None where none was asked for."""
    cut: bool = False
    """Whether its answer would have gone on."""


@dataclass(frozen=True)
class Outcome:
    """A row and what the two make of it."""

    row: Row
    tokens: int
    """Of the row's answer, its end of turn included."""
    base: Side
    tuned: Side


def outcomes(
    pairing: Pairing, rows: Sequence[Row], written: frozenset[str], max_tokens: int
) -> Generator[Outcome | Finding]:
    """One outcome a row, in order; a finding for a row that the model cannot read.

    Of the rows whose digest is in `written`, both write an answer of at most `max_tokens` tokens. Raises InputError
    where an answer cannot be computed.
    """
    asked: list[tuple[Row, list[Request]]] = []
    for row in rows:
        requests = _requests(row, row.digest in written, max_tokens)
        if 2 * (sum(len(earlier) for _, earlier in asked) + len(requests)) > WAITING_PER_USER:
            yield from _answered(pairing, asked)
            asked = []
        asked.append((row, requests))
    yield from _answered(pairing, asked)


def _requests(row: Row, write: bool, max_tokens: int) -> list[Request]:
    """What either is asked: to score the row's answer, the rejected one if there is one, and to answer, if wanted."""
    prompt = [dict(message) for message in row.grounded[:-1]]
    given = [row.response] if row.rejected is None else [row.response, row.rejected]
    scored = [Request(prompt, given=text) for text in given]
    return [*scored, Request(prompt, sampling=Sampling(max_tokens=max_tokens))] if write else scored


def _answered(pairing: Pairing, asked: Sequence[tuple[Row, list[Request]]]) -> Iterator[Outcome | Finding]:
    try:
        answers = pairing.ask([request for _, requests in asked for request in requests])
    except InputError as error:
        if len(asked) == 1:
            yield Finding(asked[0][0].place, str(error))
        else:  # one row that is too long must not take the others with it
            for one in asked:
                yield from _answered(pairing, [one])
        return
    for row, requests in asked:
        mine, answers = answers[: len(requests)], answers[len(requests) :]
        yield _outcome(row, mine)


def _final(engine: Engine, requests: Sequence[Request]) -> list[Answer]:
    answers: list[Answer] = []
    for states in engine.stream(requests, user="assessment"):
        answers = states
    return answers


def _outcome(row: Row, answers: Sequence[tuple[Answer, Answer]]) -> Outcome:
    if failed := [answer.error for both in answers for answer in both if answer.finished == "failed"]:
        raise InputError(f"{row.place}: {failed[0]}")
    base, tuned = (_side(row, [both[side] for both in answers]) for side in (0, 1))
    return Outcome(row, answers[0][0].tokens, base, tuned)


def _side(row: Row, answers: Sequence[Answer]) -> Side:
    scored = 1 if row.rejected is None else 2
    losses = [-sum(answer.logprobs) for answer in answers[:scored]]
    rejected, written = (losses[1] if scored == 2 else None), answers[scored:]
    if not written:
        return Side(losses[0], rejected, None)
    return Side(losses[0], rejected, written[0].text, written[0].finished == "length")
