"""Votes -> what their rows belong to: nothing of a conversation, and nothing of a prompt, may be in two splits.

Several people rate the same prompt, and one conversation asks several: what is joined by either is one source.
"""

import json
from collections.abc import Iterable, Sequence

from eval.outcomes import normalised
from eval.vote import Vote


def sources(votes: Sequence[Vote]) -> dict[str, str]:
    """The source of each vote by its id: the first conversation of all that are joined with its own."""
    joined: dict[str, str] = {}  # a key to another one of its source; the last of such a chain stands for all

    def last(key: str) -> str:
        joined.setdefault(key, key)
        while joined[key] != key:
            joined[key] = joined[joined[key]]
            key = joined[key]
        return key

    for vote in votes:
        first = last(f"conversation {vote.conversation}")
        for key in _prompts(vote):
            joined[last(key)] = first
    named: dict[str, str] = {}
    return {vote.id: named.setdefault(last(f"conversation {vote.conversation}"), vote.conversation) for vote in votes}


def _prompts(vote: Vote) -> Iterable[str]:
    """What the vote's prompt is known by: its place in a campaign, and the question after what was said before it.

    The last message itself will not do: with documents it holds passages, which another index words otherwise.
    """
    if vote.campaign and vote.prompt_id:
        yield f"prompt {vote.campaign}/{vote.prompt_id}"
    for messages in vote.prompts.values():
        before = [message["content"] for message in messages[:-1] if message["role"] != "system"]
        yield f"question {json.dumps([normalised(vote.question), before])}"
