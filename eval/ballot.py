"""A ballot: of a vote, just what the statistics read, so that a hundred thousand of them are read in a second.

It has the fields of a `Vote` by the same names, without prompts and answers, and what is needed of their form instead.
Ballots are made from votes and can be made anew from them at any time.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from eval.judgement import Judgement, from_json, to_json
from eval.vote import Vote

HEADING = re.compile(r"^#{1,6} ", re.MULTILINE)
ITEM = re.compile(r"^\s*(?:[-*+]|\d+[.)]) ", re.MULTILINE)
BOLD = re.compile(r"\*\*[^*\n]+\*\*")


class Style(NamedTuple):
    """How an answer looks, apart from what it says."""

    characters: int
    headings: int
    items: int
    """Of Markdown lists."""
    bold: int
    """Spans in bold."""


class Match(NamedTuple):
    """Who was set against its parent."""

    adapter: str
    parent: str
    """Names; the adapter's digest is the ballot's."""
    parent_digest: str


class Ballot(NamedTuple):
    """See `Vote` for what each field means. Mappings have a key for each variant shown that has such a figure."""

    id: str
    time: str
    comparison: str
    conversation: str
    turn: int
    question: str
    rater: str
    rater_kind: str
    mode: str
    blind: bool
    order: tuple[str, ...]
    choice: str
    ranking: tuple[tuple[str, ...], ...]
    acceptable: bool | None
    identical: tuple[tuple[str, ...], ...]
    campaign: str
    prompt_id: str
    form: str
    judgements: Mapping[str, Judgement]
    """Without comments and edited answers."""
    tokens: Mapping[str, int]
    first_token_seconds: Mapping[str, float]
    seconds: Mapping[str, float]
    dwell_seconds: float | None
    style: Mapping[str, Style]
    adapter: str
    """The digest of the adapter that `tuned` and `combined` used; empty where it was not recorded."""
    task: str = ""
    match: Match | None = None
    """In the mode `parent`."""


OLDEST = len(Ballot._fields) - len(Ballot._field_defaults)
"""Fields that a ballot has had from the first version on; later ones have defaults."""


def ballot_of(vote: Vote) -> Ballot:
    """The ballot of a vote."""
    adapter = vote.configuration.get("adapter")
    kept = {name: getattr(vote, name) for name in Ballot._fields if hasattr(vote, name)}
    return Ballot(
        **kept
        | {
            "judgements": {
                variant: Judgement(thumb=given.thumb, scores=given.scores, tags=given.tags)
                for variant, given in vote.judgements.items()
                if given.thumb is not None or given.uses_form
            },
            "style": {variant: style(answer) for variant, answer in vote.answers.items()},
            "adapter": str(adapter.get("digest", "")) if isinstance(adapter, dict) else "",
            "match": _match(vote),
        }
    )


def _match(vote: Vote) -> Match | None:
    if vote.mode != "parent":
        return None
    adapter, parent = vote.configuration.get("adapter") or {}, vote.configuration["parent"]
    return Match(str(adapter.get("name", "")), str(parent["name"]), str(parent["digest"]))


def style(answer: str) -> Style:
    """Counts of the answer's Markdown."""
    return Style(len(answer), *(len(pattern.findall(answer)) for pattern in (HEADING, ITEM, BOLD)))


def encode(ballot: Ballot) -> str:
    """ASCII text, one JSON list in the order of the fields."""
    judgements = {variant: to_json(given) for variant, given in ballot.judgements.items()}
    fields = {**ballot._asdict(), "judgements": judgements}
    return json.dumps(list(fields.values()), allow_nan=False, separators=(",", ":"))


def decode(text: str) -> Ballot:
    """The ballot that `encode` made text of."""
    try:
        fields: list[Any] = orjson.loads(text)
    except orjson.JSONDecodeError:  # it refuses the lone surrogates that a question can hold
        fields = json.loads(text)
    if not OLDEST <= len(fields) <= len(Ballot._fields):
        raise ValueError(f"a ballot has {OLDEST} to {len(Ballot._fields)} fields, not {len(fields)}")
    given: dict[str, Any] = dict(zip(Ballot._fields, fields, strict=False))
    given["order"] = tuple(given["order"])
    given["ranking"] = tuple(tuple(group) for group in given["ranking"])
    given["identical"] = tuple(tuple(group) for group in given["identical"])
    given["judgements"] = {variant: from_json(said) for variant, said in given["judgements"].items()}
    given["style"] = {variant: Style(*counts) for variant, counts in given["style"].items()}
    given["match"] = Match(*given["match"]) if given.get("match") else None
    return Ballot(**given)
