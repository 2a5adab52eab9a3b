"""The step on a GPU: where every sequence has one token, the same operations are recorded once and replayed.

Transformers' model code launches some thousand small kernels a step, which take the processor longer than the GPU. A
CUDA graph launches them as one. It has fixed shapes, so that batches are filled up to a few sizes with tokens that
nobody reads, and fixed addresses, so that it is recorded again whenever the resident adapters change.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from tuning.attention import Singles, View
from tuning.batch import Batch
from tuning.eager import Eager
from tuning.pages import PAGE
from tuning.pool import place

ROWS = (1, 2, 4, 8, 16, 32, 64)
LENGTHS = 256
"""Lengths are filled up to a multiple of so many tokens."""

Recorder = Callable[[Callable[[], Tensor]], Callable[[], Tensor]]
"""Takes what computes a result, gives what computes it again from the same addresses."""


def record(run: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """Record `run` as a CUDA graph; each call of the result replays it."""
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # libraries allocate and choose their algorithms at the first runs
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = run()

    def replay() -> Tensor:
        graph.replay()
        return result

    return replay


@dataclass
class _Recorded:
    """A graph and the tensors that it reads."""

    ids: Tensor
    slots: Tensor
    view: View
    replay: Callable[[], Tensor]


class Graphed:
    """Like `Eager`, with graphs for the batches without pieces of prompts."""

    def __init__(self, eager: Eager, recorder: Recorder = record) -> None:
        self._eager, self._record = eager, recorder
        self._graphs: dict[tuple[int, int, bool], _Recorded] = {}

    def forget(self) -> None:
        """The layers' adapters are other tensors now: what was recorded reads the old ones."""
        self._graphs.clear()

    def __call__(self, batch: Batch) -> Tensor:
        """Logits of the kept tokens, kept x vocabulary, in the model's precision and on its device."""
        count = len(batch.ids)
        if len(batch.runs) < count or count > ROWS[-1]:
            return self._eager(batch)
        rows = next(size for size in ROWS if size >= count)
        length = -(-(max(batch.positions) + 1) // LENGTHS) * LENGTHS
        key = rows, length, all(slot < 0 for slot in batch.slots)
        if key not in self._graphs:
            self._graphs[key] = self._make(*key)
        graph = self._graphs[key]
        self._fill(graph, batch, rows, length)
        logits = graph.replay()[:count]
        kept = torch.tensor(batch.kept, device=logits.device)
        return logits[kept]

    def _make(self, rows: int, length: int, plain: bool) -> _Recorded:
        device = self._eager.model.device
        numbers = torch.zeros(rows, dtype=torch.long, device=device)
        everywhere = self._nowhere(length).to(device).repeat(rows, 1)
        singles = Singles(torch.arange(rows, device=device), numbers.clone(), everywhere, shortest=0)
        view = View(self._eager.pool, everywhere[:, 0].clone(), [], singles)
        ids, slots, every = numbers[None].clone(), numbers - 1, torch.arange(rows, device=device)

        def run() -> Tensor:
            view.forget()
            self._eager.rows.assign_tensor(slots, slots, plain)
            return self._eager.forward(ids, singles.positions[None], every, view)

        return _Recorded(ids, slots, view, self._record(run))

    def _fill(self, graph: _Recorded, batch: Batch, rows: int, length: int) -> None:
        spare = rows - len(batch.ids)
        nowhere = self._nowhere(length).tolist()
        index = [
            [*(place(batch.pages[s], q) for q in range(p + 1)), *nowhere[: length - p - 1]]
            for s, p in zip(batch.sequences, batch.positions, strict=True)
        ]
        singles = graph.view.singles
        assert singles is not None
        fillings = (
            (graph.ids[0], [*batch.ids, *[0] * spare]),
            (graph.slots, [*batch.slots, *[-1] * spare]),
            (singles.positions, [*batch.positions, *[0] * spare]),
            (singles.index, [*index, *[nowhere] * spare]),
            (
                graph.view.places,
                [*(row[p] for row, p in zip(index, batch.positions, strict=True)), *nowhere[:1] * spare],
            ),
        )
        for tensor, numbers in fillings:
            tensor.copy_(torch.tensor(numbers))

    def _nowhere(self, length: int) -> Tensor:
        """Places that no row owns."""
        return self._eager.pool.nowhere * PAGE + torch.arange(length) % PAGE
