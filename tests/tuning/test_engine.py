"""The engine's promise: a shared batch changes no answer, and a row without adapter is the untouched base."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import PeftModel
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    TopPLogitsWarper,
)

from tests.tiny import make_adapter
from tuning.base import Base
from tuning.dialogues import prompt_ids
from tuning.engine import Answer, Engine, Request, Sampling, choose, cut
from tuning.errors import InputError

QUESTIONS = ["What is the capital of France?", "Who keeps the lighthouse and its lamp?", "yes", "no red " * 20]


def ask(text: str, adapter: str | None = None, **sampling: float) -> Request:
    return Request([{"role": "user", "content": text}], adapter, Sampling(**{"max_tokens": 24, **sampling}))  # type: ignore[arg-type]


def final(engine: Engine, *requests: Request) -> list[Answer]:
    *_, last = engine.stream(list(requests))
    return last


def make_base(path: Path) -> Base:
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    model.train(False)
    return Base("tiny", "a folder", model, AutoTokenizer.from_pretrained(path), "0")


@pytest.fixture
def base(tiny_base_path: Path) -> Base:
    return make_base(tiny_base_path)


@pytest.fixture(scope="session")
def adapters(tiny_base_path: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("adapters")
    return {
        "a": make_adapter(tiny_base_path, folder / "a", seed=1),
        "b": make_adapter(tiny_base_path, folder / "b", seed=2, r=8, use_rslora=True),
        "attention": make_adapter(tiny_base_path, folder / "attention", seed=3, target_modules=["q_proj", "v_proj"]),
    }


@pytest.fixture
def engine(base: Base, adapters: dict[str, Path]) -> Engine:
    engine = Engine(base)
    for name, path in adapters.items():
        engine.attach(name, path)
    return engine


def greedy(model: PreTrainedModel | PeftModel, base: Base, question: str) -> str:
    """transformers' own generation, the oracle."""
    ids = torch.tensor([prompt_ids(base.tokenizer, [{"role": "user", "content": question}])])
    mask = torch.ones_like(ids)
    out = model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=24, do_sample=False)
    return str(base.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)).strip()


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_row_in_a_mixed_batch_equals_the_row_alone(engine: Engine, temperature: float) -> None:
    names = [None, "a", "b", "attention"]
    requests = [
        ask(text, name, temperature=temperature, seed=i)
        for i, (text, name) in enumerate((t, n) for t in QUESTIONS for n in names)
    ]
    together = [answer.text for answer in final(engine, *requests)]
    assert together == [final(engine, request)[0].text for request in requests]
    assert len(set(together)) > len(QUESTIONS), "the adapters change nothing, so the comparison proves nothing"


def test_a_row_without_adapter_equals_the_untouched_base(
    engine: Engine, tiny_base_path: Path, subtests: pytest.Subtests
) -> None:
    """A peer's "base" pane silently ran the adapter; a comparison with such a base measures nothing."""
    untouched = make_base(tiny_base_path)
    for question in QUESTIONS:
        with subtests.test(question):
            mixed = final(engine, ask(question, "a"), ask(question), ask(question, "b"))
            assert mixed[1].text == greedy(untouched.model, untouched, question)
            assert mixed[0].text != mixed[1].text


def test_logits_of_a_base_row_are_bit_equal_beside_adapters(engine: Engine, tiny_base_path: Path) -> None:
    untouched = make_base(tiny_base_path)
    ids = torch.randint(0, 300, (3, 12))
    engine._switchboard.assign([None, "a", None], engine._weight)
    with torch.inference_mode():
        mixed, plain = engine.base.model(ids).logits, untouched.model(ids).logits
    assert torch.equal(mixed[0], plain[0])
    assert torch.equal(mixed[2], plain[2])
    assert not torch.allclose(mixed[1], plain[1], atol=1e-3)


@pytest.mark.parametrize("name", ["a", "b", "attention"])
def test_a_tuned_row_equals_the_library_that_wrote_the_adapter(
    engine: Engine, adapters: dict[str, Path], tiny_base_path: Path, name: str
) -> None:
    untouched = make_base(tiny_base_path)
    oracle = PeftModel.from_pretrained(untouched.model, adapters[name])
    for question in QUESTIONS:
        assert final(engine, ask(question), ask(question, name))[1].text == greedy(oracle, untouched, question)


def family(kind: str, vocabulary: int) -> PreTrainedModel:
    torch.manual_seed(0)
    shape = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "head_dim": 8,
    }
    makers: dict[str, Callable[[], PreTrainedModel]] = {
        "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**shape)),
        "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**shape)),
        "gemma3": lambda: Gemma3ForCausalLM(Gemma3TextConfig(**shape, sliding_window=8)),
    }
    return makers[kind]()


@pytest.mark.parametrize("kind", ["qwen2", "qwen3", "gemma3"])
def test_other_families_keep_the_promise(kind: str, tiny_base_path: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_base_path)
    family(kind, len(tokenizer)).save_pretrained(tmp_path / kind)
    tokenizer.save_pretrained(tmp_path / kind)
    engine = Engine(make_base(tmp_path / kind))
    engine.attach("a", make_adapter(tmp_path / kind, tmp_path / "a"))
    requests = [ask(text, name) for text in QUESTIONS for name in (None, "a")]
    together = [answer.text for answer in final(engine, *requests)]
    assert together == [final(engine, request)[0].text for request in requests]


def test_text_only_grows_and_never_shows_half_a_character(engine: Engine) -> None:
    """Random weights over a byte-level vocabulary emit broken UTF-8 all the time."""
    request = ask("What?", temperature=1.5, seed=5, max_tokens=80)
    shown = ""
    for [answer] in engine.stream([request]):
        if not answer.finished:
            assert answer.text.startswith(shown)
            assert not answer.text.endswith("\ufffd")
            shown = answer.text
    assert answer.tokens <= 80


def test_a_finished_row_leaves_and_the_others_go_on(engine: Engine) -> None:
    steps = list(engine.stream([ask("yes", max_tokens=2), ask("no", "a", max_tokens=9, temperature=1, seed=3)]))
    assert [step[0].finished for step in steps][:3] == ["", "length", "length"]
    assert steps[-1][0] == steps[1][0]
    assert steps[-1][1].tokens > 2


def test_stop_ends_all_rows_and_frees_the_engine(engine: Engine) -> None:
    stop = threading.Event()
    stream = engine.stream([ask("yes", max_tokens=200, temperature=1), ask("no", max_tokens=200, temperature=1)], stop)
    next(stream)
    stop.set()
    *_, last = stream
    assert {answer.finished for answer in last} <= {"stopped", "end"}
    assert max(answer.tokens for answer in last) == 2
    assert final(engine, ask("yes"))[0].finished


def test_a_reader_that_goes_away_frees_the_engine(engine: Engine) -> None:
    stream = engine.stream([ask("yes", max_tokens=200, temperature=1)])
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert final(engine, ask("yes"))[0].finished


def test_an_adapter_can_be_replaced_and_dropped(engine: Engine, adapters: dict[str, Path]) -> None:
    before = final(engine, ask("What?", "a"))[0].text
    engine.attach("a", adapters["b"])
    assert final(engine, ask("What?", "a"))[0].text == final(engine, ask("What?", "b"))[0].text != before
    engine.detach("b")
    assert "b" not in engine.adapters
    with pytest.raises(InputError, match="b is not loaded"):
        final(engine, ask("What?", "b"))
    assert final(engine, ask("What?", "attention"))[0].finished


def test_what_cannot_be_used_is_refused_with_the_reason(engine: Engine, tiny_base_path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no readable adapter"):
        engine.attach("none", tmp_path)
    with pytest.raises(InputError, match="uses DoRA"):
        engine.attach("dora", make_adapter(tiny_base_path, tmp_path / "dora", use_dora=True))
    with pytest.raises(InputError, match="tokens, but tiny reads 512"):
        next(engine.stream([ask("word " * 3000)]))
    with pytest.raises(InputError, match="top_p"):
        Sampling(top_p=0)


def test_an_adapter_of_another_base_is_refused(engine: Engine, tiny_base_path: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_base_path)
    model = family("qwen2", len(tokenizer))
    model.config.hidden_size = 32
    model.save_pretrained(tmp_path / "other")
    tokenizer.save_pretrained(tmp_path / "other")
    with pytest.raises(InputError, match="trained on another base"):
        engine.attach("other", make_adapter(tmp_path / "other", tmp_path / "a"))
    assert "other" not in engine.adapters


@given(
    st.lists(st.floats(-8, 8), min_size=2, max_size=40),
    st.floats(0.05, 1),
    st.floats(0.2, 2),
    st.integers(0, 1000),
)
@settings(deadline=None, max_examples=60)
def test_a_draw_stays_inside_the_nucleus(scores: list[float], top_p: float, temperature: float, seed: int) -> None:
    logits = torch.tensor(scores)
    token = choose(logits, Sampling(temperature, top_p), torch.Generator().manual_seed(seed))
    kept = TopPLogitsWarper(top_p)(torch.zeros((1, 1), dtype=torch.long), (logits / temperature)[None])[0]
    boundary = torch.isclose(logits, logits[torch.isfinite(kept)].min(), atol=1e-3)
    assert torch.isfinite(kept[token]) or boundary[token]


def test_greedy_takes_the_likeliest() -> None:
    assert choose(torch.tensor([0.1, 3.0, -1.0]), replace(Sampling(), temperature=0.0), torch.Generator()) == 1


@pytest.mark.parametrize(
    ("text", "shown", "hit"),
    [("Yes.\nUser: more", "Yes.", True), ("Yes.\nUse", "Yes.", False), ("Yes.\nUseful", "Yes.\nUseful", False)],
)
def test_a_stop_string_never_leaks_half(text: str, shown: str, hit: bool) -> None:
    assert cut(text, ("\nUser:", "\nSystem:")) == (shown, hit)
