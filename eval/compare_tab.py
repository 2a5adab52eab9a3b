"""The page where one asks a question, watches four answers grow, and votes before seeing which is which."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from eval.campaigns import Campaigns
from eval.compare_view import LETTERS, panes
from eval.comparison import Comparison, answer, prepare
from eval.errors import USER_ERRORS
from eval.followup_tab import asked as asked_of
from eval.followup_tab import followup_part, going_on
from eval.form import Forms
from eval.limits import Limits
from eval.rating_tab import Rating, rating_head, rating_strip
from eval.setup_tab import read_settings, settings
from eval.votes import Votes
from eval.voting_tab import Voting, buttons_for, controls, on_vote, pane_updates
from eval.voting_view import question as question_to_rater
from eval.workbench import SAMPLES, Workbench

STREAMS = 24
"""Questions that are answered or wait in the engine at once; it has its own waiting room, which is fair."""

LEAVE_THE_BOX = "(...given) => { document.activeElement?.blur(); return given; }"
"""After asking, keys are votes and no longer letters of the question."""


@dataclass(frozen=True)
class Compare:
    """The handlers, with what they work on. Every one of them can be called by anyone, so each checks its input."""

    workbench: Workbench
    votes: Votes
    limits: Limits
    proxied: bool = False
    """Behind a proxy that sets X-Forwarded-For, as on a Space; elsewhere that header is anybody's to forge."""

    @property
    def voting(self) -> Voting:
        return Voting(self.votes, Forms(self.workbench.home))

    def begin(self, question: str, *setup: Any) -> list[Any]:
        """Check the input, find the passages, and clear the panes."""
        *given, conversation = setup
        try:
            comparison = prepare(self.workbench, str(question or ""), read_settings(*given), conversation)
        except (*USER_ERRORS, TypeError, ValueError) as error:
            raise gr.Error(str(error), print_exception=False) from error
        # The next question begins anew, unless it is asked as a follow-up.
        return [*self.opened(comparison), None, going_on(conversation)]

    def opened(self, comparison: Comparison) -> list[Any]:
        """The page with a comparison that waits for its answers."""
        asking = [gr.update(interactive=False), gr.update(interactive=True)]
        return [
            comparison,
            *pane_updates(comparison, revealed=not comparison.blind, value=[]),
            asked_of(comparison),
            "Waiting for a place…",
            "",
            *asking,
            *["", ""],
            *buttons_for(comparison, asked=False),
        ]

    def stream(self, comparison: Comparison | None, request: gr.Request) -> Iterator[list[Any]]:
        """All four panes, from one generator, until the last answer is finished."""
        if comparison is None:
            return
        try:
            user = self.visitor(request)
            with self.limits.admit(user):
                for _ in answer(self.workbench, comparison, user):
                    begun = any(given.tokens for given in comparison.answers.values())
                    yield [*panes(comparison), "Answering… (Esc stops)" if begun else "Reading… (Esc stops)"]
        except USER_ERRORS as error:
            raise gr.Error(str(error), print_exception=False) from error

    def visitor(self, request: gr.Request) -> str:
        """Whom to count a question for."""
        return visitor(request, self.proxied)

    def finish(self, comparison: Comparison | None) -> list[Any]:
        """Open the vote, if there is something to vote on."""
        asking = [gr.update(interactive=True), gr.update(interactive=False)]
        if comparison is None or not comparison.done or len(comparison.answers) < len(comparison.order):
            return ["", *asking, *["", ""], *buttons_for(None)]
        try:
            forms = self.voting.ask(comparison)
        except USER_ERRORS as error:
            raise gr.Error(str(error), print_exception=False) from error
        return [question_to_rater(comparison), *asking, *forms, *buttons_for(comparison)]

    def stop(self, comparison: Comparison | None) -> None:
        """End the answers after the step in progress; what was written stays."""
        if comparison is not None:
            comparison.stop.set()

    def loading(self) -> list[Any]:
        """How far the models are; once they are there, the choices that the disk offers."""
        now = self.workbench.progress
        if not now.ready:
            words = f"⚠️ {now.step}" if now.failed else f"⏳ {now.step} … {now.seconds:.0f} s"
            return [words, gr.Timer(active=not now.failed), gr.skip(), gr.skip(), gr.skip()]
        adapters = [adapter.name for adapter in self.workbench.adapters()]
        indexes = self.workbench.index_names()
        base = self.workbench.engine().base
        words = f"Base model: **{base.name}**, from {base.source}."
        if not adapters:
            words += " No adapter yet: train one on the Tune page to compare."
        return [
            words,
            gr.Timer(active=False),
            gr.Dropdown(choices=adapters, value=adapters[0] if adapters else None),
            gr.Dropdown(choices=indexes, value=indexes[0] if indexes else None),
            gr.Button(interactive=bool(adapters)),
        ]


def compare_tab(page: gr.Blocks, compare: Compare, secret: str, campaigns: Campaigns | None = None) -> None:
    """Lay the page out and wire it. `secret` keeps a rater's pseudonym readable across restarts."""
    comparison, conversation = gr.State(None), gr.State(None)
    rater = gr.BrowserState("", storage_key="fourfold-rater", secret=secret)
    gr.Markdown(
        "# Fine-tune, retrieve, or both?\nAsk once, read four answers, pick the best. You learn which is which after."
    )
    loading = gr.Markdown("⏳ Starting …", elem_id="loading")
    timer = gr.Timer(1.0)
    rating_words = rating_head()
    with gr.Row(elem_classes="asking"):
        question = gr.Textbox(
            show_label=False, label="Question", placeholder="Ask the documents something", scale=6, elem_id="question"
        )
        ask = gr.Button("Ask", variant="primary", interactive=False, elem_id="ask", scale=1, min_width=90)
        stop = gr.Button("Stop", interactive=False, elem_id="stop", scale=1, min_width=90)
    with gr.Column() as own_question:
        examples(question)
        earlier = gr.Markdown("", elem_id="earlier")
        setup = settings()
    asked = gr.Markdown("", elem_id="asked")
    with gr.Row(elem_classes="panes"):
        shown = [pane(letter) for letter in LETTERS]
    status = gr.Markdown("", elem_id="status")
    strip = rating_strip(rating_words)
    voting = controls()
    sources = gr.HTML("", elem_id="sources")
    followup_part(question, comparison, conversation, earlier, sources)

    answered = [status, ask, stop, *voting.asked]
    opened = [comparison, *shown, asked, status, sources, *answered[1:]]
    begun = gr.on(
        [ask.click, question.submit],
        compare.begin,
        [question, *setup, conversation],
        [*opened, conversation, earlier],
        js=LEAVE_THE_BOX,
        show_progress_on=[status],
        concurrency_id="prepare",
        api_visibility="private",
    )
    write_then_ask(begun, compare.stream, [comparison], [*shown, status], compare.finish, answered)
    if campaigns is not None:
        task = gr.State(None)
        rating = Rating(compare.workbench, campaigns, compare.limits, compare.opened, compare.visitor)
        arrived = [strip.words, strip.following, ask, question, own_question]
        page.load(rating.arrive, None, arrived, queue=False, show_progress="hidden", api_visibility="private")
        handed = strip.following.click(
            rating.begin,
            [rater, strip.beyond],
            [task, rater, strip.words, strip.beyond, question, *opened],
            show_progress_on=[status],
            concurrency_id="prepare",
            api_visibility="private",
        )
        write_then_ask(handed, rating.stream, [task, comparison], [*shown, status], compare.finish, answered)
    stop.click(compare.stop, [comparison], None, queue=False, api_visibility="private")
    on_vote(compare.voting, voting, [comparison, rater], [*shown, status, sources])
    refresh = [loading, timer, setup[0], setup[1], ask]
    timer.tick(compare.loading, None, refresh, queue=False, show_progress="hidden", api_visibility="private")
    page.load(compare.loading, None, refresh, queue=False, show_progress="hidden", api_visibility="private")


def write_then_ask(
    begun: Any, stream: Any, given: list[Any], shown: list[Any], finish: Any, answered: list[Any]
) -> None:
    """Once `begun` has succeeded, stream the answers into what is `shown`, then open the vote on them.

    The comparison is the last of what is `given` to the stream.
    """
    begun.success(
        stream, given, shown, concurrency_limit=STREAMS, show_progress="hidden", api_visibility="private"
    ).then(finish, given[-1:], answered, show_progress="hidden", api_visibility="private")


def pane(letter: str) -> gr.Chatbot:
    return gr.Chatbot(
        label=letter,
        elem_id=f"pane-{letter}",
        placeholder=f"Answer {letter}",
        height="auto",
        min_height=150,
        max_height=440,
        autoscroll=False,
        layout="panel",
        buttons=["copy"],
        feedback_options=None,
        allow_tags=False,
        latex_delimiters=[],
    )


def examples(question: gr.Textbox) -> None:
    path = SAMPLES / "questions.json"
    if path.is_file():
        listed = [[row["question"]] for row in json.loads(path.read_text(encoding="utf-8"))]
        gr.Examples(listed, question, label="About the sample documents", examples_per_page=6, api_visibility="private")


def visitor(request: gr.Request, proxied: bool) -> str:
    """The address to count by: the peer's, or the last hop, which the proxy itself saw."""
    forwarded = str(request.headers.get("x-forwarded-for", "")).split(",")[-1].strip() if proxied else ""
    return forwarded or (str(request.client.host) if request.client else "unknown")
