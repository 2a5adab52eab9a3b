"""The part of the Tune page where one chooses rows: which, how they are read and mixed; and the report on them."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from tuning.choosing import (
    CHOSEN,
    MOST_TABLES,
    OWN,
    READINGS,
    RECOGNISED,
    SOURCES,
    Offer,
    Slot,
    offer,
    paths_of,
    recipe_of,
    templates_of,
)
from tuning.config import TrainConfig
from tuning.errors import InputError
from tuning.recipe import Recipe
from tuning.recipe_view import report_html, trouble_html
from tuning.rowfiles import READERS

ROW_SHAPES = (
    "Rows are `prompt` and `response`, `messages`, Alpaca, ShareGPT, or `prompt`, `chosen` and `rejected`; `source`, "
    "`split` and `system` may stand beside them. Any other table is read by its columns or through a template."
)
SLOT_FIELDS = 7
"""Values of a slot, as `Slot.of` takes them."""
SHOWN_FIELDS = 3
"""Beside these, its frame, its title and the part that holds the templates are updated."""


@dataclass(frozen=True)
class RowsPage:
    """The handlers. Anyone can call them with anything, so each checks its input and speaks through gr.Error.

    `rows` are always the values of `RowsPart.inputs`: source, files, pasted text, Hub name, replay, and the slots'.
    """

    tokenizer: Callable[[], Any]

    def recipe(self, rows: tuple[Any, ...], folder: Path) -> Recipe:
        """The recipe that is chosen; what is not a file yet is written to `folder`. Raises InputError."""
        source, files, pasted, hub, replay, *values = rows
        slots = [Slot.of(values[at : at + SLOT_FIELDS]) for at in range(0, len(values), SLOT_FIELDS)]
        return recipe_of(paths_of(source, files, pasted, hub, folder), slots, replay)

    def inspect(self, max_length: Any, batch_size: Any, seed: Any, *rows: Any) -> str:
        """The report by row, before anything starts."""
        from tuning.dialogues import load
        from tuning.preview import first_batch

        try:
            config = TrainConfig(
                max_length=_whole(max_length, "max_length"),
                batch_size=_whole(batch_size, "batch_size"),
                seed=_whole(seed, "seed"),
            )
            with tempfile.TemporaryDirectory() as folder:
                recipe = self.recipe(rows, Path(folder))
                recipe.rows()  # what is wrong with a file is told before the tokenizer is looked for
                data = load(recipe, self.tokenizer(), config.max_length, config.seed)
            batch = first_batch(data, self.tokenizer(), config.batch_size, config.seed)
            return report_html(data, batch)
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def offers(self, source: Any, files: Any, pasted: Any) -> list[Any]:
        """Updates of all slots: one for each table, with its columns and how it would be read."""
        found: list[Offer] = []
        try:
            with tempfile.TemporaryDirectory() as folder:
                if source == SOURCES[3]:
                    found = [Offer("the data set")]
                elif source != SOURCES[0] and (files if source == SOURCES[1] else str(pasted or "").strip()):
                    found = [offer(path) for path in paths_of(source, files, pasted, None, Path(folder))]
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error
        updates: list[Any] = []
        for number in range(MOST_TABLES):
            updates += _shown(found[number], len(found) > 1) if number < len(found) else _hidden()
        return updates


@dataclass(frozen=True)
class RowsPart:
    """The components of the part."""

    page: RowsPage
    inputs: list[Any]
    """What a handler gets of rows: the values that `RowsPage.recipe` takes."""
    look: gr.Button
    changes: list[Any]
    """After these, the report is of other rows."""

    def report(self, max_length: Any, batch_size: Any, seed: Any) -> None:
        """Build the place of the report, for these settings, and show it when the button is clicked."""
        report = gr.HTML(padding=False)
        given = [max_length, batch_size, seed, *self.inputs]
        self.look.click(self.page.inspect, given, report, api_visibility="private")
        gr.on(self.changes, lambda: "", None, report, queue=False, api_visibility="private")


def rows_part(page: RowsPage) -> RowsPart:
    """Build the part inside a gradio page context; its report is built where there is room for it."""
    source = gr.Radio(SOURCES, value=SOURCES[0], label="Rows")
    files = gr.File(label="Tables", file_types=list(READERS), file_count="multiple", visible=False)
    pasted = gr.Textbox(
        label="Pasted rows", lines=6, max_lines=16, visible=False, placeholder='{"prompt": "...", "response": "..."}'
    )
    hub = gr.Textbox(label="Name on the Hub", placeholder="owner/name:train", visible=False, max_length=200)
    slots = [_slot() for _ in range(MOST_TABLES)]
    replay = gr.Slider(
        0, 0.9, value=0, step=0.05, label="General rows", info="Their share of the training, against forgetting"
    )
    gr.Markdown(ROW_SHAPES)
    look = gr.Button("Look at the rows")
    shown = [part for slot in slots for part in slot]
    source.input(
        lambda chosen: [gr.update(visible=chosen == name) for name in SOURCES[1:]],
        source,
        [files, pasted, hub],
        queue=False,
        api_visibility="private",
    )
    changes = [source.input, files.upload, files.clear, files.delete, pasted.change]
    # As soon as rows are pasted, not when the box is left: what appears then would push the button from under a click.
    gr.on(changes, page.offers, [source, files, pasted], shown, trigger_mode="always_last", api_visibility="private")
    fields = [part for slot in slots for part in slot[SHOWN_FIELDS:]]
    return RowsPart(page, [source, files, pasted, hub, replay, *fields], look, changes)


def _slot() -> list[Any]:
    """Frame, title, part with templates; then what `Slot.of` takes."""
    with gr.Group(visible=False) as frame:
        title = gr.HTML(padding=True)
        with gr.Row():
            reading = gr.Dropdown(list(READINGS), value=RECOGNISED, label="Read", min_width=260)
            columns = [
                gr.Dropdown([], label=label, visible=False, allow_custom_value=True, min_width=140)
                for label in ("Question", "Answer", "Source (optional)")
            ]
            weight = gr.Number(None, label="Weight", visible=False, min_width=110, info="empty: all its rows")
        with gr.Row(visible=False) as words:
            prompt = gr.Textbox(label="Prompt", lines=3, info="{{ name }} is the column of that name", min_width=220)
            response = gr.Textbox(label="Response", lines=3, min_width=220)
    reading.input(_reading, reading, [*columns, words, prompt, response], api_visibility="private")
    return [frame, title, words, reading, *columns, prompt, response, weight]


def _reading(reading: Any) -> list[Any]:
    """What is asked for, for a way to read the table."""
    texts = templates_of(str(reading))
    words = texts is not None or reading == OWN
    filled = [gr.update(value=text) for text in texts] if texts else [gr.skip(), gr.skip()]
    return [*(gr.update(visible=reading == CHOSEN) for _ in range(3)), gr.update(visible=words), *filled]


def _shown(offered: Offer, several: bool) -> list[Any]:
    slot = offered.slot
    names = (slot.question, slot.answer, slot.source)
    chosen = slot.reading == CHOSEN
    return [
        gr.update(visible=True),
        trouble_html(offered.name, offered.columns, offered.trouble),
        gr.update(visible=False),
        gr.update(value=slot.reading),
        *(gr.update(choices=list(offered.columns), value=name or None, visible=chosen) for name in names),
        gr.update(value=""),
        gr.update(value=""),
        gr.update(value=None, visible=several),
    ]


def _hidden() -> list[Any]:
    return [
        gr.update(visible=False),
        "",
        gr.update(visible=False),
        gr.update(value=RECOGNISED),
        *(gr.skip() for _ in range(6)),
    ]


def _whole(value: Any, name: str) -> int:
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name} is {value!r}; give a number") from error
