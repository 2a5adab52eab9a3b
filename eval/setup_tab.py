"""The settings of the Compare page: what answers are made with, and how they are voted on."""

from itertools import combinations
from typing import Any

import gradio as gr

from eval.setup import Setup
from eval.variants import IDS

MODES = [
    ("The best of four", "best"),
    ("All four in order", "ranking"),
    ("The better of two", "pair"),
    ("Open: names visible", "open"),
]


def settings() -> list[gr.components.Component]:
    """What the answers are made with, in the order that `Compare.begin` takes them."""
    with gr.Accordion("Settings", open=False), gr.Row():
        return [
            gr.Dropdown([], label="Adapter", info="Used by tuned and combined"),
            gr.Dropdown([], label="Documents", info="Used by rag and combined"),
            gr.Slider(1, 10, 3, step=1, label="Passages", info="How many the model reads"),
            gr.Slider(0, 1.5, 0, step=0.1, label="Temperature", info="0: always the likeliest word"),
            gr.Slider(16, 512, 128, step=16, label="Longest answer", info="In tokens"),
            gr.Number(0, label="Seed", precision=0, info="Same seed, same answers"),
            gr.Dropdown(MODES, value="best", label="Vote for", info="Open votes are kept out of the results"),
            gr.Dropdown(pairs(), value="", label="Which two", info="Where two are compared"),
            gr.Checkbox(True, label="Say when not in the documents", info="Where their floor is calibrated"),
            gr.Checkbox(False, label="Let the model reword follow-ups", info="For the search; else joined"),
        ]


def pairs() -> list[tuple[str, str]]:
    """Pairs of variants to choose from, as a page words them and as `Compare.begin` takes them."""
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
