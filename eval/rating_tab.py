"""The part of the Compare page for raters of a campaign, who come by its link: ?campaign=NAME."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import gradio as gr

from eval.campaign import Task
from eval.campaigns import Campaigns
from eval.compare_view import panes
from eval.comparison import Comparison
from eval.errors import USER_ERRORS, InputError
from eval.handout import Next
from eval.limits import Limits
from eval.rating import answer_task, comparison_of
from eval.votes import StoreError
from eval.workbench import Workbench


@dataclass(frozen=True)
class Strip:
    """The campaign and how far one is, above the question; and below the answers the way to the next prompt."""

    words: gr.Markdown
    following: gr.Button
    beyond: gr.Checkbox


def rating_head() -> gr.Markdown:
    """Lay the words out; they are hidden from everybody who did not come by a campaign's link."""
    return gr.Markdown("", visible=False, elem_id="rating")


def rating_strip(words: gr.Markdown) -> Strip:
    """Lay out the way to the next prompt, where the rater's eyes are after a vote."""
    with gr.Row():
        following = gr.Button("Show the next prompt", variant="primary", visible=False, elem_id="next-prompt")
        beyond = gr.Checkbox(False, label="Go on past my part", visible=False, elem_id="beyond")
    return Strip(words, following, beyond)


@dataclass(frozen=True)
class Rating:
    """The handlers, with what they work on. Every one of them can be called by anyone, so each checks its input."""

    workbench: Workbench
    campaigns: Campaigns
    limits: Limits
    opened: Callable[[Comparison], list[Any]]
    """The page's updates for a comparison that waits for its answers."""
    visitor: Callable[[gr.Request], str]

    def arrive(self, request: gr.Request) -> list[Any]:
        """Turn the page into a rater's where the address names a campaign."""
        name = campaign_of(request)
        if not name:
            return [gr.skip()] * 5
        try:
            campaign = self.campaigns.find(name)
            closed = bool(campaign.closed)
            words = "It is closed; thank you." if closed else "Read all answers, then vote. Nobody sees who you are."
        except (*USER_ERRORS, StoreError) as error:
            closed, words = True, str(error)
        hidden = gr.update(visible=False)
        fixed = gr.update(interactive=False, placeholder="The campaign gives the prompts")
        head = gr.update(value=f"**Campaign {name}.** {words}", visible=True)
        return [head, gr.update(visible=not closed), hidden, fixed, hidden]

    def begin(self, rater: str, beyond: bool, request: gr.Request) -> list[Any]:
        """Hand out the next prompt and clear the panes."""
        name = campaign_of(request)
        rater = rater if re.fullmatch(r"[0-9a-f]{32}", rater or "") else uuid4().hex
        try:
            if not name:
                raise InputError("This page belongs to no campaign; open it by the campaign's link.")
            given = self.campaigns.next(name, rater, bool(beyond))
            if isinstance(given, Next):
                raise gr.Error(ended(given), title="Nothing to rate", print_exception=False)
            comparison = comparison_of(self.workbench, self.campaigns, given)
        except (*USER_ERRORS, StoreError) as error:
            raise gr.Error(str(error), print_exception=False) from error
        words = f"**Campaign {name}: prompt {given.progress.done + 1} of {given.progress.total}**"
        if given.progress.retest:
            words += " (you have seen it before)"
        past = gr.update(visible=given.progress.beyond > 0)
        return [given, rater, gr.update(value=words), past, given.prompt.question, *self.opened(comparison)]

    def stream(self, task: Task | None, comparison: Comparison | None, request: gr.Request) -> Iterator[list[Any]]:
        """The stored answers at once, or those that are computed now, until they are complete."""
        if task is None or comparison is None:
            return
        try:
            with self.limits.admit(self.visitor(request)):
                for _ in answer_task(self.workbench, self.campaigns, task, comparison, self.visitor(request)):
                    yield [*panes(comparison), "Answering…"]
        except (*USER_ERRORS, StoreError) as error:
            raise gr.Error(str(error), print_exception=False) from error


def campaign_of(request: gr.Request) -> str:
    """The campaign that the page's address names, or nothing."""
    name = str(request.query_params.get("campaign", ""))
    return name if re.fullmatch(r"[\w-]{1,60}", name) else ""


def ended(progress: Next) -> str:
    """Why there is no prompt for this rater, and what they can do."""
    thanks = f"You have rated {progress.done} prompts: thank you. " if progress.done else ""
    if progress.beyond:
        return (
            f"{thanks}Your part is done. {progress.beyond} more need somebody: tick “Go on past my part” to rate them."
        )
    if progress.held:
        return f"{thanks}All that is left is in other raters' hands; look again in half an hour."
    return f"{thanks}All ratings are made."
