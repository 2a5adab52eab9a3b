"""The part of the Compare page where a conversation goes on after the vote, from an answer that the user picks."""

from typing import Any

import gradio as gr

from eval.compare_view import LETTERS, harmless
from eval.comparison import Comparison
from eval.conversation import Conversation, follow
from eval.errors import USER_ERRORS

SHOWN = 600
"""Characters of an answer that is gone on from."""


def offered(comparison: Comparison | None) -> list[Any]:
    """The answers to go on from, the chosen one first, once they are revealed; nothing before."""
    if comparison is None or not comparison.voted:
        return [gr.update(choices=[], value=None, visible=False), gr.update(visible=False)]
    choices = [
        (f"{letter} · {role}", variant)
        for letter, (variant, role) in zip(LETTERS, comparison.roles.items(), strict=False)
        if comparison.answers[variant].text.strip()
    ]
    choice = comparison.saved.choice if comparison.saved else None
    chosen = choice if any(choice == variant for _, variant in choices) else None
    return [gr.update(choices=choices, value=chosen, visible=bool(choices)), gr.update(visible=bool(choices))]


def go_on(comparison: Comparison | None, variant: Any) -> list[Any]:
    """The conversation after the comparison, what the page says of it, and an empty box for the follow-up."""
    try:
        if comparison is None:
            raise gr.Error("There is no answer to go on from yet; ask a question first.", print_exception=False)
        if not variant:
            raise gr.Error("No answer is picked; pick the one to go on from.", print_exception=False)
        conversation = follow(comparison, str(variant))
    except USER_ERRORS as error:
        raise gr.Error(str(error), print_exception=False) from error
    return [conversation, going_on(conversation), "", gr.update(visible=True)]


def going_on(conversation: Conversation | None) -> str:
    """What all four answers are told of the conversation so far, as Markdown."""
    if conversation is None or not conversation.messages:
        return ""
    asked, answered = conversation.messages[-2:]
    said = answered["content"][:SHOWN] + ("…" if len(answered["content"]) > SHOWN else "")
    lines = [f"**Follow-up, turn {conversation.turn + 1}.** All four answers are told:", "", f"**{asked['content']}**"]
    return harmless("\n".join([*lines, "", *(f"> {line}" for line in said.splitlines())]))


def asked(comparison: Comparison) -> str:
    """The question above the panes, and what was searched for in its place, as Markdown."""
    question = f"**{harmless(comparison.question)}**"
    if comparison.searched.how == "alone":
        return question
    return f"{question}\n\nSearched for: *{harmless(comparison.searched.text)}* ({comparison.searched.how})"


def followup_part(
    question: gr.Textbox, comparison: gr.State, conversation: gr.State, words: gr.Markdown, revealed: gr.HTML
) -> None:
    """Lay the part out and wire it: it opens when `revealed` is filled after a vote."""
    with gr.Row(elem_classes="follow", equal_height=True):
        answer = gr.Radio([], label="Go on from", visible=False, elem_id="go-on-from", scale=3)
        more = gr.Button("Ask a follow-up", visible=False, elem_id="follow-up", scale=1, min_width=120)
        anew = gr.Button("Start anew", visible=False, elem_id="start-anew", scale=1, min_width=120)
    revealed.change(offered, comparison, [answer, more], show_progress="hidden", api_visibility="private")
    more.click(go_on, [comparison, answer], [conversation, words, question, anew], api_visibility="private").success(
        None, None, None, js="() => document.querySelector('#question textarea')?.focus()"
    )
    # The state is emptied as soon as the follow-up is asked, and then there is nothing to take back.
    conversation.change(
        lambda now: gr.update(visible=now is not None),
        conversation,
        anew,
        show_progress="hidden",
        api_visibility="private",
    )
    anew.click(
        lambda: [None, "", gr.update(visible=False)], None, [conversation, words, anew], api_visibility="private"
    )
