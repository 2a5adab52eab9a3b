"""The compiled step computes what transformers' model code computes, whatever else is in the batch; or says why not."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import linear, scaled_dot_product_attention

from tests.conftest import REPO
from tests.tiny import make_adapter
from tests.tuning.engines import FAMILIES, QUESTIONS, ask, final, make_base, make_family
from tuning.base import Base
from tuning.batch import Batch
from tuning.engine import Engine
from tuning.errors import InputError
from tuning.lowrank import Pair
from tuning.native import build
from tuning.native.graph import Group, check, groups
from tuning.native.step import Native, pack_matrix, padded
from tuning.pages import PAGE
from tuning.pool import Pool
from tuning.precision import quantise, round_weights
from tuning.warmup import WarmUp

pytestmark = pytest.mark.slow

ADAPTERS: dict[str, dict[str, object]] = {
    "a": {"r": 5},
    "dora": {"use_dora": True, "r": 4},
    "attention": {"target_modules": ["q_proj", "v_proj"], "r": 40},
}


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this session's compiled files stand."""
    if build.compiler() is None:
        pytest.skip("no C++ compiler")
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(scope="session")
def operators(compiled: Path, tiny_base_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The operators alone."""
    path = make_family("llama", tiny_base_path, tmp_path_factory.mktemp("any"))
    engine = Engine(make_base(path), pool_tokens=256)
    WarmUp(engine, compiled).run()
    assert engine.compiled
    return torch.ops.fourfold


def engine_of(path: Path, compiled: Path | None, dtype: torch.dtype = torch.float32, int8: bool = False) -> Engine:
    base = make_base(path, dtype)
    if int8:
        round_weights(base.model)
        base = Base(base.name, base.source, base.model, base.tokenizer, base.digest, int8=True)
    engine = Engine(base, pool_tokens=4096)
    if compiled:
        warm = WarmUp(engine, compiled)
        warm.run()
        assert engine.compiled, warm.state
    return engine


@pytest.mark.parametrize("kind", FAMILIES)
def test_texts_equal_those_of_the_model_code(kind: str, compiled: Path, tiny_base_path: Path, tmp_path: Path) -> None:
    path = make_family(kind, tiny_base_path, tmp_path / kind)
    eager, native = engine_of(path, None), engine_of(path, compiled)
    for name, options in ADAPTERS.items():
        adapter = make_adapter(path, tmp_path / name, **options)
        eager.attach(name, adapter)
        native.attach(name, adapter)
    requests = [ask(text, name) for text in QUESTIONS for name in (None, *ADAPTERS)]
    expected = [answer.text for answer in final(eager, *requests)]
    assert [answer.text for answer in final(native, *requests)] == expected
    assert native.compiled
    assert len(set(expected)) > len(requests) // 2


@pytest.mark.parametrize("int8", [False, True])
def test_in_bf16_a_row_is_bit_equal_alone_and_in_any_batch(
    compiled: Path, tiny_base_path: Path, tmp_path: Path, int8: bool
) -> None:
    """What batching usually breaks: another batch size, another order of sums, another text."""
    path = make_family("llama", tiny_base_path, tmp_path / "llama")
    engine = engine_of(path, compiled, torch.bfloat16, int8)
    for name, options in ADAPTERS.items():
        engine.attach(name, make_adapter(path, tmp_path / name, **options))
    native, random = engine._native, torch.Generator().manual_seed(0)
    assert native
    sequences = [torch.randint(3, 300, (length,), generator=random).tolist() for length in (1, 2, 5, 17, 30, 33, 64)]
    slots = [-1, 0, 1, 2, -1, 0, 1]
    pages = [list(range(4 * number, 4 * number + 4)) for number in range(len(sequences))]

    def run(chosen: Sequence[int]) -> list[Tensor]:
        ids, positions, owners, whose = [], [], [], []
        for number, one in enumerate(chosen):
            ids += sequences[one]
            positions += range(len(sequences[one]))
            owners += [number] * len(sequences[one])
            whose += [slots[one]] * len(sequences[one])
        held = [pages[one] for one in chosen]
        return list(native(Batch(ids, positions, owners, held, whose, list(range(len(ids))))).split(
            [len(sequences[one]) for one in chosen]
        ))  # fmt: skip

    alone = [run([number])[0] for number in range(len(sequences))]
    for order in ([0, 1, 2, 3, 4, 5, 6], [6, 3, 0], [2, 2 + 3, 4, 1]):
        for number, logits in zip(order, run(order), strict=True):
            assert torch.equal(logits, alone[number])


def test_8_bits_are_the_rounded_model_and_nothing_else(compiled: Path, tiny_base_path: Path, tmp_path: Path) -> None:
    path = make_family("llama", tiny_base_path, tmp_path / "llama")
    rounded = engine_of(path, None, int8=True)
    native = engine_of(path, compiled, int8=True)
    whole = engine_of(path, None)
    texts = [[answer.text for answer in final(one, *map(ask, QUESTIONS))] for one in (rounded, native, whole)]
    assert texts[0] == texts[1]
    assert texts[0] != texts[2], "rounding changes nothing, so the comparison proves nothing"


@given(
    outputs=st.lists(st.integers(1, 70), min_size=1, max_size=3),
    inputs=st.integers(1, 40).map(lambda half: 2 * half),
    tokens=st.integers(1, 20),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    int8=st.booleans(),
    bias=st.booleans(),
    ranks=st.lists(st.integers(0, 40), min_size=3, max_size=3),
    magnitude=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_linear_equals_the_formula(
    operators: Any, outputs: list[int], inputs: int, tokens: int, dtype: torch.dtype, int8: bool, bias: bool,
    ranks: list[int], magnitude: bool, seed: int,
) -> None:  # fmt: skip
    """Any sizes: outputs that fill no block, odd ranks, parts of a group that an adapter leaves alone."""
    torch.manual_seed(seed)
    weights = [torch.randn(n, inputs).to(dtype) for n in outputs]
    offsets = torch.randn(sum(outputs)) if bias else torch.zeros(sum(outputs))
    pairs = [
        Pair(torch.randn(r, inputs).to(dtype), torch.randn(n, r).to(dtype), torch.rand(n) + 0.5 if magnitude else None)
        if r
        else None
        for n, r in zip(outputs, ranks, strict=False)
    ]
    weight = torch.cat(weights)
    scales = torch.ones(sum(outputs))
    if int8:
        weight, scales = quantise(weight)
    group = Group(tuple("abc"[: len(outputs)]), inputs, tuple(outputs))
    native = bare_native(dtype, group, weights)
    packed = native._pack_group(group, pairs)
    context = operators.create(1, 0, PAGE)
    none = torch.empty(0)
    held = padded(scales) if int8 else none
    operators.set_group(context, 0, pack_matrix(weight), held, padded(offsets) if bias else none, inputs, sum(outputs))
    if packed:
        given = packed.down, packed.up, packed.begin, packed.gain, packed.ranks, packed.width
        operators.set_adapter(context, 0, 1, *given)
    slots = torch.randint(-1, 3, (tokens,)).int()  # slot 0 is empty, 1 the adapter, 2 was never set
    nothing = torch.zeros(0, dtype=torch.int32)
    operators.set_batch(context, slots, slots, nothing, nothing, nothing)
    x = torch.randn(tokens, inputs).to(dtype)
    got = operators.linear(x, torch.tensor([context]), 0, sum(outputs)).double()
    plain = linear(x.double(), weight.double() * scales[:, None].double())
    parts = []
    for one, w, pair in zip(plain.split(outputs, dim=1), weights, pairs, strict=True):
        tuned = one
        if pair:
            low = linear(x.double(), pair.a.double()).to(dtype).double()
            tuned = one + linear(low, pair.b.double())
            gain = pair.gain(w)
            tuned = tuned if gain is None else tuned * gain.double()
        parts.append(torch.where((slots == 1)[:, None], tuned, one))
    expected = torch.cat(parts, dim=1) + offsets.double()
    tolerance = 2e-2 if dtype == torch.bfloat16 else 1e-4
    assert torch.allclose(got, expected, rtol=tolerance, atol=tolerance * float(expected.abs().max() + 1))
    operators.destroy(context)


def bare_native(dtype: torch.dtype, group: Group, weights: Sequence[Tensor]) -> Native:
    """As much of a `Native` as packing needs."""
    native = object.__new__(Native)
    native._dtype = dtype
    layers = {}
    for path, weight in zip(group.paths, weights, strict=True):
        layers[path] = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
        layers[path].weight = torch.nn.Parameter(weight, requires_grad=False)
    native._linears = layers
    return native


@given(
    lengths=st.lists(st.integers(1, 50), min_size=1, max_size=4),
    heads=st.integers(1, 3),
    shared=st.integers(1, 4),
    vectors=st.integers(1, 5),
    window=st.sampled_from([0, 1, 7, 33]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_attend_equals_torchs_attention(
    operators: Any,
    lengths: list[int],
    heads: int,
    shared: int,
    vectors: int,
    window: int,
    dtype: torch.dtype,
    seed: int,
) -> None:
    """Each sequence in two calls, the first of any length: pieces over what the pool holds already."""
    torch.manual_seed(seed)
    width, queries = 16 * vectors, heads * shared
    pool = Pool([((heads, width), (heads, width))], 4 * len(lengths), torch.zeros(0, dtype=dtype))
    context = operators.create(0, 1, PAGE)
    operators.set_pool(context, 0, pool.keys[0], pool.values[0])
    pages = torch.randperm(4 * len(lengths)).view(len(lengths), 4).int()
    q, k, v = ([torch.randn(n, count, width).to(dtype) for n in lengths] for count in (queries, heads, heads))
    cuts = [int(torch.randint(0, n, ())) for n in lengths]
    got: list[list[Tensor]] = [[] for _ in lengths]
    for half in (0, 1):
        spans = [range(0, cut) if half == 0 else range(cut, n) for cut, n in zip(cuts, lengths, strict=True)]
        sequences = torch.tensor([i for i, span in enumerate(spans) for _ in span]).int()
        positions = torch.tensor([p for span in spans for p in span]).int()
        if not len(positions):
            continue
        slots = torch.full((len(positions),), -1).int()
        operators.set_batch(context, slots, slots, sequences, positions, pages)
        joined = [
            torch.cat([one[span.start : span.stop] for one, span in zip(t, spans, strict=True)]).transpose(0, 1)[None]
            for t in (q, k, v)
        ]
        out = operators.attend(*joined, torch.tensor([context]), 0, width**-0.5, window)
        for number, piece in enumerate(out[0].split([len(span) for span in spans])):
            got[number].append(piece)
    for number, n in enumerate(lengths):
        at = torch.arange(n)
        mask = (at <= at[:, None]) & (at > at[:, None] - window if window else at >= 0)
        asked, seen, values = (t[number].transpose(0, 1)[None].float() for t in (q, k, v))
        expected = scaled_dot_product_attention(asked, seen, values, attn_mask=mask, enable_gqa=True)[0].transpose(0, 1)
        tolerance = 2e-2 if dtype == torch.bfloat16 else 1e-5
        assert torch.allclose(torch.cat(got[number]).float(), expected, rtol=tolerance, atol=tolerance)
    operators.destroy(context)


def test_a_step_that_fails_goes_on_without_the_compiled_one(
    compiled: Path, tiny_base_path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = make_family("llama", tiny_base_path, tmp_path / "llama")
    engine = engine_of(path, compiled)
    engine.attach("a", make_adapter(path, tmp_path / "a"))
    before = [answer.text for answer in final(engine, ask("What?"), ask("What?", "a"))]
    assert engine._native
    engine._native._glue = []
    assert [answer.text for answer in final(engine, ask("What?"), ask("What?", "a"))] == before
    assert not engine.compiled
    assert "going on without it" in caplog.text


def test_answers_go_on_while_the_step_is_switched(compiled: Path, tiny_base_path: Path, tmp_path: Path) -> None:
    path = make_family("llama", tiny_base_path, tmp_path / "llama")
    engine, other = engine_of(path, None), engine_of(path, None)
    engine._ends = other._ends = frozenset()
    request = ask("What is the capital of France?", max_tokens=100)
    expected = final(other, request)[0].text
    stream = engine.stream([request])
    next(stream)
    WarmUp(engine, compiled).run()
    *_, [answer] = stream
    assert engine.compiled
    assert answer.text == expected


def test_the_default_model_in_bf16_says_the_same_alone_and_among_others(real_base: Path, compiled_folder: Path) -> None:
    """The heart of a fair comparison: prompts of all lengths, read in other pieces, beside other users' rows."""
    engine = Engine(make_base(real_base, torch.bfloat16))
    WarmUp(engine, compiled_folder).run()
    assert engine.compiled
    engine.attach("samples", REPO / "data" / "samples" / "adapter" / "samples")
    long = "The lighthouse keeper wrote in her log that " * 90
    requests = [
        ask(text, name, max_tokens=40, temperature=temperature, seed=number)
        for number, text in enumerate(["Tell me a story.", "What is a loamer?", f"{long} What did she do?"])
        for name in (None, "samples")
        for temperature in (0.0, 0.9)
    ]
    alone = []
    for request in requests:
        alone.append(final(engine, request)[0])
        engine._turns.between(engine._pages.forget)
    together = final(engine, *requests)
    assert [answer.text for answer in together] == [answer.text for answer in alone]
    assert len({answer.text for answer in alone}) > 9


# ---- where it cannot be had ----


def test_without_a_compiler_it_says_so_once_and_serves(
    tiny_base_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    engine = Engine(make_base(make_family("llama", tiny_base_path, tmp_path / "llama")), pool_tokens=512)
    said: list[str] = []
    warm = WarmUp(engine, tmp_path / "compiled", said.append)
    warm.run()
    assert said[-1] == "Decoding without the compiled step: there is no C++ compiler (on Debian: apt install g++)"
    assert sum("compiler" in line for line in said) == 1
    assert final(engine, ask("yes"))[0].finished


def test_a_compiler_that_fails_leaves_its_reason_and_no_files(
    tiny_base_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin" / "g++"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'fatal error: no such header' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("CXX", raising=False)
    engine = Engine(make_base(make_family("llama", tiny_base_path, tmp_path / "llama")), pool_tokens=512)
    warm = WarmUp(engine, tmp_path / "compiled")
    warm.run()
    assert warm.state == "Decoding without the compiled step: fatal error: no such header"
    assert not list((tmp_path / "compiled").iterdir())
    assert final(engine, ask("yes"))[0].finished


def test_torn_files_are_compiled_anew(compiled: Path, tiny_base_path: Path, tmp_path: Path) -> None:
    """In a process of its own: this one may hold the operators already."""
    path = make_family("llama", tiny_base_path, tmp_path / "llama")
    engine_of(path, compiled)
    folder = tmp_path / "compiled"
    folder.mkdir()
    model = make_base(path).model
    (folder / build.kernels_file(folder).name).write_bytes(build.kernels_file(compiled).read_bytes())
    (folder / build.graph_file(folder, model).name).write_bytes(b"torn")
    (folder / build.graph_file(folder, model).with_suffix(".json").name).write_bytes(b"{}")
    script = (
        "import sys; from pathlib import Path; from tests.tuning.engines import *; from tuning.warmup import WarmUp;"
        "engine = Engine(make_base(Path(sys.argv[1])), pool_tokens=512); warm = WarmUp(engine, Path(sys.argv[2]));"
        "warm.run(); print(engine.compiled, final(engine, ask('yes'))[0].finished)"
    )
    run = subprocess.run([sys.executable, "-c", script, path, folder], capture_output=True, text=True, check=True)
    assert run.stdout.split()[0] == "True"


def test_the_compiler_can_be_stopped_and_leaves_nothing(tiny_base_path: Path, tmp_path: Path, compiled: Path) -> None:
    import threading

    engine = Engine(make_base(make_family("llama", tiny_base_path, tmp_path / "llama")), pool_tokens=512)
    warm = WarmUp(engine, tmp_path / "compiled")
    thread = threading.Thread(target=warm.run)
    thread.start()
    time.sleep(1.5)
    warm.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert warm.state.endswith("it was stopped")
    assert not list((tmp_path / "compiled").iterdir())


def test_a_model_that_the_kernels_cannot_read_is_named(tiny_base_path: Path, tmp_path: Path) -> None:
    path = make_family("llama", tiny_base_path, tmp_path / "llama", head_dim=8)
    engine = Engine(make_base(path), pool_tokens=512)
    with pytest.raises(InputError, match="attention heads are 8 wide"):
        check(engine.base.model, engine.shapes)
    warm = WarmUp(engine, tmp_path / "compiled")
    warm.run()
    assert "attention heads are 8 wide" in warm.state
    assert final(engine, ask("yes"))[0].finished


def test_layers_that_share_their_input_are_one_group(tiny_base_path: Path) -> None:
    model = make_base(tiny_base_path).model
    paths = [group.paths for group in groups(model)]
    assert (
        "model.layers.0.self_attn.q_proj",
        "model.layers.0.self_attn.k_proj",
        "model.layers.0.self_attn.v_proj",
    ) in paths
    assert ("model.layers.0.mlp.gate_proj", "model.layers.0.mlp.up_proj") in paths
    assert ("model.layers.0.mlp.down_proj",) in paths
    assert ("lm_head",) in paths
