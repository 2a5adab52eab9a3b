"""One vote: what was asked, what each variant was sent and answered, in which order it was shown, and the choice.

The record is complete on purpose: every analysis and every export is made from it, without the models.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from eval.errors import InputError
from eval.variants import IDS

SCHEMA = 1
NO_WINNER = ("tie", "all_bad", "skip")
"""Choices that name no variant: equally good, none usable, no judgement."""


@dataclass(frozen=True, kw_only=True)
class Vote:
    """One judgement of one rater on the answers to one question. Mappings have a key for each variant shown."""

    comparison: str
    """The id of this set of answers; a re-vote names the same one."""
    conversation: str
    turn: int
    """0 for the first question of the conversation."""
    question: str
    prompts: dict[str, list[dict[str, Any]]]
    """The messages as they were sent, passages included."""
    answers: dict[str, str]
    order: tuple[str, ...]
    """The variants as shown, left to right."""
    choice: str
    """A variant of `order`, or one of `NO_WINNER`."""
    acceptable: bool | None = None
    """Is the chosen answer, or are the tied ones, good enough? None where it was not asked."""
    identical: tuple[tuple[str, ...], ...] = ()
    """Groups of variants whose answers were the same text; choosing one of a group chooses the group."""
    rater: str
    """A pseudonym, never a name or an address."""
    blind: bool = True
    configuration: dict[str, Any] = field(default_factory=dict)
    """Base, adapter and index digests, sampling, seed: what would make the same answers again."""
    tokens: dict[str, int] = field(default_factory=dict)
    first_token_seconds: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    dwell_seconds: float | None = None
    """From the last answer's end to the vote."""
    app_version: str = ""
    id: str = field(default_factory=lambda: uuid4().hex)
    schema: int = SCHEMA
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    """UTC, ISO 8601."""


def to_json(vote: Vote) -> dict[str, Any]:
    """The vote as JSON types, keys as the fields are named."""
    return asdict(vote)


def from_json(record: Mapping[str, Any]) -> Vote:
    """The vote of a record that `to_json` made; keys that this version does not know are left out.

    Raises `ValueError` for a record of a newer schema.
    """
    if record["schema"] > SCHEMA:
        raise ValueError(f"schema {record['schema']} is newer than {SCHEMA}")
    known = {name.name: record[name.name] for name in fields(Vote) if name.name in record}
    known["order"] = tuple(known["order"])
    known["identical"] = tuple(tuple(group) for group in known["identical"])
    return Vote(**known)


def check(vote: Vote) -> None:
    """Raise `InputError` where the vote contradicts itself."""
    shown = vote.order
    rules = (
        (vote.schema == SCHEMA, f"schema {vote.schema!r} is not {SCHEMA}"),
        (_is_hex(vote.id), "its id is not 32 lower-case hexadecimal digits"),
        (
            all(is_key(key) for key in (vote.comparison, vote.conversation, vote.rater)),
            "comparison, conversation and rater are not all 1 to 200 printable characters",
        ),
        (_is_utc(vote.time), f"its time {vote.time!r} is not ISO 8601 in UTC"),
        (type(vote.turn) is int and 0 <= vote.turn < 2**31, f"turn {vote.turn!r} is not a number from 0"),
        (bool(vote.question.strip()), "the question is empty"),
        (
            len(shown) >= 2 and len(set(shown)) == len(shown) and set(shown) <= set(IDS),
            f"the order {shown!r} is not two or more different ones of {', '.join(IDS)}",
        ),
        (set(vote.answers) == set(shown), "the answers are not those of the variants shown"),
        (all(type(answer) is str for answer in vote.answers.values()), "an answer is not text"),
        (set(vote.prompts) == set(shown), "the prompts are not those of the variants shown"),
        (
            vote.choice in (*shown, *NO_WINNER),
            f"the choice {vote.choice!r} is none of {', '.join((*shown, *NO_WINNER))}",
        ),
        (
            vote.acceptable is None or type(vote.acceptable) is bool,
            f"acceptable is {vote.acceptable!r}, not true, false or nothing",
        ),
        (_are_groups(vote.identical, vote.answers), "the identical groups are not answers with the same text"),
        (
            all(
                set(table) <= set(shown) and all(_is_amount(value) for value in table.values())
                for table in (vote.tokens, vote.first_token_seconds, vote.seconds)
            ),
            "tokens or seconds are not amounts from 0 of the variants shown",
        ),
        (vote.dwell_seconds is None or _is_amount(vote.dwell_seconds), "dwell_seconds is not an amount from 0"),
    )
    wrong = [message for holds, message in rules if not holds]
    if wrong:
        raise InputError(f"The vote cannot be stored, because {wrong[0]}; reload the page and vote again.")


def is_key(text: str) -> bool:
    """Can `text` be a key column of the log, in any database?"""
    return type(text) is str and 1 <= len(text) <= 200 and text.isprintable()


def _is_hex(text: str) -> bool:
    return len(text) == 32 and set(text) <= set("0123456789abcdef")


def _is_utc(text: str) -> bool:
    try:
        return len(text) <= 40 and datetime.fromisoformat(text).utcoffset() == timedelta(0)
    except ValueError:
        return False


def _is_amount(value: float) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and value >= 0


def _are_groups(groups: tuple[tuple[str, ...], ...], answers: Mapping[str, str]) -> bool:
    members = [variant for group in groups for variant in group]
    return len(set(members)) == len(members) and all(
        len(group) >= 2 and set(group) <= set(answers) and len({answers[variant] for variant in group}) == 1
        for group in groups
    )
