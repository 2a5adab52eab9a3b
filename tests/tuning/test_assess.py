"""An adapter measured against its base: the very figures of transformers and PEFT, whole on the disk or not there."""

import copy
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch.nn import functional

from tests.tiny import make_adapter
from tests.tuning.engines import greedy, make_base
from tuning.adapters import Adapter, open_adapter, save_adapter
from tuning.assess import Limits, Stopped, assess, assess_saved
from tuning.assessment import ASSESSMENT, in_words, read_assessment
from tuning.base import Base, load_base
from tuning.commands import SAMPLES
from tuning.dialogues import encode
from tuning.errors import InputError
from tuning.general import forgetting_rows
from tuning.heldout import TEST_ROWS, write_rows
from tuning.rows import Row

LIMITS = Limits(rows=40, tokens=8)


def make_row(question: str, answer: str, **others: Any) -> Row:
    turns = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    return Row(turns, f"line {len(question)}", **others)


HELD_OUT = [make_row(f"What is the capital of number {n}?", "red green", source=f"s{n % 9}") for n in range(18)]
GENERAL = [make_row(f"Who keeps lamp {n}?", "The keeper keeps the lighthouse and its lamp.") for n in range(9)]


@pytest.fixture
def fresh(tiny_base_path: Path, home: Path) -> Callable[[], Base]:
    """Bases that no engine has touched yet: each serves one assessment."""
    return lambda: load_base(str(tiny_base_path), home)


@pytest.fixture
def base(fresh: Callable[[], Base]) -> Base:
    return fresh()


def make(base: Base, tiny_base_path: Path, folder: Path, held: list[Row] | None = HELD_OUT, **card: Any) -> Adapter:
    def write(target: Path) -> None:
        make_adapter(tiny_base_path, target)
        if held is not None:
            write_rows(held, target / TEST_ROWS)

    return save_adapter(folder, "mine", write, {"base": base.name, "base_digest": base.digest, **card})


@torch.no_grad()
def mean_loss(model: Any, base: Base, rows: list[Row]) -> float:
    total, tokens = 0.0, 0
    for row in rows:
        example = encode(base.tokenizer, row.grounded)
        logits = model(input_ids=torch.tensor([example.input_ids])).logits[0, :-1].float()
        total += float(functional.cross_entropy(logits, torch.tensor(example.labels[1:]), reduction="sum"))
        tokens += example.answer_tokens
    return total / tokens


def test_loss_and_answers_are_those_of_transformers_and_peft(base: Base, tiny_base_path: Path, tmp_path: Path) -> None:
    adapter = make(base, tiny_base_path, tmp_path)
    untouched = make_base(tiny_base_path, base.dtype)
    told: list[dict[str, Any]] = []
    found = assess(base, adapter, GENERAL, told.append, limits=LIMITS)
    tuned = PeftModel.from_pretrained(copy.deepcopy(untouched.model), str(adapter.path)).eval()
    for kind, rows in (("held_out", HELD_OUT), ("general", GENERAL)):
        assert found[kind]["loss"]["base"] == pytest.approx(mean_loss(untouched.model, base, rows), rel=1e-2)
        assert found[kind]["loss"]["tuned"] == pytest.approx(mean_loss(tuned, base, rows), rel=1e-2)
    assert found["held_out"]["loss"]["base"] != found["held_out"]["loss"]["tuned"]
    if base.dtype == torch.float32:  # in halves, a tie may fall either way
        for sample in found["samples"]:
            assert greedy(untouched.model, base, sample["question"]).startswith(sample["base"].rstrip("\ufffd…"))
            assert greedy(tuned, base, sample["question"]).startswith(sample["tuned"].rstrip("\ufffd…"))
    assert (found["held_out"]["rows"], found["held_out"]["sources"]) == (18, 9)
    assert [event["done"] for event in told] == list(range(1, 28))
    assert read_assessment(adapter) == json.loads(json.dumps(found))
    assert found["verdict"]["verdict"] in in_words(found)[0]
    assert [path.name for path in adapter.path.glob(".*")] == []


def test_rows_that_it_learnt_from_are_not_measured_and_what_is_left_out_is_told(
    fresh: Callable[[], Base], tiny_base_path: Path, tmp_path: Path
) -> None:
    seen = {"rows": {"train": [HELD_OUT[0].digest], "earlier": [GENERAL[0].digest]}}
    long = make_row("no red " * 400, "yes")
    adapter = make(fresh(), tiny_base_path, tmp_path, [*HELD_OUT, long, make_row("yes?", "")], **seen)
    found = assess(fresh(), adapter, GENERAL, limits=Limits(rows=12, tokens=4))
    notes = "\n".join(found["notes"])
    assert "held-out rows: 1 left out, which it was trained on" in notes
    assert "held-out rows: 1 left out, which have no question or no answer" in notes
    assert "held-out rows: 12 of 18 are measured, drawn by their hash" in notes
    assert "general rows: 1 left out, which it was trained on" in notes
    measured = {row["digest"] for rows in found["rows"].values() for row in rows}
    assert not measured & {HELD_OUT[0].digest, GENERAL[0].digest}
    one = Adapter("mine", adapter.path, {**adapter.card, "rows": {}})
    write_rows([*HELD_OUT[:8], long], one.path / TEST_ROWS)
    found = assess(fresh(), one, GENERAL[:1], limits=LIMITS)
    assert found["held_out"]["rows"] == 8
    assert any("held-out rows, line 9: The question with its passages has" in note for note in found["notes"])


def test_an_adapter_without_test_rows_is_measured_on_general_ones(
    base: Base, tiny_base_path: Path, tmp_path: Path
) -> None:
    found = assess(base, make(base, tiny_base_path, tmp_path, None), GENERAL, own=GENERAL[:2], limits=LIMITS)
    assert found["held_out"]["rows"] == 0
    assert (found["general"]["rows"], found["own"]["rows"], found["both"]["rows"]) == (9, 2, 11)
    assert found["verdict"]["verdict"] == "not measured"
    assert "its test rows were not kept with it" in found["notes"][0]


def test_when_the_time_is_up_each_set_has_had_its_share(base: Base, tiny_base_path: Path, tmp_path: Path) -> None:
    adapter = make(base, tiny_base_path, tmp_path)
    found = assess(base, adapter, GENERAL, limits=Limits(rows=40, tokens=8, seconds=1e-9))
    assert found["held_out"]["rows"] == found["general"]["rows"] == 1
    assert "held-out rows: the time was up after 1 of 18" in found["notes"]


def test_judgements_are_measured_by_their_lead(base: Base, tiny_base_path: Path, tmp_path: Path) -> None:
    rows = [make_row(f"Which one, {n}?", "red green", rejected="blue") for n in range(9)]
    adapter = make(base, tiny_base_path, tmp_path, rows)
    found = assess(base, adapter, GENERAL, limits=LIMITS)
    assert found["held_out"]["margin"]["difference"]["rows"] == 9
    untouched = make_base(tiny_base_path, base.dtype).model
    example, other = (
        encode(base.tokenizer, make_row("Which one, 0?", text).messages) for text in ("red green", "blue")
    )
    lead = mean_loss(untouched, base, [make_row("Which one, 0?", "blue")]) * other.answer_tokens
    lead -= mean_loss(untouched, base, [rows[0]]) * example.answer_tokens
    (measured,) = [one for one in found["rows"]["held_out"] if one["digest"] == rows[0].digest]
    assert measured["base"]["margin"] == pytest.approx(lead, abs=0.1)


def test_a_model_of_its_own_is_measured_beside_its_base(
    base: Base, fresh: Callable[[], Base], tiny_base_path: Path, tmp_path: Path, home: Path
) -> None:
    adapter = make(base, tiny_base_path, tmp_path / "adapters")
    merged = PeftModel.from_pretrained(copy.deepcopy(base.model).float(), str(adapter.path)).merge_and_unload()

    def write(target: Path) -> None:
        merged.to(base.dtype).save_pretrained(target)
        base.tokenizer.save_pretrained(target)
        shutil.copyfile(adapter.path / TEST_ROWS, target / TEST_ROWS)

    whole = save_adapter(home / "models", "whole", write, {"base": base.name, "base_digest": base.digest})
    with pytest.raises(InputError, match="whole is a model of its own; load it"):
        assess(base, whole, GENERAL, limits=LIMITS)
    found = assess(base, whole, GENERAL, model=load_base(str(whole.path), home), limits=LIMITS)
    beside = assess(fresh(), adapter, GENERAL, limits=LIMITS)
    for side in ("base", "tuned"):
        assert found["held_out"]["loss"][side] == pytest.approx(beside["held_out"]["loss"][side], rel=2e-2)


def test_an_interrupted_assessment_leaves_what_was_there(
    fresh: Callable[[], Base], tiny_base_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = make(fresh(), tiny_base_path, tmp_path)
    before = sorted(path.name for path in adapter.path.iterdir())
    count = iter(range(100))
    with pytest.raises(Stopped, match="stopped after 5 of 27 rows; nothing of it was kept"):
        assess(fresh(), adapter, GENERAL, stop=lambda: next(count) >= 5, limits=LIMITS)
    assert sorted(path.name for path in adapter.path.iterdir()) == before
    found = assess(fresh(), adapter, GENERAL, limits=LIMITS)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match=r"assessment\.json could not be written \(No space left on device\)"):
        assess(fresh(), adapter, GENERAL, limits=LIMITS)
    monkeypatch.undo()
    assert read_assessment(adapter) == json.loads(json.dumps(found))


def test_another_base_or_other_weights_are_not_taken_for_it(base: Base, tiny_base_path: Path, tmp_path: Path) -> None:
    adapter = make(base, tiny_base_path, tmp_path)
    stranger = Adapter("mine", adapter.path, {**adapter.card, "base_digest": "1" * 64})
    with pytest.raises(InputError, match=r"mine was trained on .*; choose that with --base"):
        assess(base, stranger, GENERAL)
    assess(base, adapter, GENERAL[:1], limits=LIMITS)
    assert read_assessment(Adapter("mine", adapter.path, {**adapter.card, "weights_sha256": "2" * 64})) is None
    (adapter.path / ASSESSMENT).write_text('{"schema": 1, "adap')
    assert read_assessment(adapter) is None


def test_a_failing_assessment_costs_the_run_nothing(base: Base, tiny_base_path: Path, tmp_path: Path) -> None:
    adapter = make(base, tiny_base_path, tmp_path)
    (adapter.path / TEST_ROWS).write_text("{torn")
    told: list[dict[str, Any]] = []
    result = assess_saved(base, adapter, tmp_path, told.append, lambda: False)
    assert result["verdict"] == "not measured"
    assert "test.jsonl, line 1: not a row as training wrote it" in result["reasons"][0]
    assert "mine is saved, but was not measured" in told[-1]["text"]
    assert "`python -m tuning assess mine` measures it later" in told[-1]["text"]


KILLED = """
import sys
from pathlib import Path
from tests.tuning.test_assess import GENERAL, LIMITS
from tuning.adapters import open_adapter
from tuning.assess import assess
from tuning.base import load_base
print("ready", flush=True)
while True:
    base = load_base(sys.argv[1], Path(sys.argv[2]))
    assess(base, open_adapter(Path(sys.argv[3])), GENERAL, limits=LIMITS)
    print("done", flush=True)
"""


@pytest.mark.slow
def test_kill_9_at_any_moment_leaves_a_whole_assessment_or_none(
    base: Base, tiny_base_path: Path, tmp_path: Path, home: Path
) -> None:
    adapter = make(base, tiny_base_path, tmp_path)
    random = Random(4)
    for _ in range(6):
        command = [sys.executable, "-c", KILLED, str(tiny_base_path), str(home), str(adapter.path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        time.sleep(random.random() * 2)
        process.kill()
        told = process.stdout.read()
        process.wait()
        process.stdout.close()
        if "done" in told:
            assert read_assessment(adapter) is not None
        if (adapter.path / ASSESSMENT).exists():
            assert read_assessment(adapter) is not None
        assert open_adapter(adapter.path) == adapter


@pytest.mark.slow
def test_the_programs_own_adapter_is_measured_as_its_folder_says(
    real_base: Path, compiled_folder: Path, tmp_path: Path, home: Path
) -> None:
    """The default model and the tracked adapter: loss, answers and verdict once more."""
    adapter = open_adapter(shutil.copytree(SAMPLES / "samples", tmp_path / "samples"))
    kept = read_assessment(adapter)
    assert kept is not None
    (adapter.path / ASSESSMENT).unlink()
    base = load_base(str(real_base), home)
    found = assess(base, adapter, forgetting_rows(), compiled=compiled_folder)
    assert found["verdict"]["verdict"] == kept["verdict"]["verdict"] == "keep"
    for kind in ("held_out", "general"):
        for side in ("base", "tuned"):  # another precision, or another processor, rounds otherwise
            assert found[kind]["loss"][side] == pytest.approx(kept[kind]["loss"][side], rel=0.02)
            assert found[kind]["f1"][side] == pytest.approx(kept[kind]["f1"][side], abs=0.04)
