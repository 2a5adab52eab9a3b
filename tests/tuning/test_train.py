"""Training on a real, tiny model: it learns, keeps the best, stops when asked, and names what went wrong."""

import copy
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoTokenizer

from tuning import lora
from tuning.adapters import list_adapters
from tuning.answers import AnswersRun
from tuning.base import Base, load_base
from tuning.config import SCHEDULES
from tuning.dialogues import encode, load
from tuning.engine import Engine
from tuning.errors import InputError
from tuning.heldout import held_out
from tuning.loss import answer_loss, collate, collate_packed, mean_answer_loss
from tuning.pace import Estimate
from tuning.request import Request, Sampling
from tuning.train import Diverged, Stopped, TrainConfig, estimate, train

CONFIG = TrainConfig(rank=8, alpha=16, learning_rate=2e-2, epochs=30, max_length=128, precision="float32", patience=0)


@pytest.fixture(scope="module")
def base(tiny_base_path: Path) -> Base:
    model = AutoModelForCausalLM.from_pretrained(tiny_base_path).eval()
    return Base("tiny", "a test", model, AutoTokenizer.from_pretrained(tiny_base_path), "0" * 64)


def write_rows(path: Path, count: int, splits: tuple[str, ...] = ("train",)) -> Path:
    colours = ("red", "green", "blue", "yes", "no", "one", "two", "three")
    with path.open("w") as file:
        for number in range(count):
            row = {
                "prompt": f"What is answer {number}?",
                "response": colours[number % len(colours)],
                "split": splits[number % len(splits)],
            }
            file.write(json.dumps(row) + "\n")
    return path


def write_contrary_rows(path: Path) -> Path:
    """Rows whose validation answers contradict their training answers: training can only make validation worse."""
    with path.open("w") as file:
        for number in range(16):
            part, colour = ("train", "red green") if number % 2 else ("validation", "blue yes")
            row = {"prompt": f"What is answer {number}?", "response": colour, "split": part}
            file.write(json.dumps(row) + "\n")
    return path


def run(base: Base, folder: Path, config: TrainConfig = CONFIG, **options: Any) -> tuple[Any, list[dict[str, Any]]]:
    events: list[dict[str, Any]] = []
    folder.mkdir(exist_ok=True)
    count, splits = options.pop("rows", 4), options.pop("splits", ("train",))
    data = load(write_rows(folder / "rows.jsonl", count, splits), base.tokenizer, 128, config.seed)
    adapter = train(base, data, config, "mine", folder / "adapters", folder / "work", events.append, **options)
    return adapter, events


def test_a_few_rows_are_learnt_by_heart_and_the_base_stays_as_it_was(base: Base, tmp_path: Path) -> None:
    before = {name: weight.clone() for name, weight in base.model.state_dict().items()}
    adapter, events = run(base, tmp_path)
    assert all(torch.equal(weight, before[name]) for name, weight in base.model.state_dict().items())
    losses = [event["loss"] for event in events if event["event"] == "step"]
    assert len(losses) == 30
    assert losses[0] > 5  # a random model over 368 tokens knows no better than ln 368 = 5.9
    assert losses[-1] < 0.2
    tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base.model.name_or_path), str(adapter.path))
    question = [{"role": "user", "content": "What is answer 2?"}]
    ids = torch.tensor([encode(base.tokenizer, [*question, {"role": "assistant", "content": "blue"}]).input_ids])
    said = tuned(input_ids=ids).logits.argmax(-1)[0, :-1]
    answer = encode(base.tokenizer, [*question, {"role": "assistant", "content": "blue"}]).answer_tokens
    assert base.tokenizer.decode(said[-answer:]) == "blue<|im_end|>"


def test_the_loss_is_that_of_the_plain_formula(base: Base) -> None:
    """The output layer is skipped where no row has an answer: the value must be that of computing it everywhere."""
    texts = [("one", "two three"), ("What is the capital of France?", "Paris."), ("no", "yes")]
    examples = [
        encode(base.tokenizer, [{"role": "user", "content": q}, {"role": "assistant", "content": a}]) for q, a in texts
    ]
    batch = collate([vars(example) for example in examples], base.tokenizer.pad_token_id)
    total, tokens = answer_loss(base.model, batch, "float32")
    alone = 0.0
    for example in examples:
        logits = base.model(input_ids=torch.tensor([example.input_ids])).logits[0, :-1]
        alone += float(functional.cross_entropy(logits, torch.tensor(example.labels[1:]), reduction="sum").detach())
    assert int(tokens) == sum(example.answer_tokens for example in examples)
    assert float(total.detach()) == pytest.approx(alone, rel=1e-5)
    mean = mean_answer_loss(base.model, examples, collate_packed, 2, "float32")
    assert mean == pytest.approx(alone / int(tokens), rel=1e-5)


def test_the_loss_that_is_told_is_the_mean_over_all_answer_tokens(base: Base, tmp_path: Path) -> None:
    """Trainer divided by one token less than a packed batch has: it takes the first label for one to be shifted out."""
    adapter, events = run(base, tmp_path, replace(CONFIG, epochs=1), rows=4)
    told = next(event["loss"] for event in events if event["event"] == "step")
    rows = load(tmp_path / "rows.jsonl", base.tokenizer, 128, CONFIG.seed).splits.train
    examples = [encode(base.tokenizer, row.messages) for row in rows]
    assert told == pytest.approx(mean_answer_loss(base.model, examples, collate_packed, 8, "float32"), rel=1e-4)
    assert adapter.card["answer_tokens_per_second"] > 0


@pytest.mark.parametrize(("schedule", "epochs"), [("cosine", 30), ("averaged", 3)])
def test_the_best_checkpoint_is_what_is_kept(base: Base, tmp_path: Path, schedule: str, epochs: int) -> None:
    rows = write_contrary_rows(tmp_path / "contrary.jsonl")
    data = load(rows, base.tokenizer, 128, 0)
    config = replace(CONFIG, schedule=schedule, epochs=epochs)
    adapter = train(base, data, config, "mine", tmp_path / "adapters", tmp_path / "work")
    validations = dict(adapter.card["curves"]["validation"])
    best = min(loss for step, loss in validations.items() if step)
    assert validations[max(validations)] > best + 0.1
    assert adapter.card["validation_loss"] == best
    tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base.model.name_or_path), str(adapter.path))
    examples = [encode(base.tokenizer, row.messages) for row in data.splits.validation]
    kept = mean_answer_loss(tuned, examples, collate_packed, 8, "float32")
    assert kept == pytest.approx(best, rel=5e-3)  # stored in float16


def adapter_weights(folder: Path) -> dict[str, torch.Tensor]:
    return {name: weight.float() for name, weight in load_file(folder / "adapter_model.safetensors").items()}


def test_averaged_keeps_the_mean_of_the_later_steps(base: Base, tmp_path: Path) -> None:
    """Against a plain loop."""
    config = replace(CONFIG, schedule="averaged", learning_rate=3e-3, epochs=10, warmup=0.2)
    adapter, events = run(base, tmp_path, config)
    rates = [event["learning_rate"] for event in events if event["event"] == "step"]
    model = lora.attach(base, config, "float32")
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=3e-3, weight_decay=0.0)
    rows = load(tmp_path / "rows.jsonl", base.tokenizer, 128, 0).splits.train
    batch = collate_packed([vars(encode(base.tokenizer, row.messages)) for row in rows])
    went_through = []
    for step in range(10):
        optimizer.param_groups[0]["lr"] = 3e-3 * min(1, step / 2)
        loss, tokens = answer_loss(model, batch, "float32")
        (loss / tokens).backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        went_through.append({name: weight.clone() for name, weight in get_peft_model_state_dict(model).items()})
    kept = adapter_weights(adapter.path)
    assert rates[2:] == [3e-3] * 8
    assert kept.keys() == went_through[0].keys()
    for name, weight in kept.items():
        mean = torch.stack([weights[name] for weights in went_through[4:]]).mean(dim=0)
        assert torch.allclose(weight, mean, atol=2e-4, rtol=1e-3)
    assert any(not torch.allclose(kept[name], went_through[-1][name], atol=2e-3) for name in kept)


@pytest.mark.parametrize("splits", [("train",), ("train", "train", "train", "validation")])
def test_averaged_goes_on_after_a_stop_as_if_there_had_been_none(
    base: Base, tmp_path: Path, splits: tuple[str, ...]
) -> None:
    config = replace(CONFIG, schedule="averaged", learning_rate=3e-3, epochs=8, batch_size=4)
    calls: list[int] = []
    whole, _ = run(base, tmp_path / "whole", config, rows=16, splits=splits)
    stopped, _ = run(
        base, tmp_path / "cut", config, rows=16, splits=splits, stop=lambda: calls.append(1) or len(calls) > 19
    )
    assert stopped.card["ended"] == "stopped"
    going_on, events = run(base, tmp_path / "cut", config, rows=16, splits=splits)
    assert next(event["step"] for event in events if event["event"] == "resumed") == stopped.card["steps"]
    assert going_on.card["steps"] == whole.card["steps"]
    ours, theirs = adapter_weights(going_on.path), adapter_weights(whole.path)
    assert all(torch.equal(weight, theirs[name]) for name, weight in ours.items())


def test_early_stop_ends_when_validation_no_longer_improves(base: Base, tmp_path: Path) -> None:
    rows = write_contrary_rows(tmp_path / "contrary.jsonl")
    config = replace(CONFIG, patience=2, epochs=60)
    adapter = train(base, load(rows, base.tokenizer, 128, 0), config, "mine", tmp_path / "adapters", tmp_path / "work")
    assert adapter.card["ended"] == "no longer improving"
    assert adapter.card["steps"] < 40


def test_the_card_tells_all_and_the_checkpoints_are_gone(base: Base, tmp_path: Path) -> None:
    adapter, events = run(base, tmp_path, replace(CONFIG, epochs=2), rows=24, splits=("train", "validation", "test"))
    (listed,) = list_adapters(tmp_path / "adapters")
    card = listed.card
    assert listed == adapter
    assert card["base_digest"] == base.digest
    assert TrainConfig(**card["config"]) == replace(CONFIG, epochs=2)
    assert [len(card["rows"][part]) for part in ("train", "validation", "test")] == [8, 8, 8]
    assert [step for step, _ in card["curves"]["validation"]] == [0, 1, 2]
    assert card["test_loss"] < card["base_test_loss"]
    assert card["answer_tokens_per_second"] > 0
    assert not (tmp_path / "work" / "checkpoints").exists()
    start = events[0]
    assert start["event"] == "start"
    assert start["steps"] == sum(event["event"] == "step" for event in events) == 2
    weights = json.loads((adapter.path / "adapter_config.json").read_text())
    assert weights["base_model_name_or_path"] == "tiny"
    assert not list(adapter.path.glob("*.md"))
    assert [row.digest for row in held_out(adapter) or ()] == card["rows"]["test"]


def test_the_base_test_loss_is_that_of_the_base_without_any_adapter(base: Base, tmp_path: Path) -> None:
    adapter, _ = run(base, tmp_path, replace(CONFIG, epochs=1), rows=24, splits=("train", "validation", "test"))
    data = load(tmp_path / "rows.jsonl", base.tokenizer, 128, 0)
    examples = [encode(base.tokenizer, row.messages) for row in data.splits.test]
    plain = mean_answer_loss(base.model, examples, collate_packed, 8, "float32")
    assert adapter.card["base_test_loss"] == pytest.approx(plain, rel=1e-5)


def test_too_few_rows_are_trained_and_what_cannot_be_measured_is_said(base: Base, tmp_path: Path) -> None:
    rows = tmp_path / "few.jsonl"
    rows.write_text('{"prompt": "one", "response": "two"}\n{"prompt": "yes", "response": "no"}\n')
    events: list[dict[str, Any]] = []
    data = load(rows, base.tokenizer, 128, 0)
    adapter = train(base, data, replace(CONFIG, epochs=1), "mine", tmp_path / "a", tmp_path / "work", events.append)
    notes = " ".join(event["text"] for event in events if event["event"] == "note")
    assert "no early stop" in notes
    assert "cannot be measured" in notes
    assert adapter.card["test_loss"] is None
    assert adapter.card["validation_loss"] is None


def test_numbers_that_are_none_abort_with_their_name_and_leave_nothing(base: Base, tmp_path: Path) -> None:
    """With the Trainer's defaults, a loss that is not a number is logged as 0.0 and training goes on to the end."""
    with pytest.raises(Diverged, match=r"not a finite number after step \d+; lower the learning rate \(now 1e\+30\)"):
        run(base, tmp_path, replace(CONFIG, learning_rate=1e30))
    assert list_adapters(tmp_path / "adapters") == []


def test_training_goes_on_from_an_adapter_and_says_so(base: Base, tmp_path: Path) -> None:
    first, _ = run(base, tmp_path / "one")
    config = replace(CONFIG, rank=4, epochs=1)
    second, events = run(base, tmp_path / "two", config, start=first)
    third, _ = run(base, tmp_path / "three", config, start=second)
    losses = [event["loss"] for event in events if event["event"] == "step"]
    assert losses[0] < 0.2  # a fresh adapter begins above 5
    assert json.loads((second.path / "adapter_config.json").read_text())["r"] == 8
    assert [one["digest"] for one in third.card["lineage"]] == [second.digest, first.digest]
    assert first.card["lineage"] == []
    other = replace(base, digest="1" * 64)
    with pytest.raises(InputError, match="mine was trained on tiny, not on tiny; choose that base"):
        run(other, tmp_path / "four", start=first)


def test_every_weight_can_be_trained_and_the_folder_is_a_model(base: Base, tmp_path: Path) -> None:
    model, events = run(base, tmp_path, replace(CONFIG, method="full", learning_rate=5e-3))
    losses = [event["loss"] for event in events if event["event"] == "step"]
    assert losses[-1] < 0.5 < losses[0]
    assert model.is_model
    assert next(event for event in events if event["event"] == "start")["trained_parameters"] == sum(
        weight.numel() for weight in base.model.parameters()
    )
    tuned = load_base(str(model.path), tmp_path)
    engine = Engine(tuned)
    *_, (answer,) = engine.stream([Request([{"role": "user", "content": "What is answer 2?"}], None, Sampling())])
    assert answer.text == "blue"
    assert list_adapters(tmp_path / "adapters") == [model]
    assert tuned.digest != base.digest


@pytest.mark.parametrize(
    ("method", "rows", "message"),
    [
        (
            "dpo",
            '{"prompt": "a", "response": "b"}',
            "teaches answers, which dpo does not learn from; choose the method lora",
        ),
        ("lora", '{"prompt": "a", "chosen": "b", "rejected": "c"}', "teaches preferences, which lora does not"),
        ("lora", '{"prompt": "a", "completion": "b", "label": true}', "teaches feedback, .* choose the method kto"),
        (
            "kto",
            '{"prompt": "a", "completion": "b", "label": true}',
            "1 good and 0 bad rows to train on; kto needs both",
        ),
    ],
)
def test_rows_that_a_method_does_not_learn_from_are_refused(
    base: Base, tmp_path: Path, method: str, rows: str, message: str
) -> None:
    (tmp_path / "rows.jsonl").write_text(rows)
    data = load(tmp_path / "rows.jsonl", base.tokenizer, 128, 0)
    with pytest.raises(InputError, match=message):
        train(base, data, replace(CONFIG, method=method), "mine", tmp_path / "adapters", tmp_path / "work")


def judged_rows(method: str) -> str:
    """Rows that prefer red to blue, whatever is asked."""
    parts = ("train", "train", "train", "validation", "test")
    rows = []
    for number in range(80):
        row = {"prompt": f"What is answer {number}?", "split": parts[number % 5]}
        colour = ("red", "blue")[number // 5 % 2]
        judged = {"completion": colour, "label": colour == "red"}
        rows.append({**row, **({"chosen": "red", "rejected": "blue"} if method == "dpo" else judged)})
    return "\n".join(map(json.dumps, rows))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_preferences_are_learnt_and_survive_a_stop(base: Base, tmp_path: Path, method: str) -> None:
    (tmp_path / "rows.jsonl").write_text(judged_rows(method))
    data = load(tmp_path / "rows.jsonl", base.tokenizer, 128, 0)
    config = replace(CONFIG, method=method, epochs=6, learning_rate=1e-2, batch_size=8)
    calls: list[int] = []
    events: list[dict[str, Any]] = []

    def learn(stop: Any) -> Any:
        return train(base, data, config, "mine", tmp_path / "adapters", tmp_path / "work", events.append, stop)

    stopped = learn(lambda: calls.append(1) or len(calls) > 9)
    assert stopped.card["ended"] == "stopped"
    adapter = learn(lambda: False)
    resumed = next(event["step"] for event in events if event["event"] == "resumed")
    assert resumed == stopped.card["steps"]
    card = adapter.card
    assert card["test_loss"] < card["base_test_loss"]
    assert card["answer_tokens_per_second"] > 0
    engine = Engine(replace(base, model=copy.deepcopy(base.model)))
    engine.attach("mine", adapter.path)
    question = [{"role": "user", "content": "What is answer 3?"}]
    scores = {}
    for name in (None, "mine"):
        given = [Request(question, name, Sampling(), given=colour) for colour in ("red", "blue")]
        *_, answers = engine.stream(given)
        red, blue = (sum(answer.logprobs or ()) for answer in answers)
        scores[name] = red - blue
    assert scores["mine"] > scores[None]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_dpo_goes_on_from_an_adapter_and_leaves_no_copy_of_it(base: Base, tmp_path: Path, precision: str) -> None:
    """TRL keeps the adapter to compare with as a second one in the same model, which must not be saved.

    In bfloat16 it failed before its first step: the steps that are timed went without autocast.
    """
    first, _ = run(base, tmp_path, replace(CONFIG, epochs=2))
    (tmp_path / "judged.jsonl").write_text(judged_rows("dpo"))
    data = load(tmp_path / "judged.jsonl", base.tokenizer, 128, 0)
    config = replace(CONFIG, method="dpo", epochs=1, precision=precision)
    second = train(base, data, config, "second", tmp_path / "adapters", tmp_path / "work2", start=first)
    assert {path.name for path in second.path.iterdir() if path.is_dir()} == set()
    assert second.card["lineage"] == [{"name": "mine", "digest": first.digest}]
    assert second.card["base_test_loss"] > 0
    tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base.model.name_or_path), str(second.path))
    assert list(tuned.peft_config) == ["default"]


@pytest.mark.slow
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_sweep_takes_the_rate_that_validates_best_and_none_that_diverges(
    base: Base, tmp_path: Path, schedule: str
) -> None:
    config = replace(CONFIG, learning_rate=5e-3, epochs=12, sweep=True, seed=1, schedule=schedule)
    adapter, events = run(base, tmp_path, config, rows=24, splits=("train", "train", "validation"))
    tried = {event["learning_rate"]: event["loss"] for event in events if event["event"] == "sweep"}
    assert sorted(tried) == [0.002, 0.005, 0.01, 0.02]
    assert adapter.card["config"]["learning_rate"] == min(tried, key=tried.__getitem__)
    assert not (tmp_path / "work" / "sweep").exists()
    assert next(event["step"] for event in events if event["event"] == "step") == 1
    with pytest.raises(InputError, match="leaves no rows to validate with"):
        run(base, tmp_path / "few", config, rows=8)


@pytest.mark.parametrize("method", ["lora", "full", "dpo", "kto"])
def test_an_estimate_changes_nothing_and_grows_with_the_work(base: Base, tmp_path: Path, method: str) -> None:
    (tmp_path / "judged.jsonl").write_text(judged_rows(method))
    rows = tmp_path / "judged.jsonl" if method in ("dpo", "kto") else write_rows(tmp_path / "rows.jsonl", 40)
    data = load(rows, base.tokenizer, 128, 0)
    config = replace(CONFIG, method=method, batch_size=8, epochs=2, dropout=0.1 if method == "lora" else 0.0)
    before = {name: weight.clone() for name, weight in base.model.state_dict().items()}
    short, long = (estimate(base, data, replace(config, epochs=epochs)) for epochs in (2, 200))
    assert all(torch.equal(weight, before[name]) for name, weight in base.model.state_dict().items())
    assert 0 < short.step_seconds < short.seconds < long.seconds
    assert short.bytes > 0
    assert short.free_bytes > 0
    assert "GB of memory" in short.words()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_run_does_not_depend_on_having_been_timed(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schedule: str
) -> None:
    """Dropout draws random numbers, also in the steps that are only timed."""
    config = replace(CONFIG, epochs=2, dropout=0.2, schedule=schedule)
    timed, events = run(base, tmp_path / "timed", config, rows=24)
    assert [event["event"] for event in events if event["event"] != "note"][:2] == ["start", "estimate"]
    monkeypatch.setattr(AnswersRun, "estimate", lambda self: Estimate(1.0, 1.0, 1, 1))
    untimed, _ = run(base, tmp_path / "untimed", config, rows=24)
    assert timed.digest == untimed.digest


@pytest.mark.parametrize("method", ["rslora", "dora"])
def test_the_other_kinds_of_adapter_learn_and_are_answered_with(base: Base, tmp_path: Path, method: str) -> None:
    """The engine computes the low-rank product itself, so it must know each kind that can be trained."""
    adapter, events = run(base, tmp_path, replace(CONFIG, method=method))
    losses = [event["loss"] for event in events if event["event"] == "step"]
    assert losses[-1] < 0.5 < losses[0]
    engine = Engine(replace(base, model=copy.deepcopy(base.model)))
    engine.attach("mine", adapter.path)
    question = [{"role": "user", "content": "What is answer 2?"}]
    *_, (answer,) = engine.stream([Request(question, "mine", Sampling(max_tokens=8))])
    assert answer.text == "blue"


def test_stop_saves_the_best_so_far(base: Base, tmp_path: Path) -> None:
    calls: list[int] = []
    adapter, _ = run(
        base,
        tmp_path,
        replace(CONFIG, epochs=500),
        rows=24,
        splits=("train", "validation", "test"),
        stop=lambda: calls.append(1) or len(calls) > 4,
    )
    assert adapter.card["ended"] == "stopped"
    assert adapter.card["steps"] < 10
    assert math.isfinite(adapter.card["test_loss"])
    assert adapter.card["validation_loss"] == min(loss for step, loss in adapter.card["curves"]["validation"] if step)


def test_stop_in_the_first_step_saves_that_step(base: Base, tmp_path: Path) -> None:
    """A stop before the first regular validation has no best checkpoint yet to fall back on."""
    calls: list[int] = []
    parts = ("train", "train", "train", "validation")
    adapter, _ = run(
        base,
        tmp_path,
        replace(CONFIG, epochs=500, batch_size=4),
        rows=64,
        splits=parts,
        stop=lambda: calls.append(1) or len(calls) > 1,
    )
    assert adapter.card["steps"] == 1
    assert adapter.card["curves"]["validation"][-1] == [1, adapter.card["validation_loss"]]


def test_stop_before_the_first_step_saves_nothing(base: Base, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        run(base, tmp_path, stop=lambda: True)
    assert list_adapters(tmp_path / "adapters") == []


def test_a_taken_name_is_refused_before_any_work(base: Base, tmp_path: Path) -> None:
    first, _ = run(base, tmp_path, replace(CONFIG, epochs=1))
    with pytest.raises(InputError, match="'mine' exists already"):
        run(base, tmp_path, replace(CONFIG, epochs=2))
    assert list_adapters(tmp_path / "adapters") == [first]


def test_the_same_seed_gives_the_same_weights(base: Base, tmp_path: Path) -> None:
    config = replace(CONFIG, epochs=3, dropout=0.1)
    digests = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        adapter, _ = run(base, folder, config, rows=24)
        digests.append(adapter.digest)
    assert digests[0] == digests[1]


def test_bfloat16_learns_as_float32_does(base: Base, tmp_path: Path) -> None:
    _, events = run(base, tmp_path, replace(CONFIG, precision="bfloat16"))
    losses = [event["loss"] for event in events if event["event"] == "step"]
    assert losses[-1] < 1.0 < losses[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "ppo"},
        {"precision": "int4"},
        {"schedule": "linear"},
        {"rank": 0},
        {"learning_rate": -1.0},
        {"learning_rate": float("nan")},
        {"epochs": 0.0},
        {"batch_size": 0},
        {"warmup": 1.0},
        {"max_length": 2},
        {"seed": -1},
    ],
)
def test_a_config_out_of_range_names_field_value_and_range(wrong: dict[str, Any]) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(InputError, match=rf"{name} .*{value}.*choose"):
        TrainConfig(**wrong)
