"""The page of what was trained: whether it helped, what it forgot, how it was made; and what one can do with it."""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from tuning.adapters import Adapter, find_adapter, list_adapters
from tuning.adapters_view import comparison_html, curves, head_html, label, size, tail_html
from tuning.assessment import read_assessment
from tuning.comparing import compare
from tuning.curves_tab import curves_plot, drawn
from tuning.errands import Errands
from tuning.errors import InputError
from tuning.keeping import delete, rename
from tuning.neighbours import votes_with
from tuning.repository import is_repository
from tuning.rowfiles import READERS

CSS = Path(__file__).with_name("adapters.css")
FORMS = {"PEFT adapter": (), "Whole model": ("--merge",), "GGUF file": ("--gguf",)}
"""How an adapter can be downloaded, and what `export` is told then."""
PUSHED = ("PEFT adapter", "Whole model")
"""Those of them that the Hub is given."""
CLICK_THE_FILE = "() => document.querySelector('#adapter-file')?.click()"
"""The archive is built when it is asked for; only then is there something to download."""


@dataclass(frozen=True)
class AdaptersPage:
    """The handlers. Anyone can call them with anything, so each checks its input and speaks through gr.Error."""

    home: Path
    shelves: tuple[Path, ...]
    database: str | None
    enabled: bool
    errands: Errands = field(init=False)
    scratch: Path = field(init=False)
    """Where archives lie until the app ends."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "errands", Errands(self.home))
        object.__setattr__(self, "scratch", Path(tempfile.mkdtemp(prefix="fourfold-adapters-")))
        atexit.register(shutil.rmtree, self.scratch, ignore_errors=True)

    def view(self, name: Any, seen: Any = None) -> list[Any]:
        """Everything that shows adapters, or no change where `seen` is still true."""
        notes: list[str] = []
        adapters = list_adapters(*self.shelves, note=notes.append)
        found = {adapter.name: read_assessment(adapter) for adapter in adapters}
        chosen = next((adapter for adapter in adapters if adapter.name == name), next(iter(adapters), None))
        name = chosen.name if chosen else None
        choices = [(label(adapter, found[adapter.name]), adapter.name) for adapter in adapters]
        measured = [one and one["created"] for one in found.values()]
        now = [name, choices, measured, [adapter.digest for adapter in adapters], notes]
        if now == seen:
            return [gr.skip() for _ in range(6)]
        mine = found[name] if name else None
        broken = [Path(note.split(" is not offered")[0]).name + " is not whole, and not offered." for note in notes]
        return [
            now,
            gr.update(choices=choices, value=name),
            head_html(chosen, mine, broken),
            drawn(curves(chosen)),
            tail_html(chosen, mine, samples=self.enabled),
            gr.update(choices=[one.name for one in adapters if one.name != name], value=None),
        ]

    def look(self, seen: Any) -> list[Any]:
        """The view of what the page shows already, brought up to date.

        It asks the page's memory and not its choice: an adapter that was chosen may be gone by now, and gradio itself
        ends what is sent a choice that is no option any more in an error.
        """
        return self.view(seen[0] if seen else None, seen)

    def measure(self, name: Any, own: Any = None) -> Iterator[str]:
        """Measure it again, by a process of its own, which goes on when the page is closed."""
        adapter = self._adapter(name)
        options = ["--general", str(own)] if own else []
        yield from self._errand("Measuring; this takes a minute or two", "assess", *options, "--", adapter.name)

    def compare(self, left: Any, right: Any) -> str:
        """Two adapters on the rows that both were measured on."""
        return comparison_html(compare(self._adapter(left), self._adapter(right)))

    def rename(self, name: Any, new: Any) -> Any:
        """Give it another name, and choose it by that."""
        adapter = self._adapter(name)
        try:
            renamed = rename(adapter, str(new or "").strip(), self.home)
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error
        names = [one.name for one in list_adapters(*self.shelves)]
        return gr.update(choices=names, value=renamed.name)

    def export(self, name: Any, form: Any) -> Iterator[tuple[str, Any]]:
        """Build an archive for download."""
        adapter = self._adapter(name)
        options = FORMS.get(str(form), ())
        folder = Path(tempfile.mkdtemp(dir=self.scratch)) / adapter.name
        for words in self._errand("Writing", "export", adapter.name, str(folder), *options):
            yield words, gr.skip()
        archive = shutil.make_archive(str(folder), "zip", folder.parent, folder.name)
        shutil.rmtree(folder)
        yield f"{adapter.name} is written: {size(Path(archive).stat().st_size)}.", archive

    def push(self, name: Any, repo: Any, private: Any, form: Any) -> Iterator[str]:
        """Upload it to the Hub with the host's token."""
        adapter, target = self._adapter(name), str(repo or "").strip()
        if not is_repository(target):
            raise gr.Error(f"{target[:100]!r} is no repository; name it owner/name.", print_exception=False)
        if form not in PUSHED:
            raise gr.Error(
                f"The Hub is given no {str(form)[:100]}; choose {' or '.join(PUSHED)}.", print_exception=False
            )
        options = [*["--private"] * bool(private), *FORMS[form]]
        yield from self._errand("Uploading", "push", *options, "--", adapter.name, target)
        yield f"{adapter.name} is on the Hub as {target}."

    def ask(self, name: Any) -> list[Any]:
        """Ask before deleting, and say what refers to it."""
        adapter = self._adapter(name)
        try:
            votes = votes_with(adapter.digest, self.home, self.database)
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error
        question = f"Delete **{adapter.name}** ({size(adapter.weight_bytes)}) for good?"
        refer = f"Delete it although {votes} {'vote refers' if votes == 1 else 'votes refer'} to it"
        box = gr.update(visible=votes > 0, value=False, label=refer)
        return [adapter.name, question, box, gr.update(visible=True)]

    def delete(self, name: Any, although: Any) -> list[Any]:
        """Delete after the question, and where votes refer to it only if that was ticked too."""
        adapter = self._adapter(name)
        try:
            delete(adapter, self.home, self.database, even_with_votes=although is True)
        except InputError as error:
            said = str(error).replace("with --even-with-votes", "by the tick beside the button")
            raise gr.Error(said, print_exception=False) from error
        return [gr.update(visible=False), f"{adapter.name} is deleted."]

    def _adapter(self, name: Any) -> Adapter:
        try:
            return find_adapter(str(name or ""), *self.shelves)
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def _errand(self, words: str, *arguments: str) -> Iterator[str]:
        try:
            for seconds in self.errands.run(*arguments):
                yield f"{words} ({seconds:.0f} s so far)"
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error
        yield ""


def adapters_tab(home: Path, shelves: tuple[Path, ...], database: str | None = None, enabled: bool = True) -> None:
    """Build the page inside a gradio page context.

    `shelves` are the folders in which adapters and models are looked for, `database` is the URL of the votes. Without
    `enabled` nothing can be changed or taken away, not even by calling the handlers, because there are none; and no
    row is shown.
    """
    page = AdaptersPage(home, shelves, database, enabled)
    gr.Markdown("# Adapters\nWhat was trained here: whether it helped, what it forgot, and how it was made.")
    seen = gr.State(None)
    chooser = gr.Radio(label="Adapters", choices=[], interactive=True, elem_id="adapters")
    head = _html("adapter-head")
    plot = curves_plot(height=260)
    tail = _html("adapter-tail")
    gr.Markdown("## Compare two")
    with gr.Row(equal_height=True):
        other = gr.Dropdown(label="With", choices=[], interactive=True, scale=3)
        both = gr.Button("Compare", scale=1, min_width=120)
    comparison = _html("adapter-comparison")
    shown = [seen, chooser, head, plot, tail, other]
    clock = gr.Timer(2)
    clock.tick(page.look, [seen], shown, queue=False, show_progress="hidden", api_visibility="private")
    chooser.input(page.view, [chooser], shown, queue=False, show_progress="hidden", api_visibility="private")
    both.click(page.compare, [chooser, other], comparison, api_visibility="private")
    chooser.change(lambda: "", None, comparison, show_progress="hidden", api_visibility="private")
    if enabled:
        _actions(page, chooser, seen, shown)
    else:
        gr.Markdown("*This is a public demo: to change or download adapters, run Fourfold on a machine of your own.*")


def _html(name: str) -> gr.HTML:
    css = CSS.read_text(encoding="utf-8")
    return gr.HTML(css_template=css, apply_default_css=False, js_on_load=None, elem_id=name, padding=False)


def _actions(page: AdaptersPage, chooser: gr.Radio, seen: gr.State, shown: list[Any]) -> None:
    """What one can do with the chosen adapter."""
    gr.Markdown("## Do something with it")
    status = gr.Markdown(elem_id="adapter-status")
    with gr.Row():
        measure = gr.Button("Measure again", min_width=170)
        remove = gr.Button("Delete", variant="stop", min_width=120)
    asked = gr.State(None)  # the choice may change between the question and its answer
    with gr.Group(visible=False) as confirmation:
        question = gr.Markdown(padding=True)
        although = gr.Checkbox(False, label="Delete it although votes refer to it", visible=False)
        with gr.Row():
            yes = gr.Button("Yes, delete it", variant="stop", min_width=150)
            no = gr.Button("Keep it", min_width=120)
    with gr.Row(equal_height=True):
        new = gr.Textbox(label="New name", max_length=64, min_width=200, scale=3)
        name = gr.Button("Rename", min_width=120, scale=1)
    with gr.Accordion("Rows of your own that it must not forget", open=False):
        gr.Markdown("Measured beside the program's general rows, and counted in the verdict: `prompt` and `response`.")
        own = gr.File(label="Table of rows", file_types=list(READERS))
    with gr.Accordion("Take it elsewhere", open=False):
        form = gr.Radio(list(FORMS), value="PEFT adapter", label="As")
        download = gr.Button("Download", min_width=150)
        file = gr.DownloadButton(visible="hidden", elem_id="adapter-file")
        repo = gr.Textbox(label="Repository on the Hugging Face Hub", placeholder="owner/name", max_length=200)
        private = gr.Checkbox(True, label="Private")
        upload = gr.Button("Push to the Hub", min_width=150)
    slow: dict[str, Any] = {"concurrency_id": "adapters", "concurrency_limit": 1, "api_visibility": "private"}
    measured = measure.click(page.measure, [chooser, own], status, **slow)
    renamed = gr.on([name.click, new.submit], page.rename, [chooser, new], chooser, api_visibility="private")
    renamed.success(lambda: "", None, new, show_progress="hidden", api_visibility="private")
    download.click(page.export, [chooser, form], [status, file], **slow).success(
        None, None, None, js=CLICK_THE_FILE, api_visibility="private"
    )
    upload.click(page.push, [chooser, repo, private, form], status, **slow)
    remove.click(page.ask, chooser, [asked, question, although, confirmation], api_visibility="private")
    no.click(lambda: gr.update(visible=False), None, confirmation, api_visibility="private")
    chooser.input(lambda: gr.update(visible=False), None, confirmation, api_visibility="private")
    deleted = yes.click(page.delete, [asked, although], [confirmation, status], api_visibility="private")
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    renamed.success(page.view, [chooser], shown, **quiet)
    for done in (measured, deleted):
        done.success(page.look, [seen], shown, **quiet)
