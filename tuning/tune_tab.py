"""The page where one trains an adapter: the rows, the settings, the run while it goes on, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr

from tuning.adapters import list_adapters
from tuning.config import PRESETS, TrainConfig
from tuning.errors import InputError
from tuning.jobs import create_job, start_job
from tuning.recipe_tab import RowsPage, rows_part
from tuning.recipe_view import STYLE as ROWS_STYLE
from tuning.runs_tab import runs_tab, tell_place
from tuning.tune_view import STYLE, adapters_html

PRESET_MEANING = "quick: a first look; balanced: the usual; thorough: more room and more passes"
EDITABLE = ("learning_rate", "epochs", "batch_size", "rank", "alpha", "max_length", "seed")
"""Hyperparameters that the page offers; the command line has them all."""


@dataclass(frozen=True)
class TunePage:
    """The handlers. Anyone can call them with anything, so each checks its input and speaks through gr.Error."""

    home: Path
    adapters: tuple[Path, ...]
    base: str | None

    def view(self, seen: Any = None) -> list[Any]:
        """The adapters, or no change where `seen` is still true."""
        notes: list[str] = []
        adapters = list_adapters(*self.adapters, note=notes.append)
        now = [[adapter.digest + adapter.name for adapter in adapters], notes]
        if now == seen:
            return [gr.skip(), gr.skip()]
        torn = [Path(note.split(" is not offered")[0]).name + " is not whole" for note in notes]
        return [now, adapters_html(adapters, torn)]

    def start(self, name: Any, preset: Any, *given: Any) -> None:
        """Put a run into the queue; it works in a process of its own. `given` are the values, then the rows'."""
        values, rows = given[: len(EDITABLE)], given[len(EDITABLE) :]
        try:
            types = {field.name: type(field.default) for field in fields(TrainConfig)}
            changes = {
                field: _number(value, field, types[field]) for field, value in zip(EDITABLE, values, strict=True)
            }
            config = TrainConfig.preset(str(preset), changes)
            with TemporaryDirectory() as folder:
                recipe = self.rows.recipe(rows, Path(folder))
                job = create_job(self.home, recipe, str(name or "").strip(), config, self.base)
            start_job(job)
            tell_place(job)
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error

    @cached_property
    def rows(self) -> RowsPage:
        """The handlers of the part where rows are chosen."""
        return RowsPage(lambda: self._tokenizer)

    @cached_property
    def _tokenizer(self) -> Any:
        """The base model's tokenizer without its weights: counting tokens must not wait for them."""
        from tuning.base import load_tokenizer

        return load_tokenizer(self.base, self.home)


def _number(value: Any, name: str, kind: type) -> Any:
    try:
        number = float(value)
        return int(number) if kind is int and number == int(number) else kind(number)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name} is {value!r}; give a number") from error


def tune_tab(home: Path, adapters: tuple[Path, ...], base_name: str | None, enabled: bool = True) -> None:
    """Build the page inside a gradio page context.

    `adapters` are the folders in which adapters are looked for. Runs go to `home`/jobs and are read back from there, so
    that a page loaded later, or a second one, shows the same. Without `enabled`, nothing can be started or stopped, not
    even by calling the handlers, because there are none.
    """
    page = TunePage(home, adapters, base_name)
    gr.HTML(STYLE + ROWS_STYLE, padding=False)
    gr.Markdown("# Tune\nFrom a file of examples to an adapter that answers as they do.")
    if enabled:
        _controls(page)
    else:
        gr.Markdown(
            "*This is a public demo, whose one processor belongs to its visitors' questions: to train an adapter, run "
            "Fourfold on a machine of your own.*"
        )
    runs_tab(home, enabled)
    gr.Markdown("## Adapters")
    seen, cards = gr.State(None), gr.HTML(padding=False)
    clock = gr.Timer(1)
    clock.tick(page.view, seen, [seen, cards], queue=False, show_progress="hidden", api_visibility="private")


def _controls(page: TunePage) -> None:
    """Rows, settings and the button that starts."""
    with gr.Row():
        with gr.Column(min_width=300):
            rows = rows_part(page.rows)
        with gr.Column(min_width=300):
            name = gr.Textbox(label="Name of the adapter", placeholder="my-adapter", max_length=64)
            preset = gr.Radio(list(PRESETS), value="balanced", label="Preset", info=PRESET_MEANING)
            values = _hyperparameters()
            start = gr.Button("Start training", variant="primary", min_width=170)
    rows.report(values[EDITABLE.index("max_length")], values[EDITABLE.index("batch_size")])
    preset.input(_preset_values, preset, values, api_visibility="private")
    start.click(page.start, [name, preset, *values, *rows.inputs], None, api_visibility="private")


def _hyperparameters() -> list[Any]:
    meanings, defaults = TrainConfig.meanings(), vars(PRESETS["balanced"])
    with gr.Accordion("Hyperparameters", open=False), gr.Row():
        return [
            gr.Number(defaults[field], label=field.replace("_", " "), info=meanings[field], min_width=220)
            for field in EDITABLE
        ]


def _preset_values(name: Any) -> list[Any]:
    preset: Mapping[str, Any] = vars(PRESETS.get(str(name), PRESETS["balanced"]))
    return [preset[field] for field in EDITABLE]
