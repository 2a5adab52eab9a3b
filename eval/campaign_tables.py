"""The tables of campaigns: what was asked for, the prompts with their answers, and whose turn was which."""

import sqlalchemy as sa

_METADATA = sa.MetaData()

CAMPAIGNS = sa.Table(
    "campaigns",
    _METADATA,
    sa.Column("name", sa.String(60), primary_key=True),
    sa.Column("created", sa.String(40), nullable=False),
    sa.Column("closed", sa.String(40), nullable=False),
    sa.Column("config", sa.Text, nullable=False),
)
sa.Table(
    "campaign_prompts",
    _METADATA,
    sa.Column("campaign", sa.String(60), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("id", sa.String(200), nullable=False),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("quota", sa.Integer, nullable=False),
    sa.Column("answers", sa.Text, nullable=True),
)
PROMPTS = sa.table(
    "campaign_prompts",
    *(sa.column(name, sa.Integer) for name in ("number", "quota")),
    *(sa.column(name, sa.String) for name in ("campaign", "id", "question", "answers", "task")),
)
"""As it is now."""
TURNS = sa.Table(
    "campaign_turns",
    _METADATA,
    sa.Column("handed_out", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("comparison", sa.String(200), nullable=False, unique=True),
    sa.Column("campaign", sa.String(60), nullable=False, index=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("rater", sa.String(200), nullable=False),
    sa.Column("retest", sa.Integer, nullable=False),
    sa.Column("shown", sa.Text, nullable=False),
    sa.Column("until", sa.Float, nullable=False),
    sqlite_autoincrement=True,
)


def create_tables(connection: sa.Connection) -> None:
    """A migration of the vote log's database. Questions and answers are JSON in ASCII, as its events are."""
    _METADATA.create_all(connection, checkfirst=False)


def add_tasks(connection: sa.Connection) -> None:
    """A migration: the topic or kind of a prompt, JSON in ASCII too. Ballots have a task and a match from now on.

    Those that are there stay as they are, since none of their votes had either.
    """
    connection.execute(sa.text("ALTER TABLE campaign_prompts ADD COLUMN task TEXT NOT NULL DEFAULT '\"\"'"))
