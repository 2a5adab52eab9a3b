"""Votes -> rows that a model can be trained on: preferences (DPO), feedback (KTO) and instructions (SFT).

An answer is only set against one that was given to the very same prompt: where one had passages and the other not, the
vote says as much about the passages as about the words. Only people teach, and choices only where they did not know the
names; what a person wrote as the better answer teaches in any mode. Every row carries a `source`, so that no
conversation and no prompt is in two splits.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any

from eval.outcomes import winning
from eval.sources import sources
from eval.vote import Vote, is_unbiased

Row = dict[str, Any]


def preferences(votes: Sequence[Vote]) -> Iterator[Row]:
    """`prompt` (messages as sent), `chosen`, `rejected`: each answer against those below it that had its prompt, and
    what a person wrote instead against the answer that it corrects.

    Ties, votes without a best answer and equal texts make none.
    """
    source = sources(votes)
    for vote in votes:
        made = set()
        for variant, chosen, rejected in (*_choices(vote), *_corrections(vote)):
            usable = chosen.strip() and rejected.strip() and chosen != rejected
            if usable and (str(vote.prompts[variant]), chosen, rejected) not in made:
                made.add((str(vote.prompts[variant]), chosen, rejected))
                yield {**_head(vote, variant, source), "chosen": chosen, "rejected": rejected}


def feedback(votes: Sequence[Vote]) -> Iterator[Row]:
    """`prompt`, `completion`, `label`: by the thumb that an answer got, else true for a best answer called acceptable
    and false for all where none was."""
    source = sources(votes)
    for vote in votes:
        judged = _judged(vote) if is_unbiased(vote) else {}
        for variant, good in sorted(judged.items()):
            if vote.answers[variant].strip():
                yield {**_head(vote, variant, source), "completion": vote.answers[variant], "label": good}


def instructions(votes: Sequence[Vote]) -> Iterator[Row]:
    """`messages`: what a person wrote instead of an answer, and each best answer that was called acceptable and left as
    it is, after the prompt that it was given to."""
    source = sources(votes)
    for vote in votes:
        accepted = sorted(winning(vote)) if vote.acceptable and is_unbiased(vote) else []
        better = {variant: text for variant, text, _ in _corrections(vote)}
        for variant, text in ({variant: vote.answers[variant] for variant in accepted} | better).items():
            if text.strip():
                head = _head(vote, variant, source)
                yield {"messages": [*head.pop("prompt"), {"role": "assistant", "content": text}], **head}


def _choices(vote: Vote) -> Iterator[tuple[str, str, str]]:
    """(variant, its answer, a worse one to the same prompt) as the vote ranks or picks."""
    best = winning(vote)
    if not is_unbiased(vote) or not best or (not vote.ranking and len(best) == len(vote.order)):
        return
    place = {name: number for number, group in enumerate(vote.ranking) for name in group}
    place = place or {name: int(name not in best) for name in vote.order}
    for one, other in permutations(sorted(vote.order), 2):
        if place[one] < place[other] and vote.prompts[one] == vote.prompts[other]:
            yield one, vote.answers[one], vote.answers[other]


def _corrections(vote: Vote) -> Iterator[tuple[str, str, str]]:
    """(variant, what a person wrote instead, what the variant had answered)."""
    if vote.rater_kind != "person":
        return
    for variant, judgement in sorted(vote.judgements.items()):
        if judgement.better.strip():
            yield variant, judgement.better, vote.answers[variant]


def _judged(vote: Vote) -> dict[str, bool]:
    judged = dict.fromkeys(winning(vote), True) if vote.acceptable else {}
    if vote.choice == "all_bad" or vote.acceptable is False:
        judged = dict.fromkeys(vote.order, False)
    thumbs = {variant: given.thumb for variant, given in vote.judgements.items() if given.thumb is not None}
    return judged | thumbs


def _head(vote: Vote, variant: str, source: Mapping[str, str]) -> Row:
    prompt = [{"role": turn["role"], "content": turn["content"]} for turn in vote.prompts[variant]]
    return {"prompt": prompt, "source": source[vote.id], "id": f"{vote.id}/{variant}"}
