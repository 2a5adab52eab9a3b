"""The settings of the Compare page: what answers are made with, and how they are voted on."""

from itertools import combinations
from typing import Any

import gradio as gr

from eval.setup import Setup
from eval.variants import IDS
from eval.vote import PARENT_PAIRS

MODES = [
    ("The best of four", "best"),
    ("All four in order", "ranking"),
    ("The better of two", "pair"),
    ("The adapter or its parent", "parent"),
    ("Open: names visible", "open"),
]

WIDTH = 240
"""Pixels of the narrowest control; in less, gradio cuts the words of a list and the ends of a slider."""


def settings() -> list[gr.components.Component]:
    """What the answers are made with, in the order that `read_settings` takes them."""
    with gr.Accordion("Settings", open=False), gr.Row():
        components: list[gr.components.Component] = [
            gr.Dropdown([], label="Adapter", info="Used by tuned and combined", min_width=WIDTH),
            gr.Dropdown([], label="Documents", info="Used by rag and combined", min_width=WIDTH),
            gr.Slider(1, 10, 3, step=1, label="Passages", info="How many the model reads", min_width=WIDTH),
            gr.Slider(0, 1.5, 0, step=0.1, label="Temperature", info="0: always the likeliest word", min_width=WIDTH),
            gr.Slider(16, 512, 128, step=16, label="Longest answer", info="In tokens", min_width=WIDTH),
            gr.Number(0, label="Seed", precision=0, info="Same seed, same answers", min_width=WIDTH),
            mode := gr.Dropdown(
                MODES,
                value="best",
                label="Vote for",
                info="Open votes and those on a parent count apart",
                min_width=WIDTH,
            ),
            pair := gr.Dropdown(
                pairs("pair"), value="", label="Which two", info="Where two are compared", min_width=WIDTH
            ),
            gr.Checkbox(
                True, label="Say when not in the documents", info="Where their floor is calibrated", min_width=WIDTH
            ),
            gr.Checkbox(
                False, label="Let the model reword follow-ups", info="For the search; else joined", min_width=WIDTH
            ),
        ]
    mode.change(
        lambda chosen: gr.update(choices=pairs(chosen), value=""),
        mode, pair, queue=False, show_progress="hidden", api_visibility="private",
    )  # fmt: skip
    return components


def pairs(mode: str) -> list[tuple[str, str]]:
    """Pairs of answers to choose from, as the page words them and as `read_settings` takes them."""
    if mode == "parent":
        words = ("Both without the documents", "Both with the documents")
        return [("With or without the documents, drawn", ""), *zip(words, map(",".join, PARENT_PAIRS), strict=True)]
    return [("Two at random", ""), *((f"{one} and {other}", f"{one},{other}") for one, other in combinations(IDS, 2))]


def read_settings(*values: Any) -> Setup:
    """The setup that the values of `settings` are. Anyone can send anything: raises ValueError or TypeError."""
    adapter, index, passages, temperature, max_tokens, seed, mode, pair, floor, rewrite = values
    return Setup(
        adapter=str(adapter or ""),
        index=str(index or ""),
        passages=int(passages),
        temperature=float(temperature),
        max_tokens=int(max_tokens),
        seed=int(seed or 0),
        mode=str(mode),
        pair=tuple(str(pair).split(",")) if pair else (),
        floor=bool(floor),
        rewrite=bool(rewrite),
    )
