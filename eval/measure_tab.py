"""The part of the Verdict page that measures without people: questions with known answers, put to all four."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from eval import pace
from eval.errors import USER_ERRORS, InputError
from eval.measuring import Measured, Measuring

MOST = 500
SHOTS = 3
TABLES = [".jsonl", ".json", ".csv", ".tsv", ".parquet"]
IDLE = (
    "Nothing is being measured. A file has a question and its right answer in each row, as those for the Tune page;"
    " without one, the questions are the rows that were kept out of the adapter's training."
)


@dataclass(frozen=True)
class MeasurePage:
    """The handlers. Anyone can call them with anything, so each checks its input and speaks through gr.Error."""

    measuring: Measuring

    def opened(self, adapter: Any, index: Any) -> list[Any]:
        """What can be chosen now, and how far the benchmark is."""
        workbench = self.measuring.workbench
        adapters, indexes = [one.name for one in workbench.adapters()], workbench.index_names()
        return [_choice(adapters, adapter), _choice(indexes, index), *self.view()]

    def view(self) -> list[Any]:
        """What is said, the two buttons, and whether there is more to come."""
        now = self.measuring.now
        busy = now is not None and not now.finished
        stop = gr.Button(visible=busy, interactive=now is not None and not now.stopping)
        return [in_words(now), gr.Button(interactive=not busy), stop, gr.Timer(active=busy)]

    def tick(self) -> list[Any]:
        """How far it is, and the name of what has ended, None until then."""
        now = self.measuring.now
        return [*self.view(), now.name if now is not None and now.finished else None]

    def start(self, adapter: Any, index: Any, file: Any, most: Any, examples: Any) -> list[Any]:
        """Begin, and say how far it is."""
        from eval.benchmark import Plan

        try:
            if not adapter or not index:
                raise InputError("An adapter and an index are needed: train one, add documents, then choose them here.")
            plan = Plan(adapter=str(adapter), index=str(index), shots=(0, SHOTS) if examples else (0,))
            questions, drawn = (Path(path) if path else None for path in (file, examples))
            self.measuring.start(plan, questions, int(most), drawn)
        except USER_ERRORS as error:
            raise gr.Error(str(error), print_exception=False) from error
        return self.view()

    def stop(self) -> list[Any]:
        """Ask it to end."""
        self.measuring.stop()
        return self.view()


def measure_part(page: MeasurePage) -> gr.State:
    """Lay the part out. The name of what has ended while one watched comes into the state that is returned."""
    gr.Markdown("## Measure without people")
    with gr.Row(equal_height=True):
        adapter = gr.Dropdown([], label="Adapter", elem_id="measure-adapter", min_width=280)
        index = gr.Dropdown([], label="Documents", elem_id="measure-index", min_width=280)
    with gr.Row(equal_height=True):
        file, examples = (
            gr.File(label=label, file_types=TABLES, height=130, min_width=280)
            for label in ("Questions with answers", f"Rows for {SHOTS} examples (few-shot)")
        )
    most = gr.Slider(1, MOST, 120, step=1, label="Questions at most", elem_id="measure-most")
    said = gr.Markdown(IDLE, elem_id="measure-said")
    with gr.Row():
        begin = gr.Button("Measure", variant="primary", elem_id="measure", min_width=160)
        stop = gr.Button("Stop", visible=False, elem_id="stop-measuring", min_width=160)
    clock = gr.Timer(1.0, active=False)
    state, ended = [said, begin, stop, clock], gr.State(None)
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    gr.on(None, page.opened, [adapter, index], [adapter, index, *state], **quiet)
    begin.click(page.start, [adapter, index, file, most, examples], state, **quiet)
    stop.click(page.stop, None, state, **quiet)
    clock.tick(page.tick, None, [*state, ended], **quiet)
    return ended


def in_words(now: Measured | None) -> str:
    """How far a benchmark is."""
    if now is None:
        return IDLE
    if now.finished:
        return f"**{now.name}** {now.said}"
    if now.stopping:
        return f"**{now.name}** Stopping after the answers that are being written."
    if not now.answers:
        return f"**{now.name}** Getting ready: passages are searched, and the decoder, if need be, is compiled."
    return f"**{now.name}** {pace.in_words(now.done, now.answers, now.seconds_left)}"


def _choice(names: list[str], chosen: Any) -> Any:
    return gr.Dropdown(choices=names, value=chosen if chosen in names else next(iter(names), None))
