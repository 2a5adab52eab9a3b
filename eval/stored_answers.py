"""The answers to one prompt as JSON, computed once and shown to every rater, so that all judge the same."""

import json
import secrets
from typing import Any

from pydantic import TypeAdapter

from eval.comparison import Comparison

PLAIN = ("question", "mode", "configuration", "refused")
"""Fields of a comparison that are JSON as they are; `_types` names the others that are kept."""


def to_text(comparison: Comparison) -> str:
    """An answered comparison, without what is one rater's: its id, its order and its vote."""
    kept = {name: getattr(comparison, name) for name in PLAIN}
    for name, form in _types().items():
        kept[name] = TypeAdapter(form).dump_python(getattr(comparison, name), mode="json")
    return json.dumps(kept, allow_nan=False)


def from_text(text: str, order: tuple[str, ...] = ()) -> Comparison:
    """A comparison with an id of its own; its panes in `order`, or else in one drawn anew."""
    kept: dict[str, Any] = json.loads(text)
    whole = {name: TypeAdapter(form).validate_python(kept[name]) for name, form in _types().items()}
    variants = sorted(whole["answers"])
    drawn = order or tuple(secrets.SystemRandom().sample(variants, len(variants)))
    return Comparison(order=drawn, **{name: kept[name] for name in PLAIN}, **whole)


def _types() -> dict[str, Any]:
    from rag.citations import Sentence
    from rag.followups import Searched
    from rag.index import Hit
    from tuning.request import Answer, Request

    return {
        "requests": dict[str, Request],
        "hits": list[Hit],
        "searched": Searched,
        "answers": dict[str, Answer],
        "proofs": dict[str, list[Sentence]],
    }
