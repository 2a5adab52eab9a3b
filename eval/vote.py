"""One vote: what was asked, what each variant was sent and answered, in which order it was shown, and the choice.

The record is complete on purpose: every analysis and every export is made from it, without the models. A vote is always
two judgements, which answer is best and whether the best is acceptable; on top of them a rater may rank all answers
and judge each one.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4

import orjson

from eval import judgement
from eval.errors import InputError
from eval.judgement import Judgement
from eval.variants import IDS

SCHEMA = 2
"""1: a choice among all; 2: modes, rankings, judgements of single answers, kinds of raters, campaigns."""
NO_WINNER = ("tie", "all_good", "all_bad", "skip")
"""Choices that name no variant: no best one, all acceptable alike, none usable, no judgement."""
MODES = ("best", "ranking", "pair", "open")
"""The best of all; all in order, with ties; one of two; with the names visible, which is no evidence."""
RATER_KINDS = ("person", "judge")
"""A judge is a language model. Its votes are never mixed with those of people."""


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
    """A variant of `order`, or one of `NO_WINNER`; of a ranking its first, or `tie` where several share that place."""
    ranking: tuple[tuple[str, ...], ...] = ()
    """Groups of equals that hold every variant of `order`, the best first; empty where only a choice was made."""
    acceptable: bool | None = None
    """Is the chosen answer, or are the tied ones, good enough? None where that was left open."""
    identical: tuple[tuple[str, ...], ...] = ()
    """Groups of variants whose answers were the same text; choosing one of a group chooses the group."""
    rater: str
    """A pseudonym, never a name or an address."""
    rater_kind: str = "person"
    """One of `RATER_KINDS`."""
    mode: str = "best"
    """One of `MODES`."""
    blind: bool = True
    """False in the mode `open`, and only there."""
    judgements: dict[str, Judgement] = field(default_factory=dict)
    """What was said of single answers, by variant; those without a judgement are absent."""
    form: str = ""
    """The digest of the version of the rating form that `judgements` were given on."""
    campaign: str = ""
    """The id of the campaign that handed the prompt out, or nothing."""
    prompt_id: str = ""
    """The id of the prompt in that campaign, or nothing."""
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


class Cast(Protocol):
    """What tells whether a vote is evidence; a whole `Vote` has it, and so has a `Ballot`."""

    @property
    def blind(self) -> bool: ...
    @property
    def rater_kind(self) -> str: ...


def is_evidence(vote: Cast) -> bool:
    """May the statistics of what people prefer count it? Only what a person said without knowing the names."""
    return vote.blind and vote.rater_kind == "person"


def to_json(vote: Vote) -> dict[str, Any]:
    """The vote as JSON types, keys as the fields are named."""
    said = {variant: judgement.to_json(given) for variant, given in vote.judgements.items()}
    return {name: getattr(vote, name) for name in FIELDS} | {"judgements": said}


def from_json(record: Mapping[str, Any]) -> Vote:
    """The vote of a record that `to_json` made, of this schema or an older one; unknown keys are left out.

    Raises `ValueError` for a record of a newer schema.
    """
    if record["schema"] > SCHEMA:
        raise ValueError(f"schema {record['schema']} is newer than {SCHEMA}")
    known = {name: record[name] for name in FIELDS if name in record}
    if record["schema"] < 2:
        known["mode"] = ("pair" if len(record["order"]) == 2 else "best") if record["blind"] else "open"
    known["order"] = tuple(known["order"])
    for groups in ("identical", "ranking"):
        known[groups] = tuple(tuple(group) for group in known.get(groups, ()))
    known["judgements"] = {
        variant: judgement.from_json(given) for variant, given in known.get("judgements", {}).items()
    }
    return Vote(**known)


def to_text(vote: Vote) -> str:
    """The vote as JSON, escaped to ASCII. Raises `InputError` where a field holds what JSON cannot say."""
    try:
        return json.dumps(to_json(vote), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"The vote cannot be stored as JSON ({error}); keep plain values in its fields.") from error


def from_text(text: str) -> Vote:
    """The vote that `to_text` made text of. Raises `ValueError` where it is none."""
    try:
        record = orjson.loads(text)
    except orjson.JSONDecodeError:  # it refuses the lone surrogates that a model can print
        record = json.loads(text)
    try:
        return from_json(record)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(str(error)) from error


FIELDS = tuple(name.name for name in fields(Vote))


def check(vote: Vote) -> None:
    """Raise `InputError` where the vote contradicts itself."""
    wrong = [message for holds, message in (*_record_rules(vote), *_choice_rules(vote)) if not holds]
    if wrong:
        raise InputError(f"The vote cannot be stored, because {wrong[0]}; reload the page and vote again.")


def first_of(ranking: tuple[tuple[str, ...], ...]) -> str:
    """The choice that a ranking makes."""
    return ranking[0][0] if len(ranking[0]) == 1 else "tie"


def _record_rules(vote: Vote) -> tuple[tuple[bool, str], ...]:
    """What must hold of all but the choice, each with what is wrong where it does not."""
    shown = vote.order
    return (
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


def _choice_rules(vote: Vote) -> tuple[tuple[bool, str], ...]:
    """What must hold of how it was asked and what was said."""
    choices = (*vote.order, *NO_WINNER)
    acceptable = vote.acceptable
    return (
        (vote.mode in MODES, f"the mode {vote.mode!r} is none of {', '.join(MODES)}"),
        (vote.blind is (vote.mode != "open"), f"blind is {vote.blind!r} in the mode {vote.mode}"),
        (vote.mode != "pair" or len(vote.order) == 2, f"a pair has two answers and not {len(vote.order)}"),
        (vote.choice in choices, f"the choice {vote.choice!r} is none of {', '.join(choices)}"),
        (
            not vote.ranking or sorted(sum(vote.ranking, ())) == sorted(vote.order),
            f"the ranking {vote.ranking!r} does not hold each of {', '.join(vote.order)} once",
        ),
        (not vote.ranking or all(vote.ranking), "a place of the ranking is empty"),
        (
            not vote.ranking or not all(vote.ranking) or vote.choice == first_of(vote.ranking),
            f"the choice {vote.choice!r} is not what its ranking puts first",
        ),
        (
            acceptable is None or type(acceptable) is bool,
            f"acceptable is {acceptable!r}, not true, false or nothing",
        ),
        (
            {"all_good": acceptable is not False, "all_bad": acceptable is not True}.get(vote.choice, True),
            f"acceptable is {acceptable!r}, but the choice is {vote.choice}",
        ),
        (vote.rater_kind in RATER_KINDS, f"the kind of rater {vote.rater_kind!r} is none of {', '.join(RATER_KINDS)}"),
        (set(vote.judgements) <= set(vote.order), "an answer is judged that was not shown"),
        (
            all(judgement.is_valid(given) for given in vote.judgements.values()),
            "a judgement of a single answer has parts that are no thumb, score, tag or text of the length allowed",
        ),
        (
            is_digest(vote.form) or not (vote.form or any(given.uses_form for given in vote.judgements.values())),
            "scores and tags need the digest of the form that they were given on",
        ),
        (all(key == "" or is_key(key) for key in (vote.campaign, vote.prompt_id)), "its campaign or prompt has no id"),
    )


def is_digest(text: str) -> bool:
    """Is it a SHA-256 in lower-case hexadecimal digits?"""
    return type(text) is str and len(text) == 64 and set(text) <= set("0123456789abcdef")


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
