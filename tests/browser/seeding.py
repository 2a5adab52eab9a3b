"""Votes of each kind for the pages to show: a campaign of two raters, votes on a parent, form answers, tasks."""

import random
from pathlib import Path

from eval.campaign import Task
from eval.campaigns import Campaigns
from eval.form import Forms
from eval.judgement import Judgement
from eval.prompts import Prompt
from eval.setup import Setup
from eval.variants import IDS
from eval.votes import Votes, database_url
from tests.eval.making import make_vote, parent_vote

CAMPAIGN = "autumn-round"
RATERS = ("5a" * 16, "6b" * 16)


def seed(home: Path) -> None:
    """Fill the log of that home; the app may be running."""
    url = database_url(home)
    log, campaigns = Votes(url), Campaigns(url)
    try:
        for vote in [*_own(), *(parent_vote(n, "adapter" if n % 4 else "parent") for n in range(24))]:
            log.append(vote)
        _rate(campaigns, log, Forms(home).current().digest)
    finally:
        campaigns.dispose()
        log.close()


def _own() -> list:
    draw = random.Random(1)
    plain = {id: [{"role": "user", "content": "How deep is the harbour?"}] for id in IDS}
    answers = {id: f"The harbour is {len(id)} metres deep, says {id}." for id in IDS}
    return [
        make_vote(
            f"own {number}", tuple(draw.sample(IDS, 4)), choice=draw.choice((*IDS, "combined", "combined", "rag")),
            question=f"How deep is the harbour at place {number % 15}?", prompts=plain, answers=answers,
            task=("fact", "rules")[number % 2], acceptable=number % 3 != 0, rater=RATERS[number % 2],
        )
        for number in range(40)
    ]  # fmt: skip


def _rate(campaigns: Campaigns, log: Votes, form: str) -> None:
    prompts = [Prompt(f"p{number}", f"What is kept at place {number}?", "fact") for number in range(8)]
    campaigns.create(CAMPAIGN, prompts, Setup("samples", "samples"), raters=2)
    for rater, times in zip(RATERS, (8, 5), strict=True):
        for _ in range(times):
            task = campaigns.next(CAMPAIGN, rater)
            assert isinstance(task, Task)
            choice = IDS[int(task.prompt.id[1:]) % 3]
            log.append(
                make_vote(
                    task.comparison, task.order, choice=choice, rater=rater, campaign=CAMPAIGN,
                    prompt_id=task.prompt.id, question=task.prompt.question, form=form, dwell_seconds=8.0,
                    judgements={choice: Judgement(thumb=True, scores={"correctness": 4})},
                )
            )  # fmt: skip
            log.reveal(task.comparison)
