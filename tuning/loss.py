"""The loss of answers: cross-entropy on the tokens that carry a label, and the output layer computed only there.

A batch is laid out in one of two ways with the same loss: padded to its longest row, as every model takes it, or packed
into the tree of its tokens (`tuning.packing`), which is the faster on processors.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tuning.attention import attention
from tuning.dialogues import IGNORED, Example
from tuning.packing import LEAST, NAME, pack
from tuning.ranks import is_sharded, share, totals

Batch = dict[str, Any]
Row = Mapping[str, Sequence[int]]
Collate = Callable[[Sequence[Row]], Batch]


def collate(examples: Sequence[Row], pad: int) -> Batch:
    """`input_ids`, `attention_mask` and `labels`, rows x longest, padded on the right."""
    longest = max(len(example["input_ids"]) for example in examples)

    def padded(field: str, filler: int) -> Tensor:
        return torch.tensor([[*row[field], *[filler] * (longest - len(row[field]))] for row in examples])

    lengths = torch.tensor([len(example["input_ids"]) for example in examples])
    mask = (torch.arange(longest) < lengths.unsqueeze(1)).long()
    return {"input_ids": padded("input_ids", pad), "attention_mask": mask, "labels": padded("labels", IGNORED)}


def collate_packed(examples: Sequence[Row]) -> Batch:
    """The batch as a tree: `input_ids`, `position_ids` 1 x tokens; `asked`, `labels` one for each answer token."""
    tree = pack(examples)
    return {
        "input_ids": torch.tensor([tree.ids]),
        "position_ids": torch.tensor([tree.at]),
        "asked": torch.tensor(tree.asked, dtype=torch.long),
        "labels": torch.tensor(tree.labels, dtype=torch.long),
        "pack": tree,
    }


def answer_loss(model: Any, batch: Batch, precision: str) -> tuple[Tensor, Tensor]:
    """Summed cross-entropy in nats of the batch's answer tokens (float32), and how many they are.

    The output layer, a third of a small model's work, is computed only at positions after which some row has an answer
    token; prompts cost none of it.
    """
    device = batch["labels"].device
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        logits, targets = (_packed if "pack" in batch else _padded)(model, batch)
    loss = functional.cross_entropy(logits.float(), targets, ignore_index=IGNORED, reduction="sum")
    return loss, (targets != IGNORED).sum()


def answer_tokens(batch: Batch) -> int:
    """How many tokens of the batch count in its loss."""
    labels = batch["labels"] if "pack" in batch else batch["labels"][:, 1:]
    return int((labels != IGNORED).sum())


def _padded(model: Any, batch: Batch) -> tuple[Tensor, Tensor]:
    targets = batch["labels"][:, 1:]
    positions = (targets != IGNORED).any(dim=0).nonzero().squeeze(1)
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    logits = model(**inputs, logits_to_keep=positions, use_cache=False).logits
    return logits.flatten(0, 1), targets[:, positions].flatten()


def _packed(model: Any, batch: Batch) -> tuple[Tensor, Tensor]:
    inputs = {name: batch[name] for name in ("input_ids", "position_ids", "pack")}
    with attention(model, NAME):
        logits = model(**inputs, logits_to_keep=batch["asked"], use_cache=False).logits
    return logits[0], batch["labels"]


def layout(model: Any, pad: int, precision: str) -> Collate:
    """How this model's batches are laid out: packed on processors if it gives the same loss that way, else padded.

    Tried, because packing relies on attention being all that tells a batch's rows apart, which holds for most models
    and not for all (state-space layers carry one row into the next).
    """
    padded = partial(collate, pad=pad)
    if next(model.parameters()).device.type != "cpu":
        return padded  # there, many small products would wait for one another
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            return collate_packed if _packs(model, padded, precision) else padded
    except Exception:
        return padded
    finally:
        model.train(training)


def _packs(model: Any, padded: Collate, precision: str) -> bool:
    """Whether every layer asks our attention, and two rows' loss is the same packed."""
    start = list(range(3, 3 + 2 * LEAST))
    ends = ([30, 31, 32], [33, 34])
    rows = [{"input_ids": [*start, *end], "labels": [*[IGNORED] * (len(start) + 1), *end[1:]]} for end in ends]
    batch = collate_packed(rows)
    usual, ours = (float(answer_loss(model, one, precision)[0]) for one in (padded(rows), batch))
    every_layer = len(batch["pack"].layers) == model.config.get_text_config().num_hidden_layers
    return every_layer and abs(usual - ours) <= 0.02 * abs(usual)


@torch.no_grad()
def mean_answer_loss(model: Any, examples: Sequence[Example], lay: Collate, batch_size: int, precision: str) -> float:
    """Mean cross-entropy in nats over all answer tokens of `examples`; each token counts the same.

    Processes that were launched together share the rows, so all of them must call it.
    """
    model.eval()
    device = next(model.parameters()).device
    # Rows that begin alike share a batch, and so, most often, do those of like length.
    rows = sorted((vars(example) for example in examples), key=lambda row: (row["input_ids"], len(row["input_ids"])))
    own = rows if is_sharded(model) else share(rows)
    total, count = 0.0, 0
    for start in range(0, len(own), batch_size):
        loss, tokens = answer_loss(model, on(device, lay(own[start : start + batch_size])), precision)
        total += float(loss)
        count += int(tokens)
    total, counted = totals((total, count))
    return total / counted


def on(device: torch.device, batch: Batch) -> Batch:
    """The batch with its tensors on `device`."""
    return {name: value.to(device) if isinstance(value, Tensor) else value for name, value in batch.items()}
