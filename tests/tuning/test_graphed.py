"""What the GPU's graphs replay, with a recorder that computes anew: sizes, filling, and when to record again.

No GPU is needed: the tensors that a graph reads are filled, read and cut the same way on a CPU.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.tiny import make_adapter
from tests.tuning.engines import FAMILIES, QUESTIONS, ask, final, make_base, make_family
from tuning.eager import Eager
from tuning.engine import Engine
from tuning.graphed import Graphed, record


class Recorder:
    """Keeps the addresses that a graph would have, and counts."""

    def __init__(self) -> None:
        self.recorded = self.replayed = 0

    def __call__(self, run: Callable[[], Tensor]) -> Callable[[], Tensor]:
        self.recorded += 1

        def replay() -> Tensor:
            self.replayed += 1
            return run()

        return replay


@pytest.fixture(params=FAMILIES)
def engines(request: pytest.FixtureRequest, tiny_base_path: Path, tmp_path: Path) -> Iterator[tuple[Engine, Recorder]]:
    path = make_family(request.param, tiny_base_path, tmp_path / "base")
    engine, recorder = Engine(make_base(path), pool_tokens=4096), Recorder()
    assert isinstance(engine._step, Eager)
    engine._step = Graphed(engine._step, recorder)
    engine.attach("a", make_adapter(path, tmp_path / "a"))
    engine.attach("dora", make_adapter(path, tmp_path / "dora", use_dora=True))
    yield engine, recorder
    engine.close()


def test_texts_equal_those_without_graphs(engines: tuple[Engine, Recorder], tmp_path: Path) -> None:
    """Fresh memory may hold NaN, and a masked key's weight of 0 times NaN is NaN: rows beside short ones failed."""
    engine, recorder = engines
    for tensor in (*engine.pool.keys, *engine.pool.values):
        tensor[: engine.pool.nowhere * 16] = float("nan")
    plain = Engine(make_base(tmp_path / "base"), pool_tokens=4096)
    for name in ("a", "dora"):
        plain.attach(name, tmp_path / name)
    requests = [ask(text, name) for text in QUESTIONS[:3] for name in (None, "a", "dora")]
    assert [a.text for a in final(engine, *requests)] == [a.text for a in final(plain, *requests)]
    assert recorder.replayed > recorder.recorded > 0


def test_a_graph_is_recorded_once_for_its_size_and_again_for_other_adapters(
    engines: tuple[Engine, Recorder], tmp_path: Path
) -> None:
    engine, recorder = engines
    engine._ends = frozenset()
    for _ in range(3):
        final(engine, *[ask("yes", "a", max_tokens=8)] * 3)  # filled up to four rows
    assert recorder.recorded == 1
    final(engine, *[ask("yes", max_tokens=8)] * 4)  # no adapter in use: a graph without their products
    assert recorder.recorded == 2
    engine.attach("a", tmp_path / "dora")
    expected = final(engine, ask("yes", "dora", max_tokens=8))[0].text
    assert final(engine, ask("yes", "a", max_tokens=8))[0].text == expected


def test_filled_rows_write_to_nobodys_page(engines: tuple[Engine, Recorder]) -> None:
    engine, _ = engines
    engine._ends = frozenset()
    for tensor in engine.pool.keys:
        tensor.zero_()
    final(engine, *[ask("yes", max_tokens=4)] * 3)
    touched = {int(at) // 16 for tensor in engine.pool.keys for at in tensor.flatten(1).any(1).nonzero()}
    assert touched <= {*range(6), engine.pool.nowhere}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu_texts_equal_those_without_graphs(tiny_base_path: Path, tmp_path: Path) -> None:
    path = make_family("llama", tiny_base_path, tmp_path / "base")
    texts = []
    for graphs in (True, False):
        base = make_base(path)
        base.model.to("cuda")  # type: ignore[arg-type]
        engine = Engine(base, pool_tokens=4096)
        assert isinstance(engine._step, Graphed)
        engine._step = Graphed(engine._step._eager, record) if graphs else engine._step._eager
        engine.attach("a", make_adapter(path, tmp_path / "a"))
        texts.append([a.text for a in final(engine, *(ask(t, n) for t in QUESTIONS for n in (None, "a")))])
    assert texts[0] == texts[1]
