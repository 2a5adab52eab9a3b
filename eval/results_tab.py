"""The page that shows what the votes say so far."""

import atexit
import shutil
import tempfile
from pathlib import Path

import gradio as gr

from eval.errors import InputError
from eval.export import write
from eval.files import write_bytes
from eval.results import failure, report
from eval.votes import StoreError, Votes

CSS = Path(__file__).with_name("results.css")

CLICK_THE_FILE = "() => document.querySelector('#{}')?.click()"
"""A file is built when it is asked for; only then is there something to download."""
IS_DARK = "() => [document.body.classList.contains('dark')]"


def results_tab(votes: Votes, title: str = "What the votes say", exports: bool = True) -> None:
    """Lay the page out inside the current page. Without `exports` nobody can download questions and answers."""
    folder = Path(tempfile.mkdtemp(prefix="fourfold-export-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

    def show() -> str:
        try:
            return report(votes.ballots(), with_raters=exports)
        except StoreError as error:
            return failure(str(error))

    def build() -> str:
        path = folder / "fourfold-votes.json"
        try:
            write(votes.votes(), "json", path)
        except (InputError, StoreError) as error:
            raise gr.Error(str(error), print_exception=False) from error
        return str(path)

    def draw(dark: bool) -> str:
        from eval.findings import find
        from eval.plots import DARK, LIGHT, as_zip

        path = folder / "fourfold-charts.zip"
        try:
            figures = find(votes.ballots(), with_raters=exports).figures
            write_bytes(path, as_zip(figures, DARK if dark else LIGHT))
        except (InputError, StoreError) as error:
            raise gr.Error(str(error), print_exception=False) from error
        return str(path)

    gr.Markdown(f"# {title}")
    with gr.Row(elem_classes="results-actions"):
        refresh = gr.Button("Refresh", size="sm", scale=0, min_width=140, elem_id="refresh-results")
        charts = gr.Button("Save charts", size="sm", scale=0, min_width=140, elem_id="download-charts")
        dark = gr.Checkbox(visible=False)
        pictures = gr.DownloadButton(visible="hidden", elem_id="charts-file")
        charts.click(draw, dark, pictures, js=IS_DARK, api_visibility="private").success(
            None, None, None, js=CLICK_THE_FILE.format("charts-file"), api_visibility="private"
        )
        if exports:
            export = gr.Button("Download JSON", size="sm", scale=0, min_width=140, elem_id="download-votes")
            file = gr.DownloadButton(visible="hidden", elem_id="votes-file")
            export.click(build, None, file, api_visibility="private").success(
                None, None, None, js=CLICK_THE_FILE.format("votes-file"), api_visibility="private"
            )
    css = CSS.read_text(encoding="utf-8")
    page = gr.HTML(css_template=css, apply_default_css=False, js_on_load=None, elem_id="results")
    gr.on(None, show, None, page, show_progress="hidden", api_visibility="private")
    refresh.click(show, None, page, show_progress="hidden", api_visibility="private")
