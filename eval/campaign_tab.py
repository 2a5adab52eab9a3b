"""The page where campaigns are made and watched: who rated how much, how far raters agree, and an AI judge."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from eval.agreement import agreements, rater_reports
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
            return [gr.update(choices=names, value=chosen), self._body(chosen) if chosen else empty(), *self._setups()]
        except StoreError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def look(self, name: str | None) -> str:
        try:
            return self._body(str(name)) if name else empty()
        except (*USER_ERRORS, StoreError) as error:
            raise gr.Error(str(error), print_exception=False) from error

    def create(self, name: str, file: str | None, lines: str, raters: float, overlap: str, *more: Any) -> str:
        """Make a campaign; returns its name."""
        retest, adapter, index, passages, max_tokens, mode = more
        try:
            self._allow()
            prompts = read_prompts(Path(file)) if file else lines_of(str(lines or ""), "The box of prompts")
            setup = Setup(
                str(adapter or ""), str(index or ""), int(passages), max_tokens=int(max_tokens), mode=str(mode)
            )
            shared = int(overlap) if str(overlap or "").strip() else None
            self.campaigns.create(str(name or "").strip(), prompts, setup, int(raters), shared, int(retest or 0))
        except (*USER_ERRORS, StoreError, TypeError, ValueError) as error:
            raise gr.Error(str(error), print_exception=False) from error
        return str(name).strip()

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

    def _body(self, name: str) -> str:
        votes = [vote for vote in self.votes.ballots() if vote.campaign == name]
        return body(self.campaigns.standing(name), agreements(votes), rater_reports(votes), judge_reports(votes))

    def _setups(self) -> list[Any]:
        """What answers can be made with."""
        if not self.workbench.progress.ready:
            return [gr.skip(), gr.skip()]
        adapters = [adapter.name for adapter in self.workbench.adapters()]
        indexes = self.workbench.index_names()
        return [gr.update(choices=names, value=names[0] if names else None) for names in (adapters, indexes)]


def campaign_tab(page: Page) -> None:
    """Lay the page out inside the current page."""
    gr.Markdown(
        "# Campaigns\nSeveral people rate the same prompts, blind, with the same answers in an order of their own."
        " Only then can one tell how far they agree."
    )
    with gr.Row():
        chosen = gr.Dropdown([], label="Campaign", elem_id="campaign", scale=3)
        refresh = gr.Button("Refresh", size="sm", scale=1, min_width=120)
    shown = gr.HTML(
        css_template=CSS.read_text(encoding="utf-8"), apply_default_css=False, js_on_load=None, elem_id="campaign-body"
    )
    said = gr.Markdown("", elem_id="campaign-status")
    everything: list[Any] = [chosen, shown]
    if page.editable:
        with gr.Row():
            answer = gr.Button("Compute all answers now", min_width=160)
            close = gr.Button("Close this campaign", variant="stop", min_width=160)
        _on(answer.click, page.answer, [chosen], said).then(page.look, [chosen], shown, api_visibility="private")
        _on(close.click, page.close, [chosen], said).then(page.look, [chosen], shown, api_visibility="private")
        everything += _new_campaign(page, chosen, shown)
        _ai_judge(page, chosen, shown)
    else:
        everything += [gr.Dropdown(visible=False), gr.Dropdown(visible=False)]
    gr.on(None, page.show, [chosen], everything, show_progress="hidden", api_visibility="private")
    refresh.click(page.show, [chosen], everything, show_progress="hidden", api_visibility="private")
    chosen.input(page.look, [chosen], shown, show_progress="hidden", api_visibility="private")


def _new_campaign(page: Page, chosen: gr.Dropdown, shown: gr.HTML) -> list[Any]:
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
        page.show, [chosen], [chosen, shown, adapter, index], api_visibility="private"
    )
    return [adapter, index]


def _ai_judge(page: Page, chosen: gr.Dropdown, shown: gr.HTML) -> None:
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
                page.look, [chosen], shown, api_visibility="private"
            )


def _on(event: Any, function: Any, given: list[Any], said: gr.Markdown) -> Any:
    return event(function, given, said, show_progress="minimal", api_visibility="private")
