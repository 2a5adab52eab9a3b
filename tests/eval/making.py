"""Votes for tests, complete and valid, of which a test changes what it is about."""

from typing import Any

from eval.variants import IDS
from eval.votes import Vote


def make_vote(comparison: str = "c0", shown: tuple[str, ...] = IDS, **changes: Any) -> Vote:
    """A vote for the first variant shown; `changes` replaces fields, and the mode fits to what is shown."""
    values: dict[str, Any] = {
        "comparison": comparison,
        "conversation": f"conversation of {comparison}",
        "turn": 0,
        "question": f"What is said about {comparison}?",
        "prompts": {variant: [{"role": "user", "content": f"asked of {variant}"}] for variant in shown},
        "answers": {variant: f"the answer of {variant}" for variant in shown},
        "order": shown,
        "choice": shown[0],
        "rater": "rater-1",
        "tokens": dict.fromkeys(shown, 12),
        "seconds": dict.fromkeys(shown, 0.5),
        "first_token_seconds": dict.fromkeys(shown, 0.1),
        "configuration": {"base": "abc", "temperature": 0.0},
    }
    values["mode"] = "open" if changes.get("blind") is False else "pair" if len(shown) == 2 else "best"
    return Vote(**(values | changes))


def parent_vote(number: int, choice: str = "tuned", documents: bool = False, **changes: Any) -> Vote:
    """A vote on the adapter `child` against its parent `house`; `choice` may be `parent` or `adapter`."""
    pair = ("rag", "combined") if documents else ("base", "tuned")
    choice = {"parent": pair[0], "adapter": pair[1]}.get(choice, choice)
    parts = {"adapter": {"name": "child", "digest": "c" * 64}, "parent": {"name": "house", "digest": "d" * 64}}
    order = pair[:: 1 if number % 2 else -1]
    prompts = {variant: [{"role": "user", "content": f"{number}?"}] for variant in order}
    return make_vote(
        f"p{number}",
        order,
        **{"choice": choice, "mode": "parent", "configuration": parts, "prompts": prompts} | changes,
    )
