"""The engine's promise: a shared batch changes no answer, and a row without adapter is the untouched base."""

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoTokenizer, DynamicCache

from tests.tiny import make_adapter
from tests.tuning.engines import FAMILIES, QUESTIONS, ask, final, greedy, make_base, make_family
from tuning.base import Base
from tuning.batch import Batch
from tuning.dialogues import IGNORED, encode, prompt_ids
from tuning.engine import Engine
from tuning.errors import InputError
from tuning.request import Answer, Busy, Request, Server

ADAPTERS: dict[str, dict[str, object]] = {
    "a": {},
    "b": {"r": 8, "use_rslora": True},
    "dora": {"use_dora": True},
    "attention": {"target_modules": ["q_proj", "v_proj"]},
}


@pytest.fixture
def base(tiny_base_path: Path) -> Base:
    return make_base(tiny_base_path)


@pytest.fixture(scope="session")
def adapters(tiny_base_path: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("adapters")
    return {
        name: make_adapter(tiny_base_path, folder / name, seed, **options)
        for seed, (name, options) in enumerate(ADAPTERS.items(), 1)
    }


@pytest.fixture
def engine(base: Base, adapters: dict[str, Path]) -> Iterator[Engine]:
    engine = Engine(base, pool_tokens=4096)
    for name, path in adapters.items():
        engine.attach(name, path)
    yield engine
    engine.close()


def wait_until(true: Any) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_row_in_a_mixed_batch_equals_the_row_alone(engine: Engine, temperature: float) -> None:
    names = [None, *ADAPTERS]
    requests = [
        ask(text, name, temperature=temperature, seed=i)
        for i, (text, name) in enumerate((t, n) for t in QUESTIONS for n in names)
    ]
    together = [answer.text for answer in final(engine, *requests)]
    assert together == [final(engine, request)[0].text for request in requests]
    assert len(set(together)) > len(QUESTIONS), "the adapters change nothing, so the comparison proves nothing"


def test_rows_that_join_later_change_nobodys_text(engine: Engine) -> None:
    """Continuous batching: each request starts at another moment, reads its prompt while others write, leaves alone."""
    requests = [ask(text, name, max_tokens=40) for text in QUESTIONS for name in (None, "a", "dora")]
    alone = [final(engine, request)[0].text for request in requests]
    texts: dict[int, str] = {}

    def run(number: int) -> None:
        time.sleep(0.01 * number)
        texts[number] = final(engine, requests[number])[0].text

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(requests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [texts[number] for number in range(len(requests))] == alone


def test_a_row_without_adapter_equals_the_untouched_base(
    engine: Engine, tiny_base_path: Path, subtests: pytest.Subtests
) -> None:
    """A peer's "base" pane silently ran the adapter; a comparison with such a base measures nothing."""
    untouched = make_base(tiny_base_path)
    for question in QUESTIONS:
        with subtests.test(question):
            mixed = final(engine, ask(question, "a"), ask(question), ask(question, "dora"))
            assert mixed[1].text == greedy(untouched.model, untouched, question)
            assert mixed[0].text != mixed[1].text


class Watched:
    """A step that keeps the logits that it gave."""

    def __init__(self, engine: Engine) -> None:
        self._step = engine._step
        self.seen: list[tuple[Batch, Tensor]] = []

    def __call__(self, batch: Batch) -> Tensor:
        logits = self._step(batch)
        self.seen.append((batch, logits.clone()))
        return logits


@pytest.mark.parametrize("kind", FAMILIES)
def test_adapter_off_logits_equal_the_untouched_models_bit_for_bit(
    kind: str, tiny_base_path: Path, tmp_path: Path
) -> None:
    """Prompt and every following token of a lone base row, with adapters resident and in use before."""
    path = make_family(kind, tiny_base_path, tmp_path / kind)
    engine = Engine(make_base(path), pool_tokens=1024)
    for name, options in ADAPTERS.items():
        engine.attach(name, make_adapter(path, tmp_path / name, **options))
    final(engine, ask("What?", "dora"), ask("yes", "a"))
    watched = engine._step = Watched(engine)  # type: ignore[assignment]
    [answer] = final(engine, ask("What is the capital of Italy?", max_tokens=12))
    untouched = make_base(path)
    cache = DynamicCache(config=untouched.model.config)
    with torch.inference_mode():
        for batch, logits in watched.seen:
            output = untouched.model(torch.tensor([batch.ids]), logits_to_keep=1, **cache_keyword(untouched, cache))
            assert torch.equal(logits[-1], output.logits[0, -1])
    assert answer.tokens == len(watched.seen)


def test_base_rows_beside_adapter_rows_are_bit_equal_to_rows_beside_none(engine: Engine) -> None:
    base_only = [ask(text) for text in QUESTIONS]
    watched = engine._step = Watched(engine)  # type: ignore[assignment]
    final(engine, *base_only)
    alone = watched.seen.copy()
    watched.seen.clear()
    engine._pages.forget()
    # The same number of rows, so that the products have the same shape; every second one is tuned.
    final(engine, *(replace(one, adapter="a" if number % 2 else None) for number, one in enumerate(base_only)))
    batch, logits = watched.seen[0]
    before, expected = alone[0]
    assert sorted(batch.ids) == sorted(before.ids)
    for slot, row, ids in zip(*read(batch, logits), strict=True):
        twin = next(r for _, r, i in zip(*read(before, expected), strict=True) if i == ids)
        assert torch.equal(row, twin) == (slot < 0)


def read(batch: Batch, logits: Tensor) -> tuple[list[int], list[Tensor], list[list[int]]]:
    """The slot, the logits and the tokens of each run."""
    runs = batch.runs
    return [batch.slots[start] for start, _ in runs], list(logits), [list(batch.ids[start:end]) for start, end in runs]


def cache_keyword(base: Base, cache: DynamicCache) -> dict[str, Any]:
    from tuning.attention import cache_argument

    return {cache_argument(base.model): cache}


@pytest.mark.parametrize("name", list(ADAPTERS))
def test_a_tuned_row_equals_the_library_that_wrote_the_adapter(
    engine: Engine, adapters: dict[str, Path], tiny_base_path: Path, name: str
) -> None:
    untouched = make_base(tiny_base_path)
    oracle = PeftModel.from_pretrained(untouched.model, adapters[name])
    merged = PeftModel.from_pretrained(make_base(tiny_base_path).model, adapters[name]).merge_and_unload()
    for question in QUESTIONS:
        ours = final(engine, ask(question), ask(question, name))[1].text
        assert ours == greedy(oracle, untouched, question)
        assert ours == greedy(merged, untouched, question)


@pytest.mark.parametrize("kind", FAMILIES)
def test_other_families_keep_the_promise(kind: str, tiny_base_path: Path, tmp_path: Path) -> None:
    path = make_family(kind, tiny_base_path, tmp_path / kind)
    engine = Engine(make_base(path), pool_tokens=4096)
    for name in ("a", "dora"):
        engine.attach(name, make_adapter(path, tmp_path / name, **ADAPTERS[name]))
    requests = [ask(text, name) for text in QUESTIONS for name in (None, "a", "dora")]
    together = [answer.text for answer in final(engine, *requests)]
    assert together == [final(engine, request)[0].text for request in requests]
    untouched = make_base(path)
    assert together[::3] == [greedy(untouched.model, untouched, text) for text in QUESTIONS]
    merged = PeftModel.from_pretrained(make_base(path).model, tmp_path / "a").merge_and_unload()
    assert together[1::3] == [greedy(merged, untouched, text) for text in QUESTIONS]


# ---- prefix reuse ----


def test_earlier_turns_are_not_computed_again(engine: Engine, tiny_base_path: Path) -> None:
    messages = [{"role": "user", "content": "Who keeps the lighthouse? " * 4}]
    for turn in range(4):
        request = Request(messages, "a", ask("").sampling)
        [answer] = final(engine, request)
        before = len(prompt_ids(engine.base.tokenizer, messages[:-2])) if turn else 0
        assert answer.reused >= before // 16 * 16 - 16
        assert (answer.reused > 0) == (turn > 0)
        plain = replace(request, adapter=None)
        assert final(engine, plain)[0].text == final(Engine(make_base(tiny_base_path), pool_tokens=1024), plain)[0].text
        messages = [*messages, {"role": "assistant", "content": answer.text}, {"role": "user", "content": "yes " * 20}]


def test_a_shared_system_prompt_is_computed_once_even_for_those_who_come_together(engine: Engine) -> None:
    system = {"role": "system", "content": "answer question " * 20}
    requests = [Request([system, {"role": "user", "content": text}]) for text in ("yes", "no", "red", "green")]
    watched = engine._step = Watched(engine)  # type: ignore[assignment]
    answers = final(engine, *requests)
    shared = len(prompt_ids(engine.base.tokenizer, [system]))
    assert [answer.reused > shared - 32 for answer in answers] == [False, True, True, True]
    read = sum(len(batch.ids) for batch, _ in watched.seen) - sum(answer.tokens for answer in answers)
    assert read < shared + 4 * 40


def test_what_one_adapter_computed_is_never_read_by_another(engine: Engine, adapters: dict[str, Path]) -> None:
    question = "Who keeps the lighthouse and its lamp? " * 3
    first = final(engine, ask(question, "a"))[0]
    for name in (None, "b"):
        assert final(engine, ask(question, name))[0].reused == 0
    engine.attach("a", adapters["b"])  # the same name, other weights
    replaced = final(engine, ask(question, "a"))[0]
    assert replaced.reused == 0
    assert replaced.text == final(engine, ask(question, "b"))[0].text != first.text


# ---- what a request may ask for ----


def test_log_probabilities_are_those_of_the_model(engine: Engine, tiny_base_path: Path) -> None:
    request = replace(ask("What is the capital of France?", temperature=1.0, top_k=20, seed=4), logprobs=True)
    [answer] = final(engine, request)
    untouched = make_base(tiny_base_path)
    ids = prompt_ids(untouched.tokenizer, request.messages)
    row = next(iter(engine_ids(engine, request)))
    with torch.inference_mode():
        expected = untouched.model(torch.tensor([row])).logits[0].log_softmax(-1)
    targets = torch.tensor(row[len(ids) :])
    picked = expected[len(ids) - 1 : -1].gather(1, targets[:, None])[:, 0]
    assert len(answer.logprobs) == answer.tokens == len(targets)
    assert torch.allclose(torch.tensor(answer.logprobs), picked, atol=1e-4)


def engine_ids(engine: Engine, request: Request) -> Iterator[list[int]]:
    """The tokens of a request's row, prompt and answer."""
    stream = engine.stream([request])
    next(stream)
    rows = list(engine._rows)
    for _ in stream:
        pass
    yield from (row.ids for row in rows)


@pytest.mark.parametrize("adapter", [None, "a"])
def test_a_given_answer_is_scored(
    engine: Engine, adapters: dict[str, Path], tiny_base_path: Path, adapter: str | None
) -> None:
    messages = [{"role": "user", "content": "Who keeps the lighthouse? " * 60}]
    given = "The keeper keeps the lighthouse and its lamp."
    [answer, _] = final(engine, Request(messages, adapter, given=given), ask("yes", "b"))
    model = make_base(tiny_base_path).model
    oracle = PeftModel.from_pretrained(model, adapters[adapter]) if adapter else model
    example = encode(engine.base.tokenizer, [*messages, {"role": "assistant", "content": given}])
    with torch.inference_mode():
        scores = oracle(torch.tensor([example.input_ids])).logits[0].log_softmax(-1)
    expected = [float(scores[i - 1, label]) for i, label in enumerate(example.labels) if label != IGNORED]
    assert answer.finished == "scored"
    assert answer.text == given
    assert answer.tokens == len(expected)
    assert answer.logprobs == pytest.approx(expected, abs=1e-3)
    again = final(engine, Request(messages, adapter, given=given))[0]
    assert again.reused > 0
    assert again.logprobs == pytest.approx(answer.logprobs, abs=1e-3)


def test_a_stop_string_ends_the_answer_before_it(engine: Engine) -> None:
    whole = final(engine, ask("What?", "a"))[0].text
    stop = whole[len(whole) // 2 :][:3]
    answer = final(engine, ask("What?", "a", stop=(stop,)))[0]
    assert answer.finished == "end"
    assert answer.text == whole[: whole.index(stop)].strip()


def test_a_deadline_ends_the_answer_as_it_stands(engine: Engine) -> None:
    slow = engine._step

    def step(batch: Batch) -> Tensor:
        time.sleep(0.05)
        return slow(batch)

    engine._step = step  # type: ignore[assignment]
    engine._ends = frozenset()
    hasty, patient = final(engine, replace(ask("yes", max_tokens=12), deadline=0.2), ask("no", max_tokens=12))
    assert hasty.finished == "deadline"
    assert 0 < hasty.tokens < 12
    assert patient.finished == "length"


def test_the_text_on_its_way_only_grows(engine: Engine) -> None:
    """Random weights over a byte-level vocabulary emit broken UTF-8 all the time."""
    request = ask("What?", temperature=1.5, seed=5, max_tokens=80)
    shown = ""
    for [answer] in engine.stream([request]):
        if not answer.finished:
            assert answer.text.startswith(shown)
            shown = answer.text
    assert answer.tokens <= 80


# ---- leaving ----


def test_a_finished_row_leaves_and_the_others_go_on(engine: Engine) -> None:
    short, long = final(engine, ask("yes", max_tokens=2), ask("no", "a", max_tokens=9, temperature=1, seed=3))
    assert (short.tokens, short.finished) == (2, "length")
    assert long.tokens > 2
    assert long.seconds > short.seconds


@pytest.mark.parametrize("way", ["stop", "close"])
def test_who_goes_away_frees_the_row_at_once(engine: Engine, way: str) -> None:
    engine._ends = frozenset()
    stop = threading.Event()
    stream = engine.stream([ask("yes", max_tokens=400), ask("no", "a", max_tokens=400)], stop)
    next(stream)
    assert len(engine._rows) == 2
    if way == "stop":
        stop.set()
        *_, last = stream
        assert {answer.finished for answer in last} == {"stopped"}
        assert max(answer.tokens for answer in last) < 400
    else:
        stream.close()  # type: ignore[attr-defined]
    wait_until(lambda: not engine._rows)
    assert engine._pages.available == engine._pages.count
    assert final(engine, ask("yes"))[0].finished


def test_every_page_comes_back(engine: Engine) -> None:
    for number in range(20):
        final(engine, *(ask(f"{text} {number}", name) for text in QUESTIONS for name in (None, "a")))
    assert engine._pages.available == engine._pages.count


# ---- adapters ----


def test_an_adapter_can_be_replaced_and_dropped(engine: Engine, adapters: dict[str, Path]) -> None:
    before = final(engine, ask("What?", "a"))[0].text
    engine.attach("a", adapters["b"])
    assert final(engine, ask("What?", "a"))[0].text == final(engine, ask("What?", "b"))[0].text != before
    engine.detach("b")
    assert "b" not in engine.adapters
    with pytest.raises(InputError, match="b is not loaded"):
        final(engine, ask("What?", "b"))
    assert final(engine, ask("What?", "attention"))[0].finished


def test_an_answer_ends_with_the_adapter_it_began_with(engine: Engine, adapters: dict[str, Path]) -> None:
    """Dropping or replacing an adapter in the middle of an answer must not turn it into somebody else's."""
    engine._ends = frozenset()
    request = ask("What is the capital of France?", "a", max_tokens=60)
    expected = final(engine, request)[0].text
    stream = engine.stream([request])
    next(stream)
    engine.attach("a", adapters["b"])
    engine.detach("a")
    engine.attach("new", adapters["attention"])
    *_, [answer] = stream
    assert answer.text == expected
    assert [resident for resident in engine._residents._slots if resident and resident.dropped] == []


@pytest.mark.parametrize("broken", ["missing", "torn", "nan", "half", "other kind", "other base"])
def test_an_adapter_that_cannot_be_used_is_refused_by_name(
    engine: Engine, adapters: dict[str, Path], tiny_base_path: Path, tmp_path: Path, broken: str
) -> None:
    folder = tmp_path / "bad"
    if broken not in ("missing", "other base"):
        options = {"target_modules": ["q_proj"], "modules_to_save": ["norm"]} if broken == "other kind" else {}
        make_adapter(tiny_base_path, folder, **options)
        weights = folder / "adapter_model.safetensors"
        tensors = load_file(weights)
        first = sorted(tensors)[0]
        if broken == "torn":
            weights.write_bytes(weights.read_bytes()[:-100])
        if broken == "nan":
            tensors[first][0, 0] = float("nan")
            save_file(tensors, weights)
        if broken == "half":
            save_file({key: tensor for key, tensor in tensors.items() if key != first}, weights)
    if broken == "other base":
        make_adapter(make_family("qwen2", tiny_base_path, tmp_path / "other", intermediate_size=96), folder)
    reason = {
        "missing": "no readable adapter",
        "torn": "no readable adapter",
        "nan": "bad is broken",
        "half": "bad is broken",
        "other kind": "modules saved whole",
        "other base": "bad was trained on another base",
    }
    with pytest.raises(InputError, match=reason[broken]):
        engine.attach("bad", folder)
    assert engine.adapters == tuple(ADAPTERS)
    assert final(engine, ask("What?", "a"))[0].finished


# ---- admission ----


def test_a_prompt_that_cannot_fit_is_refused_with_its_length_and_the_limit(engine: Engine, base: Base) -> None:
    with pytest.raises(InputError, match=r"has 1511 tokens, but tiny reads 512"):
        next(engine.stream([ask("word " * 300)]))
    small = Engine(base, pool_tokens=64)
    with pytest.raises(InputError, match="but the memory set aside holds 64"):
        next(small.stream([ask("What is the capital of France? " * 20)]))
    assert final(small, ask("yes", max_tokens=500))[0].tokens < 64


def test_rows_wait_for_memory_and_places_and_all_get_their_turn(base: Base) -> None:
    engine = Engine(base, rows=3, pool_tokens=256)
    requests = [ask(f"What is {number}?", max_tokens=30) for number in range(12)]
    answers = final(engine, *requests)
    assert all(answer.finished in ("end", "length") for answer in answers)
    roomy = Engine(base, rows=32, pool_tokens=4096)
    assert [answer.text for answer in answers] == [answer.text for answer in final(roomy, *requests)]


def test_overload_is_said_with_how_many_are_ahead_and_harms_nobody(engine: Engine) -> None:
    engine._ends = frozenset()
    engine._most_rows = 2
    for user in range(16):  # two rows answer, 62 wait
        crowd = threading.Thread(
            target=lambda user=user: list(engine.stream([ask("yes", max_tokens=60)] * 4, user=str(user))), daemon=True
        )
        crowd.start()
    wait_until(lambda: len(engine._room) > 56)
    with pytest.raises(Busy, match=r"busy, \d+ answers are ahead") as refused:
        next(engine.stream([ask("no")] * 8, user="late"))
    assert refused.value.ahead > 56


def test_one_user_does_not_starve_another(engine: Engine) -> None:
    engine._ends = frozenset()
    engine._most_rows = 4
    greedy_ones = [engine.stream([ask("yes", max_tokens=30)] * 4, user="greedy") for _ in range(4)]
    finished: list[str] = []

    def run(name: str, stream: Iterator[list[Answer]]) -> None:
        for _ in stream:
            pass
        finished.append(name)

    threads = [threading.Thread(target=run, args=(f"greedy {n}", stream)) for n, stream in enumerate(greedy_ones)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(engine._room) >= 8)
    other = threading.Thread(target=run, args=("other", engine.stream([ask("no", max_tokens=30)], user="other")))
    other.start()
    for thread in [*threads, other]:
        thread.join()
    assert finished.index("other") <= 2, finished


# ---- faults ----


def test_a_fault_in_one_row_ends_that_row_only(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    """The step fails whenever this adapter's tokens are in it, as a broken kernel or a full memory would."""
    healthy = final(engine, ask("What?", "a"), ask("yes"))
    good, poisoned = engine._step, engine._residents._by_name["b"].slot

    def step(batch: Batch) -> Tensor:
        if poisoned in batch.slots:
            raise RuntimeError("out of memory")
        return good(batch)

    engine._step = step  # type: ignore[assignment]
    with caplog.at_level(logging.WARNING):
        answers = final(engine, ask("What?", "a"), ask("What?", "b"), ask("yes"))
    assert [answers[0].text, answers[2].text] == [answer.text for answer in healthy]
    assert answers[1].finished == "failed"
    assert answers[1].error == "The model could not compute this answer (out of memory)."
    assert final(engine, ask("yes"))[0].text == healthy[1].text


def test_scores_that_are_no_numbers_end_the_row_with_who_is_at_fault(engine: Engine) -> None:
    good, poisoned = engine._step, engine._residents._by_name["b"].slot

    def step(batch: Batch) -> Tensor:
        logits = good(batch).clone()
        for number, token in enumerate(batch.kept):
            if batch.slots[token] == poisoned:
                logits[number] = float("nan")
        return logits

    engine._step = step  # type: ignore[assignment]
    requests = [ask("What?", name, temperature=t, seed=1) for name in ("a", "b", None) for t in (0.0, 1.0)]
    answers = final(engine, *requests)
    assert [answer.finished == "failed" for answer in answers] == [False, False, True, True, False, False]
    assert "the adapter b is broken" in answers[2].error
    assert engine._pages.available == engine._pages.count


def test_a_fault_of_the_engine_itself_kills_no_thread(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("tuning.engine.plan", lambda rows: 1 / 0)
        [answer] = final(engine, ask("yes"))
    assert answer.finished == "failed"
    assert "ZeroDivisionError" in answer.error
    assert final(engine, ask("yes"))[0].finished in ("end", "length")


def test_the_base_model_is_left_as_it_was(base: Base) -> None:
    before = base.model.config._attn_implementation
    engine = Engine(base, pool_tokens=512)
    final(engine, ask("yes"))
    assert base.model.config._attn_implementation == before
    ids = torch.randint(0, 300, (2, 12))
    with torch.inference_mode():
        assert base.model(ids).logits.isfinite().all()


def test_the_engine_is_a_server(engine: Engine) -> None:
    server: Server = engine
    assert server.adapters == tuple(ADAPTERS)


def test_a_closed_engine_ends_what_it_was_doing(engine: Engine) -> None:
    engine._ends = frozenset()
    stream = engine.stream([ask("yes", max_tokens=400)])
    next(stream)
    engine.close()
    *_, [answer] = stream
    assert answer.finished == "stopped"
    with pytest.raises(RuntimeError, match="closed"):
        final(engine, ask("yes"))


def test_a_tokenizer_without_template_ends_before_the_next_turn(base: Base) -> None:
    from tuning.base import PLAIN_TEMPLATE
    from tuning.row import Row, read_request
    from tuning.ticket import Ticket

    tokenizer = AutoTokenizer.from_pretrained(base.tokenizer.name_or_path)
    tokenizer.chat_template = PLAIN_TEMPLATE
    plain = replace(base, tokenizer=tokenizer)
    row = Row(ask("yes"), read_request(ask("yes"), plain, 512), Ticket("", 1, None), 0, plain)
    for token in tokenizer("Yes.\nUser: more")["input_ids"]:
        row.take(torch.zeros(1, 400), frozenset(), token)
        if row.answer.finished:
            break
    assert row.answer.text == "Yes."
    assert row.answer.finished == "end"
