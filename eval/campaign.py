"""A campaign: what was asked for, how far it is, and one prompt of it in one rater's hands."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from eval.errors import InputError
from eval.handout import Next, Plan
from eval.prompts import Prompt
from eval.setup import Setup

NAME = re.compile(r"[\w-]{1,60}")


@dataclass(frozen=True)
class Campaign:
    """What was asked for. Never changes, but for its end."""

    name: str
    created: str
    closed: str
    """When it was closed; empty while it goes on."""
    raters: int
    overlap: int
    """Prompts that all raters share; the others are rated by one each."""
    retest: int
    seed: int
    setup: Setup
    prompts: int

    def plan(self, quotas: list[int]) -> Plan:
        """What is asked for, as the hand-out takes it."""
        return Plan(quotas, self.raters, self.retest, self.seed)


@dataclass(frozen=True)
class Task:
    """One prompt in the hands of one rater."""

    campaign: str
    comparison: str
    """The id that the vote carries."""
    prompt: Prompt
    number: int
    order: tuple[str, ...]
    """Of the panes; drawn for this rater alone."""
    answers: str | None
    """What `stored_answers.to_text` made of them; None until they are computed."""
    progress: Next


@dataclass(frozen=True)
class Standing:
    """How far a campaign is."""

    campaign: Campaign
    needed: int
    """Ratings in all."""
    rated: int
    held: int
    """Prompts in raters' hands now."""
    answered: int
    """Prompts whose answers are computed."""
    by_rater: Mapping[str, int]

    @property
    def finished(self) -> bool:
        return self.rated >= self.needed


def state_of(standing: Standing) -> str:
    """`open`, `finished` (all ratings are there) or `closed`."""
    return "closed" if standing.campaign.closed else "finished" if standing.finished else "open"


def check(name: str, prompts: int, raters: int, overlap: int, retest: int, setup: Setup) -> None:
    """Raise InputError where a campaign cannot be as it is asked for."""
    rules = (
        (NAME.fullmatch(name or ""), f"The name {name!r} is not 1 to 60 letters, digits, - and _; choose such a one."),
        (prompts >= 1, "There is no prompt; give one at least."),
        (1 <= raters <= 1000, f"{raters} raters cannot be asked; give 1 to 1000."),
        (0 <= overlap <= prompts, f"An overlap of {overlap} is not 0 to {prompts}, the number of prompts."),
        (0 <= retest <= prompts, f"{retest} prompts cannot be shown twice; give 0 to {prompts}."),
        (setup.mode != "parent", "A campaign compares the four variants; choose another way to vote, and set an adapter"
                                 " against its parent on the Compare page."),
        (setup.mode != "open", "An open campaign would be no evidence, since its raters see the names; choose another"
                               " way to vote."),
    )  # fmt: skip
    wrong = [message for holds, message in rules if not holds]
    if wrong:
        raise InputError(wrong[0])
