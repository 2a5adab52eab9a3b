"""What must hold of a vote before it is stored; the errors say what does not."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from eval import judgement
from eval.errors import InputError
from eval.variants import IDS
from eval.vote import MODES, NO_WINNER, PARENT_PAIRS, RATER_KINDS, SCHEMA, Vote, first_of


def check(vote: Vote) -> None:
    """Raise `InputError` where the vote contradicts itself."""
    wrong = [message for holds, message in (*_record_rules(vote), *_choice_rules(vote)) if not holds]
    if wrong:
        raise InputError(f"The vote cannot be stored, because {wrong[0]}; reload the page and vote again.")


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
        (
            vote.mode != "parent" or tuple(sorted(vote.order, key=IDS.index)) in PARENT_PAIRS,
            f"an adapter and its parent are not compared by {' and '.join(vote.order)}",
        ),
        (vote.mode != "parent" or _is_named(vote.configuration.get("parent")), "it does not say which the parent was"),
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
        (vote.task == "" or is_key(vote.task), "its task is not up to 200 printable characters"),
    )


def is_digest(text: str) -> bool:
    """Is it a SHA-256 in lower-case hexadecimal digits?"""
    return type(text) is str and len(text) == 64 and set(text) <= set("0123456789abcdef")


def is_key(text: str) -> bool:
    """Can `text` be a key column of the log, in any database?"""
    return type(text) is str and 1 <= len(text) <= 200 and text.isprintable()


def _is_named(part: Any) -> bool:
    """Does it say what an adapter or a base was called, and which weights it had?"""
    return isinstance(part, dict) and all(type(part.get(key)) is str and part[key] for key in ("name", "digest"))


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
