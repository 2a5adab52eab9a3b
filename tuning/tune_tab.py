"""The page where one trains an adapter: the rows, the settings, the run while it goes on, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr

from tuning.adapters import Adapter, find_adapter, list_adapters
from tuning.config import TrainConfig
from tuning.errors import InputError
from tuning.estimating import foresee
from tuning.jobs import create_job, start_job
from tuning.recipe_tab import RowsPage, rows_part
from tuning.recipe_view import STYLE as ROWS_STYLE
from tuning.runs_tab import runs_tab, tell_place
from tuning.settings import FIELDS, FRESH, read_settings
from tuning.settings_tab import settings_form
from tuning.tune_view import STYLE, adapters_html, estimate_html

SETTINGS = 3 + len(FIELDS)
"""Values of `SettingsForm.inputs`."""


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

    def start(self, name: Any, *given: Any) -> None:
        """Put a run into the queue; it works in a process of its own. `given` are the settings, then the rows."""
        try:
            config, start = self._settings(given[:SETTINGS])
            with TemporaryDirectory() as folder:
                recipe = self.rows.recipe(given[SETTINGS:], Path(folder))
                job = create_job(self.home, recipe, str(name or "").strip(), config, self.base, start)
            start_job(job)
            tell_place(job)
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def foresee(self, *given: Any) -> str:
        """What the run would take, from timing a few real steps in a process of its own."""
        try:
            config, start = self._settings(given[:SETTINGS])
            with TemporaryDirectory() as folder:
                recipe = self.rows.recipe(given[SETTINGS:], Path(folder))
                return estimate_html(foresee(self.home, recipe, config, self.base, start))
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def adapter_names(self) -> list[str]:
        """The adapters that training can go on from."""
        return [adapter.name for adapter in list_adapters(*self.adapters)]

    def _settings(self, given: Sequence[Any]) -> tuple[TrainConfig, Adapter | None]:
        start, preset, method, *values = given
        config = read_settings(preset, method, values)
        return config, None if start in (None, "", FRESH) else find_adapter(str(start), *self.adapters)

    @cached_property
    def rows(self) -> RowsPage:
        """The handlers of the part where rows are chosen."""
        return RowsPage(lambda: self._tokenizer)

    @cached_property
    def _tokenizer(self) -> Any:
        """The base model's tokenizer without its weights: counting tokens must not wait for them."""
        from tuning.base import load_tokenizer

        return load_tokenizer(self.base, self.home)


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
            form = settings_form(page.adapter_names)
            with gr.Row():
                start = gr.Button("Start training", variant="primary", min_width=170)
                ask = gr.Button("How long will it take?", min_width=170)
            foreseen = gr.HTML(padding=False, min_height=0)
    rows.report(*map(form.value, ("max_length", "batch_size", "seed")))
    given = [*form.inputs, *rows.inputs]
    start.click(page.start, [name, *given], None, api_visibility="private")
    ask.click(page.foresee, given, foreseen, concurrency_limit=1, api_visibility="private")
    gr.on([start.click, *rows.changes], lambda: "", None, foreseen, queue=False, api_visibility="private")
