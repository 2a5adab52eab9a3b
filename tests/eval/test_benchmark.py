"""Questions, answers and result with a real tiny model, index and adapter; the numbers mean nothing, the path does."""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eval.__main__ import main
from eval.benchmark import ANSWERS, RESULT, Plan, Stopped, read_result, run
from eval.errors import InputError
from eval.metrics import METRICS
from eval.questions import fair_rows, given_passages, training_rows
from eval.variants import IDS
from eval.workbench import Workbench
from rag.floor import REFUSAL
from tests.conftest import REPO
from tests.eval.conftest import copy_adapter
from tuning.adapters import Adapter
from tuning.rows import Row

PLAN = Plan("samples", index="samples", count=1, max_tokens=6, timed=1)


def row(number: int, **changes: Any) -> Row:
    turns = (
        {"role": "user", "content": f"Who keeps lamp {number}?"},
        {"role": "assistant", "content": f"Keeper {number}."},
    )
    return Row(messages=turns, place=f"line {number}", source=f"s{number}", **{"task": "fact", **changes})


ROWS = [row(number) for number in range(4)]
TRAINING = [row(number) for number in range(10, 16)]


def adapter(*seen: Row, path: Path = Path("samples")) -> Adapter:
    return Adapter("samples", path, {"rows": {"train": [one.digest for one in seen]}})


def test_every_cell_answers_every_row(loaded: Workbench, home: Path) -> None:
    events: list[dict[str, Any]] = []
    result = run(loaded, ROWS, TRAINING, replace(PLAN, shots=(0, 1)), home / "b", events.append)
    assert list(result["variants"]) == [*IDS, *(f"{id}+1" for id in IDS)]
    assert all(set(found) == set(METRICS) for found in result["variants"].values())
    assert (result["rows"], events[-1]["done"]) == (4, events[-1]["answers"])
    assert result["variants"]["rag"]["seconds"]["rows"] == 1, "one question is answered as a user waits for it"
    assert result["variants"]["rag"]["prompt_tokens"]["value"] > result["variants"]["base"]["prompt_tokens"]["value"]
    assert result["variants"]["base+1"]["prompt_tokens"]["value"] > result["variants"]["base"]["prompt_tokens"]["value"]
    assert result["by_task"]["fact"]["rows"] == 4
    assert set(result["effects"]["f1"]) == {"tuning", "retrieval", "interaction"}
    assert json.loads((home / "b" / RESULT).read_text()) == result == read_result(home / "b")


def test_a_floor_that_no_question_is_below_needs_no_note(
    loaded: Workbench, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.floor.read_floor", lambda index: SimpleNamespace(value=-2.0))
    assert not any("floor" in note for note in run(loaded, ROWS[:1], [], PLAN, home / "b")["notes"])


def test_below_the_floor_variants_with_documents_refuse_as_in_the_app(
    loaded: Workbench, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.floor.read_floor", lambda index: SimpleNamespace(value=2.0))
    result = run(loaded, ROWS[:2], [], PLAN, home / "b")
    assert "2 of 2 questions are below the index's floor: rag and combined refuse them" in result["notes"]
    for figures in result["figures"]:
        assert figures["texts"]["rag"] == figures["texts"]["combined"] == REFUSAL != figures["texts"]["tuned"]
        assert figures["cells"]["rag"]["tokens"] == figures["cells"]["rag"]["prompt_tokens"] == 0
        assert figures["cells"]["rag"]["log_likelihood"] < 0, "what the row's own answer would have been worth"
    assert result["variants"]["combined"]["refused_wrongly"]["value"] == 1
    again = run(loaded, ROWS[:2], [], replace(PLAN, floor=False), home / "b")
    assert all(figures["texts"]["rag"] != REFUSAL for figures in again["figures"])


def test_the_figures_are_those_of_the_engine(loaded: Workbench, home: Path) -> None:
    """Each cell's text and likelihood are what the engine gives for the same request by itself."""
    from eval.questions import question, search
    from rag.prompt import ground
    from tuning.request import Request, Sampling

    result = run(loaded, ROWS[:2], [], PLAN, home / "b")
    figures = {one["digest"]: one for one in result["figures"]}
    hits = search(ROWS[1], loaded.index("samples"), 1).passages
    messages = ground([{"role": "user", "content": question(ROWS[1])}], hits)
    wanted = [
        Request(messages, "samples", Sampling(max_tokens=6)),
        Request(messages, "samples", given=ROWS[1].response),
    ]
    *_, (written, scored) = loaded.engine().stream(wanted)
    mine = figures[ROWS[1].digest]
    assert mine["texts"]["combined"] == written.text
    assert mine["cells"]["combined"]["log_likelihood"] == pytest.approx(sum(scored.logprobs) / scored.tokens, rel=1e-4)
    assert mine["passages"] == [hits[0].text]


def test_the_same_benchmark_again_computes_nothing(loaded: Workbench, home: Path) -> None:
    first = run(loaded, ROWS, [], PLAN, home / "b")
    lines = (home / "b" / ANSWERS).read_text().splitlines()
    again = run(loaded, ROWS, [], PLAN, home / "b")
    assert (home / "b" / ANSWERS).read_text().splitlines() == lines
    assert [one["texts"] for one in again["figures"]] == [one["texts"] for one in first["figures"]]
    run(loaded, ROWS, [], replace(PLAN, max_tokens=5), home / "b")
    assert len((home / "b" / ANSWERS).read_text().splitlines()) == len(lines) * 3 // 2, "likelihoods are the same"


def test_a_stopped_benchmark_keeps_its_answers_and_goes_on(loaded: Workbench, home: Path) -> None:
    stop = threading.Event()

    def stop_soon(event: dict[str, Any]) -> None:
        if event["done"] >= 5:
            stop.set()

    with pytest.raises(Stopped, match="the same command goes on"):
        run(loaded, ROWS, [], PLAN, home / "b", stop_soon, stop)
    kept = (home / "b" / ANSWERS).read_text().splitlines()
    assert len(kept) >= 5
    assert not (home / "b" / RESULT).exists()
    with pytest.raises(InputError, match="no finished benchmark 'b'"):
        read_result(home / "b")
    seen: list[int] = []
    run(loaded, ROWS, [], PLAN, home / "b", lambda event: seen.append(event["done"]))
    assert seen[0] == len(kept)


@pytest.mark.slow
def test_a_killed_benchmark_goes_on_where_it_was(samples: Path, tiny_base_path: Path, home: Path) -> None:
    script = (
        "import sys, time, pathlib, eval.workbench\n"
        f"eval.workbench.SAMPLES = pathlib.Path({str(samples)!r})\n"
        "from tests.eval.test_benchmark import PLAN, ROWS\nfrom eval.benchmark import run\n"
        f"bench = eval.workbench.Workbench(pathlib.Path({str(home)!r}), {str(tiny_base_path)!r})\n"
        "bench.load()\n"
        "def report(event):\n"
        "    print(event['done'], flush=True)\n"
        "    if event['done'] >= 7 and sys.argv[1] == 'hang': time.sleep(600)\n"
        f"run(bench, ROWS, [], PLAN, pathlib.Path({str(home)!r}) / 'b', report)\n"
    )
    command = [sys.executable, "-c", script]
    process = subprocess.Popen([*command, "hang"], cwd=REPO, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    for line in process.stdout:
        if int(line) >= 7:
            os.kill(process.pid, signal.SIGKILL)
            break
    process.wait()
    process.stdout.close()
    assert len((home / "b" / ANSWERS).read_text().splitlines()) == 7
    done = subprocess.run([*command, "go"], cwd=REPO, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "7"
    keys = [json.loads(line)["key"] for line in (home / "b" / ANSWERS).read_text().splitlines()]
    assert len(keys) == len(set(keys)) == 4 * 4 * 2
    assert read_result(home / "b")["rows"] == 4


def test_a_row_too_long_for_the_model_is_left_out_for_all(loaded: Workbench, home: Path) -> None:
    long = ({"role": "user", "content": "herring " * 600}, {"role": "assistant", "content": "Yes."})
    result = run(loaded, [*ROWS[:2], Row(messages=long, place="line 9")], [], PLAN, home / "b")
    assert result["rows"] == 2
    assert any(note.startswith("line 9 is left out") for note in result["notes"])


def test_passages_that_rows_bring_need_no_index(loaded: Workbench, home: Path) -> None:
    passages = ({"id": "a.md", "text": "Orla keeps lamp 1."}, {"id": "b.md", "text": "Herring."})
    plan = replace(PLAN, index=None, passages="given")
    result = run(loaded, [row(1, passages=passages)], [], plan, home / "b")
    assert sorted(result["figures"][0]["passages"]) == ["Herring.", "Orla keeps lamp 1."]
    assert result["index"] is None
    with pytest.raises(InputError, match=r"line 2: .* rag attach"):
        given_passages(row(2))
    with pytest.raises(InputError, match="--index"):
        Plan("samples")


def test_against_its_parent_both_sides_run_an_adapter(loaded: Workbench, samples: Path, home: Path) -> None:
    """An adapter against itself differs in nothing; against the bare base it did."""
    copy_adapter(samples, home, "child")
    plan = replace(PLAN, adapter="child", parent="samples")
    result = run(loaded, ROWS[:2], [], plan, home / "b")
    for one in result["figures"]:
        assert one["texts"]["base"] == one["texts"]["tuned"]
        assert one["cells"]["rag"]["log_likelihood"] == one["cells"]["combined"]["log_likelihood"]
    bare = run(loaded, ROWS[:2], [], PLAN, home / "b")
    assert [one["texts"]["tuned"] for one in bare["figures"]] == [one["texts"]["base"] for one in result["figures"]]
    assert bare["figures"][0]["texts"]["base"] != result["figures"][0]["texts"]["base"]
    assert result["parent"]["name"] == "samples"


def test_only_rows_that_it_never_saw_are_asked() -> None:
    rows = [*ROWS, ROWS[0], row(7, good=False)]
    asked, notes = fair_rows(rows, adapter(ROWS[1], ROWS[2]), 120)
    assert {one.digest for one in asked} == {ROWS[0].digest, ROWS[3].digest}
    assert any("2 left out, which samples was trained on" in note for note in notes)
    asked, notes = fair_rows(ROWS, adapter(ROWS[1]), 120, trained_too=True)
    assert len(asked) == 4
    assert any("1 of 4 rows were trained on" in note for note in notes)
    with pytest.raises(InputError, match="No rows are left"):
        fair_rows(ROWS, adapter(*ROWS), 120)
    assert len(fair_rows(ROWS, adapter(), 2)[0]) == 2


def test_of_rows_with_splits_the_test_rows_are_asked_and_the_training_rows_are_examples() -> None:
    rows = [replace(one, split=name) for one, name in zip(ROWS, ("train", "test", "validation", "train"), strict=True)]
    asked, _ = fair_rows(rows, adapter(), 120)
    assert [one.place for one in asked] == ["line 1"]
    assert [one.place for one in training_rows(rows, adapter(), asked)] == ["line 0", "line 3"]
    assert [one.place for one in training_rows(ROWS, adapter(ROWS[2]), ROWS[:1])] == ["line 2"]


@pytest.fixture
def command(samples: Path, tiny_base_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command over a tiny base, which is not worth compiling."""
    monkeypatch.setattr("eval.workbench.SAMPLES", samples)
    copy_adapter(samples, home, "mine")
    path = home / "rows.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"Lamp {n}?", "response": f"Lamp {n}."}) + "\n" for n in range(3)))
    return ["benchmark", str(path), "--base", str(tiny_base_path), "--adapter", "mine", "--max-tokens", "4"]


def test_the_command_prints_the_agreed_keys(command: list[str], home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--index", "samples", "--json", str(home / "out.json")]) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out.splitlines()[-1])
    assert {"rows", "variants", "effects"} <= set(result)
    assert {"value", "low", "high"} <= set(result["variants"]["base"]["f1"])
    assert {"value", "low", "high"} <= set(result["effects"]["chrf"]["interaction"])
    assert json.loads((home / "out.json").read_text())["variants"] == result["variants"]
    assert "was trained on tiny" in captured.err
    assert main([*command, "--index", "samples"]) == 0
    text = capsys.readouterr().out
    assert all(word in text for word in (*IDS, "ROUGE-L", "interaction", "3 rows from 3 sources"))


@pytest.mark.parametrize(("worth", "compiled"), [(1, True), (10_000, False)])
def test_the_decoder_is_ready_before_the_first_answer(
    command: list[str], monkeypatch: pytest.MonkeyPatch, worth: int, compiled: bool
) -> None:
    """It came in the midst of the answers once, and the same command, begun anew, gave others at near ties."""
    told: list[tuple[str, bool]] = []
    generate = Workbench.generate
    monkeypatch.setattr("eval.benchmark_commands.WORTH_COMPILING", worth)
    monkeypatch.setattr("tuning.warmup.WarmUp.run", lambda self, missing: told.append(("warm", missing)))
    monkeypatch.setattr(Workbench, "generate", lambda *given: told.append(("answer", True)) or generate(*given))
    assert main([*command, "--index", "samples"]) == 0
    assert told[0] == ("warm", compiled)
    assert {what for what, _ in told[1:]} == {"answer"}


@pytest.mark.parametrize(
    ("more", "remedy"),
    [
        (["--index", "nowhere"], "no index 'nowhere'"),
        ([], "--passages given"),
        (["--passages", "given"], "the row has no passages"),
        (["--index", "samples", "--shots", "40"], "from 0 to 32"),
        (["--index", "samples", "--shots", "3"], "--train"),
        (["--index", "samples", "--json", "rows.jsonl"], "does not end in .json"),
        (["--index", "samples", "--adapter", "other"], "no adapter 'other'"),
    ],
)
def test_a_mistake_of_a_benchmark_is_one_line(
    command: list[str], more: list[str], remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, *more]) == 2
    captured = capsys.readouterr()
    assert remedy in captured.err
    assert len(captured.err.splitlines()) == 1
    assert captured.out == ""
