"""One vote: what was asked, what each variant was sent and answered, in which order it was shown, and the choice.

The record is complete on purpose: every analysis and every export is made from it, without the models. A vote is always
two judgements, which answer is best and whether the best is acceptable; on top of them a rater may rank all answers
and judge each one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import uuid4

import orjson

from eval import judgement
from eval.errors import InputError
from eval.judgement import Judgement

SCHEMA = 3
"""1: a choice among all; 2: modes, rankings, judgements of single answers, kinds of raters, campaigns; 3: an adapter
against its parent, tasks."""
NO_WINNER = ("tie", "all_good", "all_bad", "skip")
"""Choices that name no variant: no best one, all acceptable alike, none usable, no judgement."""
MODES = ("best", "ranking", "pair", "open", "parent")
"""The best of all; all in order, with ties; one of two; with the names visible, which is no evidence; an adapter or its
parent, which is what it goes on from. There the variants that are not tuned run the parent, so that nothing is said of
the 2x2."""
PARENT_PAIRS = (("base", "tuned"), ("rag", "combined"))
"""What a vote of the mode `parent` compares, the parent first: both without documents, or both with them."""
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
    task: str = ""
    """The topic or kind of the question, where the file that it comes from names one."""
    configuration: dict[str, Any] = field(default_factory=dict)
    """Base, adapter and index digests, sampling, seed: what would make the same answers again. In the mode `parent`,
    name and digest of the parent too, which is an adapter or the base."""
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
    def mode(self) -> str: ...
    @property
    def rater_kind(self) -> str: ...


def is_unbiased(vote: Cast) -> bool:
    """Is it what a person said without knowing the names, whatever was compared?"""
    return vote.blind and vote.rater_kind == "person"


def is_evidence(vote: Cast) -> bool:
    """May the statistics of the four variants count it? An adapter against its parent is a matter of its own."""
    return is_unbiased(vote) and vote.mode != "parent"


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


def first_of(ranking: tuple[tuple[str, ...], ...]) -> str:
    """The choice that a ranking makes."""
    return ranking[0][0] if len(ranking[0]) == 1 else "tie"
