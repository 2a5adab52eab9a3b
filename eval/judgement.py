"""What one rater says of one answer on its own: a thumb, scores, tags, a comment, and how it should have read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LONGEST_COMMENT = 4_000
"""Characters."""
LONGEST_ANSWER = 40_000
"""Characters of an edited answer."""
MOST_TAGS = 50
MOST_POINTS = 10
"""The widest scale that a rating form can have."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """Any part may be left out; a judgement without any is none and is not stored."""

    thumb: bool | None = None
    """Up or down."""
    scores: Mapping[str, int] = field(default_factory=dict)
    """Points from 1 by the id of a dimension of the rating form."""
    tags: tuple[str, ...] = ()
    """Ids of tags of the rating form."""
    comment: str = ""
    better: str = ""
    """The answer as the rater would have written it; empty where it was left as it is."""

    def __bool__(self) -> bool:
        return self != Judgement()

    @property
    def uses_form(self) -> bool:
        """Whether it can only be read with the form that it was given on."""
        return bool(self.scores or self.tags)


def to_json(judgement: Judgement) -> dict[str, Any]:
    """What was given, and nothing for what was not."""
    given = {
        "thumb": judgement.thumb,
        "scores": dict(judgement.scores),
        "tags": list(judgement.tags),
        "comment": judgement.comment,
        "better": judgement.better,
    }
    return {key: value for key, value in given.items() if value not in (None, {}, [], "")}


def from_json(record: Mapping[str, Any]) -> Judgement:
    """The judgement of a record that `to_json` made; keys that this version does not know are left out."""
    return Judgement(
        thumb=record.get("thumb"),
        scores=record.get("scores", {}),
        tags=tuple(record.get("tags", ())),
        comment=record.get("comment", ""),
        better=record.get("better", ""),
    )


def is_valid(judgement: Judgement) -> bool:
    """Are all parts of the right type, within bounds, and is something said at all?"""
    return (
        bool(judgement)
        and (judgement.thumb is None or type(judgement.thumb) is bool)
        and all(_is_id(key) and type(score) is int for key, score in judgement.scores.items())
        and all(1 <= score <= MOST_POINTS for score in judgement.scores.values())
        and len(judgement.tags) == len(set(judgement.tags)) <= MOST_TAGS
        and all(_is_id(tag) for tag in judgement.tags)
        and _is_text(judgement.comment, LONGEST_COMMENT)
        and _is_text(judgement.better, LONGEST_ANSWER)
    )


def _is_id(text: object) -> bool:
    return isinstance(text, str) and 1 <= len(text) <= 60 and text.isprintable()


def _is_text(text: object, longest: int) -> bool:
    return isinstance(text, str) and len(text) <= longest
