"""A log as the first version wrote it."""

import json

import pytest
import sqlalchemy as sa

from eval import database
from eval.vote import Vote, to_json
from eval.votes import Votes
from tests.eval.making import make_vote

NEW = ("mode", "ranking", "judgements", "form", "campaign", "prompt_id", "rater_kind", "task")
"""Fields that the first schema did not have."""


def write_first_version(url: str, monkeypatch: pytest.MonkeyPatch) -> list[Vote]:
    """The votes, as this version makes them."""
    with monkeypatch.context() as older:
        older.setattr(database, "MIGRATIONS", database.MIGRATIONS[:1])
        Votes(url).close()
    votes = [make_vote(choice="rag", acceptable=True), make_vote("c1", blind=False), make_vote("c2", ("rag", "base"))]
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for vote in votes:
            record = {key: value for key, value in to_json(vote).items() if key not in NEW} | {"schema": 1}
            row = {"id": vote.id, "kind": "vote", "time": vote.time, "comparison": vote.comparison}
            row |= {"rater": vote.rater, "turn": 0, "payload": json.dumps(record)}
            connection.execute(database.EVENTS.insert().values(**row))
    engine.dispose()
    return votes
