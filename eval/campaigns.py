"""The campaigns in the database of the votes: made, handed out, closed.

What was rated, the votes themselves say: a turn, which is one prompt in one rater's hands, is done once the log holds a
vote on its comparison. Nothing is written twice, so no crash can leave the two in disagreement.
"""

import json
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from eval import database
from eval.campaign import Campaign, Standing, Task, check
from eval.campaign_tables import CAMPAIGNS, PROMPTS, TURNS
from eval.campaign_turns import quotas_of, resumed, turns_of
from eval.errors import InputError
from eval.handout import Next, choose
from eval.prompts import Prompt
from eval.setup import Setup, shown
from eval.variants import IDS
from eval.votes import StoreError

LEASE_SECONDS = 30 * 60.0
"""How long a prompt waits for a rater who has it on the screen, before another one gets it."""


class Campaigns:
    """The campaigns beside the log at one database URL. Safe for threads and processes at once."""

    def __init__(self, url: str, lease_seconds: float = LEASE_SECONDS) -> None:
        """The tables must be there: open the log of votes first."""
        self._engine = database.open_engine(url)
        self._lease = lease_seconds

    def create(
        self, name: str, prompts: Sequence[Prompt], setup: Setup, raters: int = 1, overlap: int | None = None,
        retest: int = 0, seed: int = 0,
    ) -> Campaign:  # fmt: skip
        """A new campaign. Without `overlap` every prompt is rated by all raters. Raises InputError."""
        overlap = len(prompts) if overlap is None else overlap
        check(name, len(prompts), raters, overlap, retest, setup)
        if setup.mode == "pair" and not setup.pair:
            setup = replace(setup, pair=tuple(random.Random(seed).sample(IDS, 2)))  # the same two for every rater
        shared = set(random.Random(seed).sample(range(len(prompts)), overlap))
        config = {"raters": raters, "overlap": overlap, "retest": retest, "seed": seed, "setup": asdict(setup)}
        rows = [
            {"campaign": name, "number": number, "id": prompt.id, "question": json.dumps(prompt.question),
             "quota": raters if number in shared else 1, "task": json.dumps(prompt.task)}
            for number, prompt in enumerate(prompts)
        ]  # fmt: skip
        with self._writing(name) as connection:
            if connection.execute(sa.select(CAMPAIGNS.c.name).where(CAMPAIGNS.c.name == name)).first():
                raise InputError(f"There is a campaign {name!r} already; choose another name.")
            row = {"name": name, "created": _now(), "closed": "", "config": json.dumps(config)}
            connection.execute(CAMPAIGNS.insert().values(**row))
            connection.execute(PROMPTS.insert(), rows)
        return self.find(name)

    def find(self, name: str) -> Campaign:
        """The campaign called `name`. Raises InputError where there is none."""
        found = [campaign for campaign in self.all() if campaign.name == name]
        if not found:
            raise InputError(
                f"There is no campaign {name!r}; `python -m eval campaign list` shows those that there are."
            )
        return found[0]

    def all(self) -> list[Campaign]:
        """All campaigns, the newest first."""
        count = sa.select(sa.func.count()).where(PROMPTS.c.campaign == CAMPAIGNS.c.name).scalar_subquery()
        with self._reading() as connection:
            rows = connection.execute(
                sa.select(CAMPAIGNS, count.label("prompts")).order_by(CAMPAIGNS.c.created.desc(), CAMPAIGNS.c.name)
            ).all()
        return [_campaign(row) for row in rows]

    def close(self, name: str) -> None:
        """Hand nothing out any more. A rater who has a prompt on the screen can still vote on it."""
        self.find(name)
        with self._writing(name) as connection:
            mine = sa.and_(CAMPAIGNS.c.name == name, CAMPAIGNS.c.closed == "")
            connection.execute(CAMPAIGNS.update().where(mine).values(closed=_now()))

    def next(self, name: str, rater: str, beyond: bool = False) -> Task | Next:
        """The prompt that `rater` rates now, which is theirs for a while; or, where there is none, how far they are.

        The same one until it is voted on. With `beyond` also one past the rater's part. InputError once it is closed.
        """
        campaign = self.find(name)
        if campaign.closed:
            raise InputError(f"The campaign {name} is closed; thank you for your ratings.")
        with self._writing(name) as connection:
            plan, rows = campaign.plan(quotas_of(connection, name)), turns_of(connection, name)
            turns = [turn for turn, _ in rows]
            progress = choose(plan, turns, rater, beyond)
            until = time.time() + self._lease
            row = resumed(plan, rows, rater)
            if row is not None:
                connection.execute(TURNS.update().where(TURNS.c.comparison == row.comparison).values(until=until))
            elif progress.number is None:
                return progress
            else:
                row = connection.execute(
                    TURNS.insert()
                    .values(
                        campaign=name, comparison=uuid4().hex, number=progress.number, rater=rater, until=until,
                        retest=int(progress.retest), shown=json.dumps(shown(campaign.setup)),
                    )
                    .returning(TURNS)
                ).one()  # fmt: skip
            mine = sa.and_(PROMPTS.c.campaign == name, PROMPTS.c.number == row.number)
            prompt = connection.execute(sa.select(PROMPTS).where(mine)).one()
        order = tuple(json.loads(row.shown))
        asked = _prompt(prompt)
        progress = replace(progress, number=row.number, retest=bool(row.retest))
        return Task(name, row.comparison, asked, row.number, order, prompt.answers, progress)

    def store_answers(self, name: str, number: int, text: str) -> str:
        """Keep the answers to a prompt; returns what is kept, which is another's where one was faster."""
        mine = sa.and_(PROMPTS.c.campaign == name, PROMPTS.c.number == number)
        with self._writing(name) as connection:
            connection.execute(PROMPTS.update().where(mine, PROMPTS.c.answers.is_(None)).values(answers=text))
            kept: str = connection.execute(sa.select(PROMPTS.c.answers).where(mine)).scalar_one()
            return kept

    def unanswered(self, name: str) -> list[tuple[int, Prompt]]:
        """Prompts whose answers are not computed yet, with their numbers."""
        open_ones = sa.and_(PROMPTS.c.campaign == name, PROMPTS.c.answers.is_(None))
        with self._reading() as connection:
            rows = connection.execute(sa.select(PROMPTS).where(open_ones).order_by(PROMPTS.c.number)).all()
        return [(row.number, _prompt(row)) for row in rows]

    def standing(self, name: str) -> Standing:
        """How far the campaign is."""
        campaign = self.find(name)
        with self._reading() as connection:
            plan, rows = campaign.plan(quotas_of(connection, name)), turns_of(connection, name)
        first = [turn for turn, _ in rows if turn.done and not turn.retest]
        by_rater = {rater: sum(turn.rater == rater for turn in first) for rater in sorted({t.rater for t in first})}
        per_prompt = [sum(turn.number == number for turn in first) for number in range(len(plan.quotas))]
        rated = sum(min(count, quota) for count, quota in zip(per_prompt, plan.quotas, strict=True))
        held = sum(turn.live for turn, _ in rows)
        answered = campaign.prompts - len(self.unanswered(name))
        return Standing(campaign, sum(plan.quotas), rated, held, answered, by_rater)

    def dispose(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def _writing(self, name: str) -> Iterator[sa.Connection]:
        """A transaction that has the campaign to itself."""
        with self._transaction(writes=True) as connection:
            database.lock_comparison(connection, f"campaign {name}")
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._transaction(writes=False) as connection:
            yield connection

    @contextmanager
    def _transaction(self, writes: bool) -> Iterator[sa.Connection]:
        place = self._engine.url.render_as_string(hide_password=True)
        try:
            with self._engine.connect().execution_options(writes=writes) as connection:
                with connection.begin():
                    yield connection
                if writes:
                    database.sync(connection)
        except (SQLAlchemyError, OSError) as error:
            raise StoreError(
                f"The campaigns in {place} could not be {'written' if writes else 'read'}"
                f" ({database.first_line(error)}); check that it can be reached and has room, then try again."
            ) from error


def _prompt(row: sa.Row[Any]) -> Prompt:
    return Prompt(row.id, json.loads(row.question), json.loads(row.task))


def _campaign(row: sa.Row[Any]) -> Campaign:
    config = json.loads(row.config)
    setup = Setup(**config.pop("setup") | {"pair": tuple(json.loads(row.config)["setup"].get("pair", ()))})
    return Campaign(name=row.name, created=row.created, closed=row.closed, setup=setup, prompts=row.prompts, **config)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
