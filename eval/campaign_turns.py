"""Whose turn it was at which prompt of a campaign, read from the tables; what was rated, the log of votes says."""

import time
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from eval.campaign_tables import PROMPTS, TURNS
from eval.database import EVENTS
from eval.handout import Plan, Turn


def quotas_of(connection: sa.Connection, name: str) -> list[int]:
    """How many raters each prompt needs."""
    mine = sa.select(PROMPTS.c.quota).where(PROMPTS.c.campaign == name).order_by(PROMPTS.c.number)
    return [int(quota) for quota in connection.execute(mine).scalars()]


def turns_of(connection: sa.Connection, name: str) -> list[tuple[Turn, sa.Row[Any]]]:
    """The campaign's turns in the order in which they were handed out, each with its row."""
    last = (
        sa.select(EVENTS.c.kind)
        .where(EVENTS.c.comparison == TURNS.c.comparison, EVENTS.c.kind != "reveal")
        .order_by(EVENTS.c.number.desc())
        .limit(1)
        .scalar_subquery()
    )
    mine = sa.select(TURNS, last.label("last")).where(TURNS.c.campaign == name).order_by(TURNS.c.handed_out)
    now = time.time()
    found = []
    for row in connection.execute(mine):
        done = row.last == "vote"
        found.append((Turn(row.number, row.rater, done, not done and row.until > now, bool(row.retest)), row))
    return found


def resumed(plan: Plan, rows: Sequence[tuple[Turn, sa.Row[Any]]], rater: str) -> Any | None:
    """The turn that `rater` has not voted on, where its place is still theirs or nobody has taken it since."""
    for turn, row in rows:
        if turn.rater == rater and not turn.done:
            others = sum(other.holds and other.number == turn.number for other, _ in rows if other is not turn)
            if turn.live or turn.retest or others < plan.quotas[turn.number]:
                return row
    return None
