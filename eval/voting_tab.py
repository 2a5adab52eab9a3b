"""The part of the Compare page where one votes: buttons, ranking, a form by answer, taking back, and the reveal."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import gradio as gr

from eval.casting import make_vote, read_said
from eval.compare_view import evidence, pane_labels
from eval.comparison import Comparison
from eval.errors import USER_ERRORS, InputError
from eval.form import Forms
from eval.votes import StoreError, Votes
from eval.voting_view import CHOICES, EVERY, board, details, question, said

READ_THE_FORM = "(...given) => { given[2] = window.fourfold.said(); return given; }"
"""What was filled in is in the browser until a vote is cast."""


@dataclass(frozen=True)
class Voting:
    """The handlers, with what they work on. Every one of them can be called by anyone, so each checks its input."""

    votes: Votes
    forms: Forms

    def vote(self, button: str, comparison: Comparison | None, rater: str, filled_in: str, hold: bool) -> list[Any]:
        """Write the vote, and only then say which answer was whose, or wait with that where the rater wants to."""
        try:
            if comparison is None:
                raise InputError("There is nothing to vote on yet; ask a question first.")
            rater = rater if re.fullmatch(r"[0-9a-f]{32}", rater or "") else uuid4().hex
            vote = make_vote(comparison, read_said(str(button), str(filled_in or "")), rater, comparison.form)
            self.votes.append(vote)
            comparison.saved = vote
            if not hold:
                self._reveal(comparison)
        except (*USER_ERRORS, StoreError) as error:
            raise gr.Error(str(error), print_exception=False) from error
        return [rater, *(shown_after(comparison) if comparison.voted else shown_held(comparison))]

    def reveal(self, comparison: Comparison | None) -> list[Any]:
        """Say which answer was whose, once a vote is saved."""
        try:
            if comparison is None or comparison.saved is None:
                raise InputError("There is no vote to reveal the answers after; vote first.")
            self._reveal(comparison)
        except (*USER_ERRORS, StoreError) as error:
            raise gr.Error(str(error), print_exception=False) from error
        return shown_after(comparison)

    def undo(self, comparison: Comparison | None) -> list[Any]:
        """Take the saved vote back, as long as nothing is revealed."""
        try:
            if comparison is None or comparison.saved is None:
                raise InputError("There is no vote to take back; vote first.")
            vote = comparison.saved
            self.votes.undo(vote.comparison, vote.rater, vote.turn)
            comparison.saved = None
        except (*USER_ERRORS, StoreError) as error:
            raise gr.Error(str(error), print_exception=False) from error
        return [*[gr.skip()] * 4, f"Taken back. {question(comparison)}", "", *buttons_for(comparison)]

    def ask(self, comparison: Comparison) -> list[Any]:
        """The board and the forms for answers that are complete."""
        comparison.form = self.forms.current()
        ranks = comparison.mode == "ranking"
        return [board(comparison) if ranks else "", details(comparison, comparison.form.form)]

    def _reveal(self, comparison: Comparison) -> None:
        self.votes.reveal(comparison.id)
        comparison.voted = True


def shown_after(comparison: Comparison) -> list[Any]:
    """The panes with their variants, the status, the sources, and the buttons.

    In a campaign nothing is revealed: who knows how a variant writes rates the next prompt no longer blind.
    """
    if comparison.campaign:
        return [*[gr.skip()] * 4, "Vote saved. Show the next prompt.", "", *buttons_for(None)]
    words = said(comparison.saved) if comparison.saved else ""
    status = f"Vote saved: **{words}**. Ask the next question, or see the [results](/results)."
    return [*pane_updates(comparison, revealed=True), status, evidence(comparison), *buttons_for(None)]


def shown_held(comparison: Comparison) -> list[Any]:
    """The same while a saved vote can still be changed."""
    words = said(comparison.saved) if comparison.saved else ""
    status = f"Vote saved: **{words}**. Vote again to change it, take it back (u), or reveal the answers (r)."
    return [*[gr.skip()] * 4, status, "", *buttons_for(comparison)]


def pane_updates(comparison: Comparison, revealed: bool, **changes: Any) -> list[Any]:
    """Labels of the four panes, those without an answer hidden."""
    labels = pane_labels(comparison, revealed)
    hidden = [gr.update(visible=False, **changes)] * (4 - len(labels))
    return [*(gr.update(label=label, visible=True, **changes) for label in labels), *hidden]


def buttons_for(comparison: Comparison | None, asked: bool = True) -> list[Any]:
    """Every vote button, then reveal and undo: open for a comparison that can be voted on, all closed without one.

    Until it is `asked`, the buttons of its mode stand there closed.
    """
    if comparison is None:
        return [gr.update(interactive=False)] * len(EVERY) + [gr.update(visible=False)] * 2
    held = asked and comparison.saved is not None
    return [
        *(
            gr.update(interactive=asked, visible=choice.fits(comparison.mode, len(comparison.order)))
            for choice in EVERY
        ),
        *[gr.update(visible=held, interactive=held)] * 2,
    ]


@dataclass(frozen=True)
class Controls:
    """The components, in the order in which handlers give their updates."""

    board: gr.HTML
    details: gr.HTML
    buttons: list[gr.Button]
    """Of every choice, then reveal and undo."""
    filled_in: gr.Textbox
    hold: gr.Checkbox

    @property
    def asked(self) -> list[gr.components.Component]:
        """What a question changes."""
        return [self.board, self.details, *self.buttons]


def controls() -> Controls:
    """Lay the voting out."""
    ranking = gr.HTML("", elem_id="board")
    with gr.Accordion("Rate each answer (optional, sent with your vote)", open=False, elem_id="rate-each"):
        forms = gr.HTML("", elem_id="details")
    buttons = []
    for words, row in CHOICES.items():
        with gr.Row(elem_classes="votes"):
            gr.Markdown(words, elem_classes="row-head")
            for choice in row:
                visible = choice.fits("best", 4)
                button = gr.Button(
                    f"{choice.words} ({choice.key})", interactive=False, visible=visible, elem_id=choice.element
                )
                buttons.append(button)
    with gr.Row(elem_classes="votes"):
        reveal = gr.Button("Reveal (r)", visible=False, variant="primary", elem_id="reveal")
        undo = gr.Button("Take it back (u)", visible=False, elem_id="undo")
    hold = gr.Checkbox(
        False, label="Wait before the reveal", info="Votes can then be changed or taken back", elem_id="hold"
    )
    return Controls(ranking, forms, [*buttons, reveal, undo], gr.Textbox(visible=False), hold)


def on_vote(
    voting: Voting,
    parts: Controls,
    session: Sequence[gr.components.Component],
    shown: Sequence[gr.components.Component],
) -> None:
    """Wire the buttons. `session` is the comparison and the rater, `shown` the four panes, the status, the sources."""
    comparison, rater = session
    outputs = [*shown, *parts.buttons]
    status = shown[4]
    for choice, button in zip(EVERY, parts.buttons, strict=False):
        button.click(
            lambda *state, value=choice.value: voting.vote(value, *state),
            [comparison, rater, parts.filled_in, parts.hold],
            [rater, *outputs],
            js=READ_THE_FORM,
            show_progress_on=[status],
            concurrency_id="vote",
            api_visibility="private",
        )
    for button, handler in zip(parts.buttons[-2:], (voting.reveal, voting.undo), strict=True):
        button.click(
            handler, [comparison], outputs, show_progress_on=[status], concurrency_id="vote", api_visibility="private"
        )
