"""The answers of a campaign's prompts: computed once, by whoever needs them first, and the same for every rater."""

import time
from collections.abc import Iterator

from eval import stored_answers
from eval.campaign import Campaign, Task
from eval.campaigns import Campaigns
from eval.comparison import Comparison, answer, prepare
from eval.errors import InputError
from eval.prompts import Prompt
from eval.workbench import Workbench


def comparison_of(workbench: Workbench, campaigns: Campaigns, task: Task) -> Comparison:
    """The comparison of a task: with its answers where they are stored, else ready to be answered."""
    if task.answers is None:
        comparison = prepare(workbench, task.prompt.question, campaigns.find(task.campaign).setup)
        comparison.order = task.order
    else:
        comparison = stored_answers.from_text(task.answers, task.order)
        comparison.finished_at = time.time()
    comparison.id, comparison.campaign, comparison.prompt_id = task.comparison, task.campaign, task.prompt.id
    comparison.task = task.prompt.task
    return comparison


def answer_task(
    workbench: Workbench, campaigns: Campaigns, task: Task, comparison: Comparison, user: str = ""
) -> Iterator[None]:
    """Compute and store the answers of a comparison that has none, yielding as `answer` does.

    Where another rater's were stored meanwhile, those are shown. One that was stopped is not stored: half an answer
    would be everybody's.
    """
    if comparison.done:
        yield
        return
    yield from answer(workbench, comparison, user)
    if _is_whole(comparison):
        kept = campaigns.store_answers(task.campaign, task.number, stored_answers.to_text(comparison))
        stored = stored_answers.from_text(kept, task.order)
        comparison.answers, comparison.requests, comparison.proofs = stored.answers, stored.requests, stored.proofs
        comparison.hits, comparison.configuration = stored.hits, stored.configuration
        yield
    else:
        comparison.finished_at = 0.0
        raise InputError("The answers were stopped; show the prompt again, so that every rater sees whole ones.")


def answer_all(workbench: Workbench, campaigns: Campaigns, campaign: Campaign) -> Iterator[tuple[int, int]]:
    """Compute what is missing, prompt by prompt; yields how many are done, of how many. Closing it loses nothing."""
    waiting = campaigns.unanswered(campaign.name)
    for done, (number, prompt) in enumerate(waiting, 1):
        campaigns.store_answers(campaign.name, number, _answers(workbench, campaign, prompt))
        yield done, len(waiting)


def _answers(workbench: Workbench, campaign: Campaign, prompt: Prompt) -> str:
    comparison = prepare(workbench, prompt.question, campaign.setup)
    for _ in answer(workbench, comparison):
        pass
    return stored_answers.to_text(comparison)


def _is_whole(comparison: Comparison) -> bool:
    return not any(given.finished in ("", "stopped", "deadline", "failed") for given in comparison.answers.values())
