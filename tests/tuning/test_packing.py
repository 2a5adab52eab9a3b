"""Packed batches: the tree holds every row, and its loss and gradients are those of the rows apart."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, MambaConfig, MambaForCausalLM

from tests.tuning.engines import FAMILIES, make_base, make_family
from tuning import lora
from tuning.config import TrainConfig
from tuning.loss import IGNORED, answer_loss, collate, collate_packed, layout, on
from tuning.order import families
from tuning.packing import LEAST, Pack, pack

START = list(range(10, 30))


def row(ids: list[int], answer: int) -> dict[str, list[int]]:
    """A row whose last `answer` tokens carry loss."""
    return {"input_ids": ids, "labels": [IGNORED] * (len(ids) - answer) + ids[len(ids) - answer :]}


def unpacked(tree: Pack) -> list[tuple[int, ...]]:
    """The token sequences from the root to each node that has no child."""
    parents = {span for node in tree.nodes for span in node.before}
    leaves = [node for node in tree.nodes if (node.start, node.end) not in parents]
    spans = [[*node.before, (node.start, node.end)] for node in leaves]
    return [tuple(token for start, end in path for token in tree.ids[start:end]) for path in spans]


ROWS = st.lists(
    st.builds(
        lambda cuts, end, answer: row([*START[: cuts[0]], *range(100, 100 + cuts[1]), *end], min(answer, len(end))),
        st.tuples(st.integers(1, 20), st.integers(0, 20)),
        st.lists(st.integers(3, 7), min_size=2, max_size=12),
        st.integers(1, 12),
    ),
    min_size=1,
    max_size=12,
)


@given(ROWS)
def test_the_tree_holds_every_row_and_every_answer_token_once(rows: list[dict[str, list[int]]]) -> None:
    tree = pack(rows)
    assert sorted(unpacked(tree)) == sorted(tuple(one["input_ids"]) for one in rows)
    targets = sorted(label for one in rows for label in one["labels"][1:] if label != IGNORED)
    assert sorted(tree.labels) == targets
    covered = sorted(token for node in tree.nodes for token in range(node.start, node.end))
    assert covered == list(range(len(tree.ids)))
    for node in tree.nodes:
        assert tree.at[node.start : node.end] == list(range(node.first, node.first + node.end - node.start))


def test_beginnings_are_computed_once_and_answers_never_shared() -> None:
    """Two rows with the same question and answer tokens in between must each keep their own labels."""
    rows = [row([*START, 5, 6, 7], 2), row([*START, 5, 6, 8], 2), row([*START, 9, 9], 1), row([3, 4], 1)]
    tree = pack(rows)
    assert len(tree.ids) < sum(len(one["input_ids"]) for one in rows) - 2 * (len(START) - LEAST)
    assert sorted(tree.labels) == [4, 6, 6, 7, 8, 9]
    assert len(pack([rows[0]] * 5).labels) == 10


@pytest.mark.parametrize("family", FAMILIES)
def test_loss_and_gradients_are_those_of_the_rows_apart(family: str, tiny_base_path: Path, tmp_path: Path) -> None:
    """Gemma 3 has sliding windows: a token there must not see further through an ancestor than in its own row."""
    folder = make_family(family, tiny_base_path, tmp_path / family)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).train()
    ends = ([40, 41, 42], [43, 44, 45, 46, 47, 48, 49, 50], [40, 41, 51, 52], [53, 54])
    rows = [row([*START, *START, *end], len(end) - 1) for end in ends] + [
        row([60, 61, 62], 1),
        row([*START, 63, 64], 1),
    ]
    found = []
    for batch in (collate(rows, 0), collate_packed(rows)):
        model.zero_grad()
        loss, count = answer_loss(model, batch, "float32")
        (loss / count).backward()
        found.append(
            (float(loss.detach()), int(count), [p.grad.clone() for p in model.parameters() if p.grad is not None])
        )
    (loss, count, expectations), (ours, counted, gradients) = found
    assert counted == count
    assert ours == pytest.approx(loss, rel=1e-5)
    for expected, got in zip(expectations, gradients, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-5 * float(expected.abs().max()) + 1e-7)


def test_a_model_that_carries_one_row_into_the_next_is_padded(tiny_base_path: Path) -> None:
    """A state-space layer knows no positions and no mask: packed, each row would read the rows before it."""
    torch.manual_seed(0)
    carrying = MambaForCausalLM(MambaConfig(vocab_size=100, hidden_size=16, num_hidden_layers=1, state_size=4))
    usual = AutoModelForCausalLM.from_pretrained(tiny_base_path)
    for precision in ("float32", "bfloat16"):
        assert layout(carrying, 0, precision) is not collate_packed
        assert layout(usual, 0, precision) is collate_packed


def test_a_frozen_base_of_16_bits_is_packed_too(tiny_base_path: Path) -> None:
    """Tried without autocast, its products fail, and all training was padded, unsaid and at half the speed."""
    base = make_base(tiny_base_path)
    for precision in ("float32", "bfloat16"):
        assert layout(lora.attach(base, TrainConfig(rank=2), precision), 0, precision) is collate_packed


def test_rows_that_share_passages_are_a_family_and_a_common_system_prompt_makes_none() -> None:
    system, one, two = list(range(30)), list(range(100, 140)), list(range(200, 240))
    rows = [[*system, *one, 1], [*system, *two, 2], [*system, *one, 3], [*system, 4, 5, 6], [*system, 7, 8, 9]]
    found = families([{"input_ids": ids} for ids in rows])
    assert found[0] == found[2]
    assert len(set(found)) == 4


def test_only_tensors_move_to_the_device() -> None:
    batch = on(torch.device("meta"), collate_packed([row([1, 2, 3], 1)]))
    assert batch["input_ids"].device.type == "meta"
    assert isinstance(batch["pack"], Pack)
