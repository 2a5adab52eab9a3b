"""The Adapters page's handlers, called as anyone may call them, and what it shows, escaped."""

import asyncio
import contextlib
import json
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from tests.tuning.assessed import ANSWER, QUESTION, assessment
from tests.tuning.test_adapters import CARDS, write
from tuning import adapters_tab, keeping
from tuning.adapters import Adapter, list_adapters, save_adapter
from tuning.adapters_tab import AdaptersPage
from tuning.adapters_view import comparison_html, curves, head_html, label, tail_html
from tuning.assessment import ASSESSMENT
from tuning.commands import SAMPLES
from tuning.comparing import compare
from tuning.errands import Errands
from tuning.errors import InputError

FACTS = {"method": "lora", "train_rows": 80, "config": {"rank": 8}, "rows": {"file": "<i>r</i>.jsonl", "sha256": "1"}}


def make(home: Path, name: str, measured: bool = True, **card: Any) -> Adapter:
    adapter = save_adapter(home / "adapters", name, write, CARDS | FACTS | card)
    if measured:
        (adapter.path / ASSESSMENT).write_text(json.dumps(assessment(adapter)))
    return adapter


@pytest.fixture
def page(home: Path) -> AdaptersPage:
    return AdaptersPage(home, (home / "adapters", home / "models", SAMPLES), None, True)


def built(home: Path, enabled: bool) -> list[Any]:
    """The handlers of the page."""

    async def build() -> list[Any]:  # where no loop runs, gradio makes some and leaves them open
        with gr.Blocks(analytics_enabled=False) as demo:
            adapters_tab.adapters_tab(home, (home / "adapters",), None, enabled)
        return list(demo.fns.values())

    return asyncio.run(build())


def test_the_chosen_adapter_is_shown_and_nothing_is_sent_again_until_it_changes(page: AdaptersPage, home: Path) -> None:
    make(home, "mine", lineage=[{"name": "first", "digest": "1"}], created="2030-01-01")
    seen, choices, head, plot, tail, other = page.view(None)
    assert choices["value"] == "mine"
    assert [name for _, name in choices["choices"]] == ["mine", "samples"]
    assert "mine <b>keep</b>" in head
    assert "It helped: token F1 went from 20% to 30%" in head
    assert "Note: held-out rows: 12 of 40 are measured" in head
    assert "mine ← first ← tiny" in tail
    assert QUESTION in tail
    assert "I &lt;b&gt;cannot&lt;/b&gt; say." in tail
    assert "&lt;i&gt;r&lt;/i&gt;.jsonl" in tail
    assert not plot["visible"]
    assert other["choices"] == ["samples"]
    assert all(update == gr.skip() for update in page.view("mine", seen))
    (home / "adapters" / "mine" / ASSESSMENT).unlink()
    assert "mine <b>not measured</b>" in page.view("mine", seen)[2]
    _, _, head, plot, tail, _ = page.view("samples", seen)
    assert plot["visible"]
    assert set(plot["value"]["rows"]) == {"training", "validation"}
    assert "On rows that it never saw" in head
    assert "9 more" in tail


def test_the_page_goes_on_when_the_chosen_adapter_is_gone(page: AdaptersPage, home: Path) -> None:
    """Once, what followed a deletion sent the page's choice, which the clock had just taken from its options: gradio
    ended it in an error, "Value: 'mine' is not in the list of choices"."""
    make(home, "mine", created="2030-01-01")
    seen = page.look(None)[0]
    assert seen[0] == "mine"
    assert all(update == gr.skip() for update in page.look(seen))
    page.delete("mine", False)
    after, choices, *_ = page.look(seen)
    assert (after[0], choices["value"], len(choices["choices"])) == ("samples", "samples", 1)
    looks = [block_fn for block_fn in built(home, True) if block_fn.name == "look"]
    assert len(looks) == 3, "the clock, and what follows measuring and deleting"
    assert all(isinstance(block, gr.State) for look in looks for block in look.inputs)


def test_a_folder_that_is_no_adapter_is_told(page: AdaptersPage, home: Path) -> None:
    (home / "adapters" / "<b>torn").mkdir(parents=True)
    head = page.view(None)[2]
    assert "&lt;b&gt;torn is not whole, and not offered." in head
    assert "No adapters yet" in head_html(None, None)
    assert tail_html(None, None) == ""
    assert curves(None) == {"step": [], "loss": [], "rows": []}


def test_visitors_of_a_public_page_see_no_row_and_no_handler(home: Path) -> None:
    adapter = make(home, "mine")
    page = AdaptersPage(home, (home / "adapters",), None, False)
    tail = page.view(None)[4]
    assert QUESTION not in tail
    assert ANSWER not in tail
    assert label(adapter, None).startswith("mine: not measured (lora, ")

    def handlers(enabled: bool) -> set[str]:
        return {block_fn.name for block_fn in built(home, enabled) if block_fn.name}

    assert {"rename", "export", "push", "delete", "measure", "ask"} <= handlers(enabled=True)
    assert handlers(enabled=False) <= {"view", "look", "compare", "lambda", "<lambda>"}


@pytest.mark.parametrize("name", [None, "", "nothing", "../mine", 3, ["mine"], {"a": 1}])
def test_an_unknown_adapter_is_a_message_whatever_is_asked(page: AdaptersPage, home: Path, name: Any) -> None:
    make(home, "mine")
    for call in (
        lambda: next(page.measure(name)),
        lambda: page.compare("mine", name),
        lambda: page.rename(name, "other"),
        lambda: next(page.export(name, "PEFT adapter")),
        lambda: next(page.push(name, "me/mine", True, "PEFT adapter")),
        lambda: page.ask(name),
        lambda: page.delete(name, True),
    ):
        with pytest.raises(gr.Error, match="no adapter"):
            call()
    assert len(list_adapters(home / "adapters")) == 1


def test_rename_and_compare(page: AdaptersPage, home: Path) -> None:
    make(home, "mine"), make(home, "other", config={"rank": 16})
    shown = page.compare("mine", "other")
    assert "<td>8</td><td>16</td>" in shown
    assert "12 held-out rows from 12 sources, 12 with a short answer, shared." in shown
    assert page.rename("mine", " better ")["value"] == "better"
    for taken in ("other", "", None, "a/b"):
        with pytest.raises(gr.Error, match=r"exists already|cannot be a name"):
            page.rename("better", taken)
    assert {adapter.name for adapter in list_adapters(home / "adapters")} == {"better", "other"}


def test_words_of_a_comparison_are_escaped(home: Path) -> None:
    left, right = make(home, "left", measured=False, method="<b>x"), make(home, "right")
    shown = comparison_html(compare(left, right))
    assert "<b>x" not in shown
    assert "left was not measured" in shown


def test_deleting_asks_and_votes_must_be_told_apart(
    page: AdaptersPage, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(home, "mine")
    for module in (adapters_tab, keeping):
        monkeypatch.setattr(module, "votes_with", lambda digest, home, database: 2)
    asked, question, although, group = page.ask("mine")
    assert asked == "mine"
    assert "Delete **mine** (" in question
    assert (although["visible"], although["value"], group["visible"]) == (True, False, True)
    assert although["label"] == "Delete it although 2 votes refer to it"
    for not_ticked in (False, None, "yes", 1):
        with pytest.raises(gr.Error, match=r"2 votes refer to mine, .* say so a second time by the tick beside"):
            page.delete("mine", not_ticked)
    assert len(list_adapters(home / "adapters")) == 1
    assert page.delete("mine", True)[1] == "mine is deleted."
    assert list_adapters(home / "adapters") == []
    with pytest.raises(gr.Error, match="samples comes with the program and cannot be deleted"):
        page.delete("samples", True)


def test_an_archive_is_built_for_download(page: AdaptersPage, home: Path) -> None:
    make(home, "mine")
    *_, (words, archive) = page.export("mine", "PEFT adapter")
    assert words.startswith("mine is written: ")
    names = zipfile.ZipFile(archive).namelist()
    assert {"mine/README.md", "mine/adapter_model.safetensors", "mine/fourfold.json"} <= set(names)


def play(page: AdaptersPage, script: str) -> None:
    """Let this script do the page's errands."""
    object.__setattr__(page, "errands", Errands(page.home, (sys.executable, "-c", script)))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "print('Loading', file=sys.stderr); print('error: no room; make some', file=sys.stderr); sys.exit(2)",
            "no room",
        ),
        ("raise MemoryError('none left')", "MemoryError: none left"),
        ("sys.exit(3)", "it ended with status 3"),
    ],
)
def test_an_errand_that_fails_says_why_and_can_be_run_again(
    page: AdaptersPage, home: Path, script: str, message: str
) -> None:
    make(home, "mine")
    play(page, f"import sys; {script}")
    for _ in range(2):
        with pytest.raises(gr.Error, match=message):
            list(page.measure("mine"))


def test_what_is_asked_for_is_what_is_done(page: AdaptersPage, home: Path, tmp_path: Path) -> None:
    make(home, "mine")
    play(page, f"import os, sys; open({str(tmp_path / 'said')!r}, 'a').write(f'{{sys.argv[1:]}} {{os.environ}}\\n')")
    assert list(page.measure("mine"))[-1] == ""
    assert list(page.push("mine", " --help/me ", True, "Whole model"))[-1] == "mine is on the Hub as --help/me."
    measured, pushed = (tmp_path / "said").read_text().splitlines()
    assert measured.startswith("['assess', '--', 'mine'] ")
    assert f"'FOURFOLD_HOME': '{home}'" in measured
    assert pushed.startswith("['push', '--private', '--merge', '--', 'mine', '--help/me'] ")


@pytest.mark.parametrize("repo", [None, "", "nobody", "me/mine/too", "me/\0", "me/" + "x" * 200_000, ["me/mine"], 3])
def test_what_is_no_repository_starts_no_upload(page: AdaptersPage, home: Path, repo: Any) -> None:
    """A name of 200,000 characters once ended in an error of the system's, which no page words."""
    make(home, "mine")
    with pytest.raises(gr.Error, match="is no repository; name it owner/name") as raised:
        next(page.push("mine", repo, True, "PEFT adapter"))
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize("form", ["GGUF file", None, ["PEFT adapter"], "x" * 10_000])
def test_the_hub_is_given_what_was_chosen_or_nothing(page: AdaptersPage, home: Path, form: Any) -> None:
    """With a GGUF file chosen, the PEFT adapter was pushed without a word."""
    make(home, "mine")
    with pytest.raises(gr.Error, match="choose PEFT adapter or Whole model"):
        next(page.push("mine", "me/mine", True, form))


def test_the_same_errand_is_not_run_twice_at_a_time_and_goes_on_when_nobody_watches(home: Path, tmp_path: Path) -> None:
    go, done = tmp_path / "go", tmp_path / "done"
    script = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\nopen({str(done)!r}, 'w')"
    errands = Errands(home, (sys.executable, "-c", script))
    first = errands.run("list")
    next(first)
    with pytest.raises(InputError, match="list is under way already"):
        next(errands.run("list"))
    first.close()
    go.touch()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(InputError):
            list(errands.run("list"))
            break
    assert done.exists()
