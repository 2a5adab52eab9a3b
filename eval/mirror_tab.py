"""The line on the Results page that says whether the votes are also where the disk does not matter."""

import gradio as gr

from eval.mirror import Mirror, in_words

EVERY = 10.0
"""Seconds between two looks, which touch no network."""
NOT_LASTING = (
    "⚠️ Votes are kept on this Space's disk alone, which goes with the machine: set FOURFOLD_VOTES_REPO to owner/name of"
    " a private dataset repository."
)


def mirror_line(mirror: Mirror | None, lasting: bool = True) -> None:
    """Lay the line out inside the current page; nothing where the votes need no second place."""
    if mirror is None:
        if not lasting:
            gr.Markdown(NOT_LASTING, elem_id="mirror")
        return

    def show() -> str:
        status = mirror.status()
        return f"{'⚠️ ' if status.trouble else ''}{in_words(status)}"

    line = gr.Markdown(elem_id="mirror")
    gr.on(None, show, None, line, queue=False, show_progress="hidden", api_visibility="private")
    gr.Timer(EVERY).tick(show, None, line, queue=False, show_progress="hidden", api_visibility="private")
