"""Checkpoints that are whole or not there, and training that goes on from them as if it had never been interrupted."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.tuning.test_train import write_contrary_rows, write_rows
from tuning import lora, saving
from tuning.adapters import Adapter, list_adapters
from tuning.base import Base
from tuning.checkpoints import MANIFEST, STATE, WRITING, at_step, keep, latest_whole, publish, state_of
from tuning.dialogues import load
from tuning.train import TrainConfig, train

CONFIG = TrainConfig(
    rank=4, alpha=8, dropout=0.1, learning_rate=2e-2, epochs=3, batch_size=4, max_length=128, precision="float32",
    patience=0,
)  # fmt: skip
"""18 steps over 24 training rows, validated and saved after every third."""


@pytest.fixture(scope="module")
def base(tiny_base_path: Path) -> Base:
    model = AutoModelForCausalLM.from_pretrained(tiny_base_path).eval()
    return Base("tiny", "a test", model, AutoTokenizer.from_pretrained(tiny_base_path), "0" * 64)


class Killed(BaseException):
    """What a kill does to the disk: nothing more is written."""


def checkpoint(folder: Path, step: int) -> Path:
    written = at_step(folder / WRITING, step)
    (written / "ref").mkdir(parents=True)
    (written / STATE).write_text(json.dumps({"global_step": step}))
    (written / "adapter_model.safetensors").write_bytes(bytes(range(200)))
    (written / "ref" / "optimizer.pt").write_bytes(bytes(99))
    return publish(written, folder)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"\x77")


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "a file cut short": lambda path: cut(path / "ref" / "optimizer.pt"),
    "a byte changed": lambda path: flip(path / "adapter_model.safetensors"),
    "a file gone": lambda path: (path / "adapter_model.safetensors").unlink(),
    "no state": lambda path: (path / STATE).unlink(),
    "no manifest": lambda path: (path / MANIFEST).unlink(),
    "half a manifest": lambda path: cut(path / MANIFEST) or cut(path / MANIFEST) or cut(path / MANIFEST),
    "an empty manifest": lambda path: (path / MANIFEST).write_text("{}"),
    "a manifest of another kind": lambda path: (path / MANIFEST).write_text("[1, 2]"),
    "another step's": lambda path: shutil.copytree(path.parent / "checkpoint-3", path, dirs_exist_ok=True),
    "nothing in it": lambda path: shutil.rmtree(path) or path.mkdir(),
    "a file of that name": lambda path: shutil.rmtree(path) or path.write_text("x"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_torn_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path, damage: str) -> None:
    checkpoint(tmp_path, 3)
    torn = checkpoint(tmp_path, 12)
    assert latest_whole(tmp_path) == torn
    DAMAGE[damage](torn)
    assert latest_whole(tmp_path) == at_step(tmp_path, 3)
    assert latest_whole(tmp_path, thorough=False) == (torn if damage == "a byte changed" else at_step(tmp_path, 3))


def test_what_is_being_written_is_no_checkpoint_and_numbers_are_no_words(tmp_path: Path) -> None:
    assert latest_whole(tmp_path / "none") is None
    shutil.copytree(checkpoint(tmp_path, 9), tmp_path / WRITING / "checkpoint-11")
    shutil.copytree(tmp_path / "checkpoint-9", tmp_path / "checkpoint-x")
    checkpoint(tmp_path, 10)
    assert latest_whole(tmp_path) == at_step(tmp_path, 10)
    keep(tmp_path, [9, 10])
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == [
        "checkpoint-10",
        "checkpoint-9",
        "checkpoint-x",
    ]
    keep(tmp_path, [9])
    assert latest_whole(tmp_path) == at_step(tmp_path, 9)


def test_a_torn_one_gives_way_to_the_same_step_saved_again(tmp_path: Path) -> None:
    DAMAGE["no state"](checkpoint(tmp_path, 3))
    assert latest_whole(tmp_path) is None
    again = checkpoint(tmp_path, 3)
    assert latest_whole(tmp_path) == again


class Attempts:
    """The same run, begun as often as it takes."""

    def __init__(self, base: Base, folder: Path, config: TrainConfig = CONFIG, contrary: bool = False) -> None:
        folder.mkdir(exist_ok=True)
        splits = ("train", "train", "validation", "test")
        rows = write_contrary_rows(folder / "rows.jsonl") if contrary else write_rows(folder / "rows.jsonl", 48, splits)
        self.base, self.folder, self.config = base, folder, config
        self.data = load(rows, base.tokenizer, 128, 0)
        self.events: list[dict[str, Any]] = []
        self.checkpoints = folder / "work" / "checkpoints"

    def go(self, dies: Callable[[dict[str, Any]], bool] = lambda event: False, **options: Any) -> Adapter:
        self.events = []

        def report(event: dict[str, Any]) -> None:
            self.events.append(event)
            if dies(event):
                raise Killed

        adapters, work = self.folder / "adapters", self.folder / "work"
        return train(self.base, self.data, self.config, "mine", adapters, work, report, **options)

    def steps(self) -> list[int]:
        return [event["step"] for event in self.events if event["event"] == "step"]


@pytest.fixture(scope="module")
def undisturbed(base: Base, tmp_path_factory: pytest.TempPathFactory) -> Adapter:
    return Attempts(base, tmp_path_factory.mktemp("undisturbed")).go()


@pytest.mark.parametrize(("dies", "resumes"), [(2, 0), (5, 3), (8, 6), (15, 12), (18, 15)])
def test_a_resumed_run_ends_in_the_very_same_weights(
    base: Base, tmp_path: Path, undisturbed: Adapter, dies: int, resumes: int
) -> None:
    """Within an epoch, at the border of two, before the first checkpoint: rows, optimizer, dropout are as they were."""
    runs = Attempts(base, tmp_path)
    with pytest.raises(Killed):
        runs.go(lambda event: event["event"] == "step" and event["step"] == dies)
    assert list_adapters(tmp_path / "adapters") == []
    adapter = runs.go()
    assert runs.steps() == list(range(resumes + 1, 19))
    assert [event["step"] for event in runs.events if event["event"] == "resumed"] == ([resumes] if resumes else [])
    assert adapter.digest == undisturbed.digest
    for same in ("curves", "test_loss", "base_test_loss", "validation_loss", "steps", "ended"):
        assert adapter.card[same] == undisturbed.card[same], same
    assert not runs.checkpoints.exists()


@pytest.mark.slow
def test_killed_at_every_step_it_still_arrives(
    base: Base, tmp_path: Path, undisturbed: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a checkpoint at each step, as the clock makes them where steps are long; the best is kept all the way."""
    monkeypatch.setattr(saving, "SAVE_SECONDS", 0.0)
    runs = Attempts(base, tmp_path)
    for step in range(2, 19):
        with pytest.raises(Killed):
            runs.go(lambda event, step=step: event["event"] == "step" and event["step"] == step)  # type: ignore[misc]
        assert runs.steps()[-1] == step
        assert len(runs.steps()) <= 2
    adapter = runs.go()
    assert (adapter.digest, adapter.card["curves"]) == (undisturbed.digest, undisturbed.card["curves"])
    assert adapter.card["answer_tokens_per_second"] > 0


def test_killed_after_its_last_step_it_takes_no_other(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An epoch and a half: the Trainer alone would take one step more, since its second epoch has not ended."""
    config = replace(CONFIG, epochs=1.5)
    whole = Attempts(base, tmp_path / "whole", config).go()
    runs = Attempts(base, tmp_path / "killed", config)

    def die(model: Any) -> bool:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(lora, "round_to_half", die)
        with pytest.raises(Killed):
            runs.go()
    adapter = runs.go()
    assert runs.steps() == []
    assert (adapter.digest, adapter.card["steps"]) == (whole.digest, 9)


def test_the_early_stop_goes_on_counting(base: Base, tmp_path: Path) -> None:
    config = replace(CONFIG, patience=3, epochs=60, dropout=0.0)
    whole = Attempts(base, tmp_path / "whole", config, contrary=True).go()
    assert whole.card["ended"] == "no longer improving"
    last = whole.card["steps"]
    runs = Attempts(base, tmp_path / "killed", config, contrary=True)
    for step in (last - 2, last):
        with pytest.raises(Killed):
            runs.go(lambda event, step=step: event["event"] == "step" and event["step"] == step)  # type: ignore[misc]
    adapter = runs.go()
    assert (adapter.digest, adapter.card["ended"]) == (whole.digest, whole.card["ended"])
    assert adapter.card["curves"] == whole.card["curves"]


def test_killed_once_the_early_stop_is_decided_it_does_not_go_on(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(CONFIG, patience=2, epochs=60, dropout=0.0)
    runs = Attempts(base, tmp_path, config, contrary=True)

    def die(model: Any) -> bool:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(lora, "round_to_half", die)
        with pytest.raises(Killed):
            runs.go()
    last = runs.steps()[-1]
    adapter = runs.go()
    assert runs.steps() == []
    assert (adapter.card["steps"], adapter.card["ended"]) == (last, "no longer improving")


def test_a_stopped_run_saves_an_adapter_and_goes_on_to_replace_it(
    base: Base, tmp_path: Path, undisturbed: Adapter
) -> None:
    runs = Attempts(base, tmp_path)
    stopped = runs.go(stop=lambda: bool(runs.events) and runs.events[-1].get("step") == 7)
    assert (stopped.card["ended"], stopped.card["steps"]) == ("stopped", 8)
    assert list_adapters(tmp_path / "adapters") == [stopped]
    newest = latest_whole(runs.checkpoints)
    assert newest == at_step(runs.checkpoints, 8)
    assert state_of(newest)["best_model_checkpoint"] == str(at_step(runs.checkpoints, 6))
    adapter = runs.go()
    assert runs.steps()[0] == 9
    assert adapter.digest == undisturbed.digest
    assert list_adapters(tmp_path / "adapters") == [adapter]
    assert not list((tmp_path / "adapters").glob(".*"))
    assert not runs.checkpoints.exists()


def test_a_moved_run_still_finds_its_best(base: Base, tmp_path: Path, undisturbed: Adapter) -> None:
    """The Trainer's state names the best checkpoint by an absolute path, which a moved or restored home breaks."""
    runs = Attempts(base, tmp_path / "before")
    with pytest.raises(Killed):
        runs.go(lambda event: event["event"] == "step" and event["step"] == 17)
    (tmp_path / "before").rename(tmp_path / "after")
    moved = Attempts(base, tmp_path / "after")
    assert moved.go().digest == undisturbed.digest
    assert moved.steps()[0] > 1


def test_a_run_that_is_done_stays_as_it_is(base: Base, tmp_path: Path) -> None:
    """A kill after the adapter was saved and before anybody was told."""
    runs = Attempts(base, tmp_path, replace(CONFIG, epochs=1))
    adapter = runs.go()
    assert runs.go() == adapter
    assert runs.events == []


def test_checkpoints_of_other_settings_are_not_gone_on_from(base: Base, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        Attempts(base, tmp_path).go(lambda event: event["event"] == "step" and event["step"] == 5)
    other = Attempts(base, tmp_path, replace(CONFIG, rank=2))
    other.go()
    assert other.steps()[0] == 1
