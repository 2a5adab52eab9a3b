"""The page where campaigns are made and watched: who rated how much, how far raters agree, and an AI judge."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from eval.agreement import agreements, rater_reports
from eval.campaign import Standing
from eval.campaign_view import body, empty
from eval.campaigns import Campaigns
from eval.errors import USER_ERRORS, InputError
from eval.judge import Judge, settings_of
from eval.judging import judge_pairs, judge_reports, open_pairs
from eval.prompts import ENDINGS, lines_of, read_prompts
from eval.rating import answer_all
from eval.setup import Setup
from eval.votes import StoreError, Votes
from eval.workbench import Workbench

CSS = Path(__file__).with_name("campaign.css")
MODES = [("The best of four", "best"), ("All four in order", "ranking"), ("The better of two", "pair")]


@dataclass(frozen=True)
class Page:
    """The handlers, with what they work on. Every one of them can be called by anyone, so each checks its input."""

    workbench: Workbench
    votes: Votes
    campaigns: Campaigns
    editable: bool

    def show(self, name: str | None) -> list[Any]:
        """The names that there are, and the campaign chosen, or the newest."""
        try:
            names = [campaign.name for campaign in self.campaigns.all()]
            chosen = name if name in names else names[0] if names else None
            return [gr.update(choices=names, value=chosen, visible=bool(names)), *self._seen(chosen), *self._setups()]
        except StoreError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def look(self, name: str | None) -> list[Any]:
        """The campaign, and what can be done with it now."""
        try:
            return self._seen(name)
        except (*USER_ERRORS, StoreError) as error:
            raise gr.Error(str(error), print_exception=False) from error

    def create(self, name: str, file: str | None, lines: str, raters: float, overlap: str, *more: Any) -> Any:
        """Make a campaign, and choose it from those that there are."""
        retest, adapter, index, passages, max_tokens, mode = more
        try:
            self._allow()
            prompts = read_prompts(Path(file)) if file else lines_of(str(lines or ""), "The box of prompts")
            setup = Setup(
                str(adapter or ""), str(index or ""), int(passages), max_tokens=int(max_tokens), mode=str(mode)
            )
            shared = int(overlap) if str(overlap or "").strip() else None
            made = self.campaigns.create(str(name or "").strip(), prompts, setup, int(raters), shared, int(retest or 0))
            names = [campaign.name for campaign in self.campaigns.all()]
        except (*USER_ERRORS, StoreError, TypeError, ValueError) as error:
            raise gr.Error(str(error), print_exception=False) from error
        return gr.update(choices=names, value=made.name, visible=True)  # what is not among the choices is refused

    def answer(self, name: str | None) -> Iterator[str]:
        """Compute the answers that are missing."""
        try:
            self._allow()
            campaign = self.campaigns.find(str(name or ""))
            self.workbench.engine()
            yield "Computing answers…"
            for done, total in answer_all(self.workbench, self.campaigns, campaign):
                yield f"{done} of {total} prompts answered."
            yield "All prompts have their answers."
        except (*USER_ERRORS, StoreError) as error:
            raise gr.Error(str(error), print_exception=False) from error

    def close(self, name: str | None) -> str:
        try:
            self._allow()
            self.campaigns.close(str(name or ""))
        except (*USER_ERRORS, StoreError) as error:
            raise gr.Error(str(error), print_exception=False) from error
        return "Closed: nothing is handed out any more."

    def judge(self, limit: float) -> Iterator[str]:
        """Have the AI judge compare what it has not seen yet."""
        try:
            self._allow()
            settings = settings_of(os.environ)
            if settings is None:
                raise InputError("No judge is set: see what is said above.")
            pairs = open_pairs(self.votes.votes(), settings.rater, max(1, int(limit)))
            yield f"{len(pairs)} pairs to judge."
            judge = Judge(settings)
            try:
                for tally in judge_pairs(judge, pairs, self.votes):
                    failed = f", {tally.failed} not judged: {tally.reason}" if tally.failed else ""
                    yield f"{tally.done} of {tally.pairs} pairs{failed}."
            finally:
                judge.close()
        except (*USER_ERRORS, StoreError, TypeError, ValueError) as error:
            raise gr.Error(str(error), print_exception=False) from error

    def _allow(self) -> None:
        if not self.editable:
            raise InputError("Campaigns are made and changed by whoever runs this app, not by its visitors.")

    def _seen(self, name: str | None) -> list[Any]:
        """The report, and the buttons to compute the answers and to close."""
        if not name:
            return [empty(), *[gr.update(visible=False)] * 2]
        standing = self.campaigns.standing(name)
        votes = [vote for vote in self.votes.ballots() if vote.campaign == name]
        report = body(standing, agreements(votes), rater_reports(votes), judge_reports(votes))
        return [report, *(buttons(standing) if self.editable else [gr.update(visible=False)] * 2)]

    def _setups(self) -> list[Any]:
        """What answers can be made with."""
        if not self.workbench.progress.ready:
            return [gr.skip(), gr.skip()]
        adapters = [adapter.name for adapter in self.workbench.adapters()]
        indexes = self.workbench.index_names()
        return [gr.update(choices=names, value=names[0] if names else None) for names in (adapters, indexes)]


def buttons(standing: Standing) -> list[Any]:
    """To compute the answers and to close: each says why where there is nothing to do."""
    left, closed = standing.campaign.prompts - standing.answered, bool(standing.campaign.closed)
    compute = f"Compute the answers to {left} prompt{'s' * (left != 1)} now" if left else "All answers are computed"
    return [
        gr.update(visible=True, value=compute, interactive=left > 0 and not closed),
        gr.update(visible=True, value="This campaign is closed" if closed else "Close this campaign",
                  interactive=not closed),
    ]  # fmt: skip


def campaign_tab(page: Page) -> None:
    """Lay the page out inside the current page."""
    gr.Markdown(
        "# Campaigns\nSeveral people rate the same prompts, blind, with the same answers in an order of their own."
        " Only then can one tell how far they agree."
    )
    with gr.Row():
        chosen = gr.Dropdown([], label="Campaign", elem_id="campaign", scale=3, visible=False)
        refresh = gr.Button("Refresh", size="sm", scale=1, min_width=120)
    shown = gr.HTML(
        css_template=CSS.read_text(encoding="utf-8"), apply_default_css=False, js_on_load=None, elem_id="campaign-body"
    )
    said = gr.Markdown("", elem_id="campaign-status")
    with gr.Row():
        answer = gr.Button("Compute the answers now", min_width=160, visible=False, elem_id="compute-answers")
        close = gr.Button("Close this campaign", variant="stop", min_width=160, visible=False, elem_id="close-campaign")
    seen: list[Any] = [shown, answer, close]
    everything: list[Any] = [chosen, *seen]
    if page.editable:
        _on(answer.click, page.answer, [chosen], said).then(page.look, [chosen], seen, api_visibility="private")
        _on(close.click, page.close, [chosen], said).then(page.look, [chosen], seen, api_visibility="private")
        everything += _new_campaign(page, chosen, seen)
        _ai_judge(page, chosen, seen)
    else:
        everything += [gr.Dropdown(visible=False), gr.Dropdown(visible=False)]
    gr.on(None, page.show, [chosen], everything, show_progress="hidden", api_visibility="private")
    refresh.click(page.show, [chosen], everything, show_progress="hidden", api_visibility="private")
    chosen.input(page.look, [chosen], seen, show_progress="hidden", api_visibility="private")


def _new_campaign(page: Page, chosen: gr.Dropdown, seen: list[Any]) -> list[Any]:
    """The form; returns its two lists of what is on the disk."""
    with gr.Accordion("New campaign", open=False, elem_id="new-campaign"):
        with gr.Row():
            name = gr.Textbox(label="Name", info="Letters, digits, - and _", elem_id="campaign-name")
            raters = gr.Number(3, label="Raters", precision=0, minimum=1, info="People that each shared prompt needs")
            overlap = gr.Textbox(label="Shared prompts", placeholder="all", info="The others go to one rater each")
            retest = gr.Number(0, label="Shown twice", precision=0, minimum=0, info="To see who answers alike again")
        lines = gr.Textbox(label="Prompts, one a line", lines=6, elem_id="campaign-prompts")
        file = gr.File(label="or a file of them", file_types=list(ENDINGS))
        with gr.Row():
            adapter = gr.Dropdown([], label="Adapter", info="Used by tuned and combined")
            index = gr.Dropdown([], label="Documents", info="Used by rag and combined")
            passages = gr.Slider(1, 10, 3, step=1, label="Passages")
            longest = gr.Slider(16, 512, 128, step=16, label="Longest answer", info="In tokens")
            mode = gr.Dropdown(MODES, value="best", label="Vote for")
        create = gr.Button("Make the campaign", variant="primary", elem_id="make-campaign")
    given = [name, file, lines, raters, overlap, retest, adapter, index, passages, longest, mode]
    create.click(page.create, given, chosen, api_visibility="private").success(
        page.show, [chosen], [chosen, *seen, adapter, index], api_visibility="private"
    )
    return [adapter, index]


def _ai_judge(page: Page, chosen: gr.Dropdown, seen: list[Any]) -> None:
    with gr.Accordion("AI judge (optional)", open=False):
        try:
            settings = settings_of(os.environ)
            words = f"⚠️ {settings.warning}" if settings else ""
        except InputError as error:
            settings, words = None, str(error)
        gr.Markdown(
            words
            or "A language model can compare the answers that people voted on, each pair in both orders. Name any"
            " OpenAI-compatible endpoint by `FOURFOLD_JUDGE_URL` and `FOURFOLD_JUDGE_MODEL` (and `FOURFOLD_JUDGE_KEY`)"
            " and start the app again. Questions, passages and answers then leave this machine."
        )
        if settings:
            limit = gr.Number(60, label="Pairs at most", precision=0, minimum=1)
            judged = gr.Markdown("")
            _on(gr.Button("Judge").click, page.judge, [limit], judged).then(
                page.look, [chosen], seen, api_visibility="private"
            )


def _on(event: Any, function: Any, given: list[Any], said: gr.Markdown) -> Any:
    return event(function, given, said, show_progress="minimal", api_visibility="private")
