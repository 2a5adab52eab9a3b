"""Votes -> rows that a model can be trained on: preferences (DPO), feedback (KTO) and instructions (SFT).

An answer is only set against one that was given to the very same prompt: where one had passages and the other not, the
vote says as much about the passages as about the words. Every row carries its conversation as `source`, so that no
conversation is in two splits.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from eval.outcomes import winning
from eval.vote import Vote

Row = dict[str, Any]


def preferences(votes: Sequence[Vote]) -> Iterator[Row]:
    """`prompt` (messages as sent), `chosen`, `rejected`: a best answer against each other one with its prompt.

    Ties, votes without a best answer and equal texts make none.
    """
    for vote in votes:
        best = winning(vote)
        if len(best) == len(vote.order):
            continue
        made = set()
        for winner in sorted(best):
            for loser in vote.order:
                same_prompt = vote.prompts[winner] == vote.prompts[loser]
                pair = vote.answers[winner], vote.answers[loser]
                usable = all(text.strip() for text in pair) and pair[0] != pair[1]
                if loser not in best and same_prompt and usable and pair not in made:
                    made.add(pair)
                    yield {**_head(vote, winner), "chosen": pair[0], "rejected": pair[1]}


def feedback(votes: Sequence[Vote]) -> Iterator[Row]:
    """`prompt`, `completion`, `label`: true for a best answer called acceptable, false for all where none was."""
    for vote in votes:
        best = winning(vote)
        judged = dict.fromkeys(best, True) if vote.acceptable else {}
        if vote.choice == "all_bad" or vote.acceptable is False:
            judged = dict.fromkeys(vote.order, False)
        for variant, good in sorted(judged.items()):
            if vote.answers[variant].strip():
                yield {**_head(vote, variant), "completion": vote.answers[variant], "label": good}


def instructions(votes: Sequence[Vote]) -> Iterator[Row]:
    """`messages`: each best answer that was called acceptable, after the prompt that it was given to."""
    for vote in votes:
        for variant in sorted(winning(vote)) if vote.acceptable else ():
            if vote.answers[variant].strip():
                head = _head(vote, variant)
                answer = {"role": "assistant", "content": vote.answers[variant]}
                yield {"messages": [*head.pop("prompt"), answer], **head}


def _head(vote: Vote, variant: str) -> Row:
    prompt = [{"role": turn["role"], "content": turn["content"]} for turn in vote.prompts[variant]]
    return {"prompt": prompt, "source": vote.conversation, "id": f"{vote.id}/{variant}"}
