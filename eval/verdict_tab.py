"""The page that says fine-tune, retrieve, both or neither, and lets one train on the votes."""

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from eval.errors import USER_ERRORS, InputError
from eval.measure_tab import MeasurePage, measure_part
from eval.measuring import Measuring
from eval.votes import StoreError, Votes

if TYPE_CHECKING:
    from eval.advice import Advice

CSS = Path(__file__).with_name("verdict.css")
FROM_VOTES = "the votes alone"
LESSONS = {
    "Preferences (DPO): chosen against rejected": "dpo",
    "Feedback (KTO): good and bad answers": "kto",
    "Instructions (SFT): accepted and edited answers": "sft",
}
CLICK = "() => document.querySelector('#verdict-{}')?.click()"


def verdict_tab(
    home: Path, votes: Votes, adapters: Sequence[Path], enabled: bool = True, measuring: Measuring | None = None
) -> None:
    """Lay the page out inside the current page, with a part that measures where there is what to measure with.

    Unless `enabled`, visitors see the verdict, but nobody's questions and answers, and can start nothing.
    """
    folder = Path(tempfile.mkdtemp(prefix="fourfold-verdict-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    page = _Page(home, votes, adapters, folder, enabled)

    gr.Markdown("# Fine-tune, retrieve, or both?")
    with gr.Row(equal_height=True):
        margin = gr.Slider(
            1, 20, 5, step=1, label="Margin, in points", elem_id="margin", min_width=280,
            info="How much worse than the best the cheapest may be",
        )  # fmt: skip
        source = gr.Dropdown(
            page.sources(), value=FROM_VOTES, label="Evidence beside the votes", elem_id="evidence", min_width=280,
            info="A finished benchmark, of this page or of `python -m eval benchmark`",
        )  # fmt: skip
    body = gr.HTML(
        css_template=CSS.read_text(encoding="utf-8"), apply_default_css=False, js_on_load=None, elem_id="verdict"
    )
    gr.on([margin.release, source.input], page.show, [margin, source], body, api_visibility="private")
    gr.on(None, page.opened, [margin, source], [source, body], show_progress="hidden", api_visibility="private")
    if enabled:
        with gr.Row():
            for ending, words in (("html", "Download HTML"), ("md", "Download Markdown")):
                button = gr.Button(words, size="sm", scale=0, min_width=180)
                file = gr.DownloadButton(visible="hidden", elem_id=f"verdict-{ending}")
                kind = gr.State(ending)
                button.click(page.report, [margin, source, kind], file, api_visibility="private").success(
                    None, None, None, js=CLICK.format(ending), api_visibility="private"
                )
        if measuring:
            ended = measure_part(MeasurePage(measuring))
            ended.change(
                page.measured, [margin, ended], [source, body], show_progress="hidden", api_visibility="private"
            )
        _learn(page)


def _learn(page: "_Page") -> None:
    """The part that closes the loop: votes -> an adapter."""
    gr.Markdown("## Learn from these votes")
    with gr.Row(equal_height=True):
        kind = gr.Dropdown(
            list(LESSONS), value=next(iter(LESSONS)), label="What the votes teach", elem_id="lesson", min_width=280
        )
        name = gr.Textbox(
            label="Name of the new adapter", placeholder="preferred", max_lines=1, elem_id="lesson-name", min_width=280
        )
    said = gr.Markdown(elem_id="lesson-report")
    start = gr.Button("Tune on these votes", variant="primary", elem_id="tune-on-votes")
    gr.on([kind.input], page.lesson, kind, said, api_visibility="private")
    gr.on(None, page.lesson, kind, said, show_progress="hidden", api_visibility="private")
    start.click(page.tune, [kind, name], said, api_visibility="private")


class _Page:
    """What the page's handlers share."""

    def __init__(self, home: Path, votes: Votes, adapters: Sequence[Path], folder: Path, examples: bool) -> None:
        self._home, self._votes, self._adapters, self._folder = home, votes, adapters, folder
        self._examples = examples

    def sources(self) -> list[str]:
        """The benchmarks that are finished, the newest first."""
        results = sorted((self._home / "benchmarks").glob("*/result.json"), key=lambda path: -path.stat().st_mtime)
        return [FROM_VOTES, *(path.parent.name for path in results)]

    def opened(self, margin: float, source: str) -> tuple[object, str]:
        return gr.Dropdown(choices=self.sources()), self.show(margin, source)

    def measured(self, margin: float, name: str | None) -> tuple[object, object]:
        """The verdict by what was measured just now, if anything was."""
        if name not in self.sources():
            return gr.skip(), gr.skip()
        return gr.Dropdown(choices=self.sources(), value=name), self.show(margin, name)

    def show(self, margin: float, source: str) -> str:
        from eval.results import failure
        from eval.verdict_report import body

        try:
            return body(self._advice(margin, source))
        except (*USER_ERRORS, StoreError) as error:
            return failure(str(error))

    def report(self, margin: float, source: str, ending: str) -> str:
        from eval.files import write_bytes
        from eval.verdict_report import as_html, as_markdown

        try:
            advice = self._advice(margin, source)
            path = self._folder / f"fourfold-verdict.{ending}"
            text = as_html(advice) if ending == "html" else as_markdown(advice)
            write_bytes(path, text.encode("utf-8", "replace"))
        except (*USER_ERRORS, StoreError) as error:
            raise gr.Error(str(error), print_exception=False) from error
        return str(path)

    def lesson(self, kind: str) -> str:
        """What rows the votes make."""
        from eval.export import lessons

        try:
            _, report = lessons(self._votes.votes(), LESSONS[kind])
        except (*USER_ERRORS, StoreError) as error:
            return str(error)
        return "\n".join(f"- {line}" for line in report.in_words())

    def tune(self, kind: str, name: str) -> str:
        from eval.tuning_on_votes import tune

        try:
            if not name.strip():
                raise InputError("The adapter has no name; type one.")
            job = tune(self._votes.votes(), LESSONS[kind], name.strip(), self._home, self._adapters)
        except (*USER_ERRORS, StoreError) as error:
            raise gr.Error(str(error), print_exception=False) from error
        return (
            f"Run {job.id} is in the queue: the Tune page shows it. Once it is done, choose {job.name} on Compare, and"
            " vote for “The adapter or its parent” to see whether it is better than what you voted on."
        )

    def _advice(self, margin: float, source: str) -> "Advice":
        from eval.advice import Question, advise
        from eval.benchmark import read_result

        if source != FROM_VOTES and source not in self.sources():
            raise InputError("This benchmark is not there any more; choose another.")
        result = read_result(self._home / "benchmarks" / source) if source != FROM_VOTES else None
        advice = advise(self._votes.votes(), result, self._adapters, Question(margin=margin / 100))
        return advice if self._examples else replace(advice, examples=())
