"""The loss of answers: cross-entropy on the tokens that carry a label, and the output layer computed only there."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tuning.dialogues import IGNORED, Example

Batch = dict[str, Tensor]


def collate(examples: Sequence[Mapping[str, list[int]]], pad: int) -> Batch:
    """`input_ids`, `attention_mask` and `labels`, rows x longest, padded on the right."""
    longest = max(len(example["input_ids"]) for example in examples)

    def padded(field: str, filler: int) -> Tensor:
        return torch.tensor([row[field] + [filler] * (longest - len(row[field])) for row in examples])

    lengths = torch.tensor([len(example["input_ids"]) for example in examples])
    mask = (torch.arange(longest) < lengths.unsqueeze(1)).long()
    return {"input_ids": padded("input_ids", pad), "attention_mask": mask, "labels": padded("labels", IGNORED)}


def answer_loss(model: Any, batch: Batch, precision: str) -> tuple[Tensor, Tensor]:
    """Summed cross-entropy in nats of the batch's answer tokens (float32), and how many they are.

    The output layer, a third of a small model's work, is computed only at positions after which some row has an answer
    token; prompts cost none of it.
    """
    targets = batch["labels"][:, 1:]
    positions = (targets != IGNORED).any(dim=0).nonzero().squeeze(1)
    with torch.autocast(targets.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        logits = model(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            logits_to_keep=positions,
            use_cache=False,
        ).logits
    targets = targets[:, positions]
    loss = functional.cross_entropy(
        logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return loss, (targets != IGNORED).sum()


@torch.no_grad()
def mean_answer_loss(model: Any, examples: Sequence[Example], pad: int, batch_size: int, precision: str) -> float:
    """Mean cross-entropy in nats over all answer tokens of `examples`; each token counts the same."""
    model.eval()
    device = next(model.parameters()).device
    # Rows of like length share a batch, so that little is spent on padding.
    rows = sorted((vars(example) for example in examples), key=lambda row: len(row["input_ids"]))
    total, count = 0.0, 0
    for start in range(0, len(rows), batch_size):
        batch = {name: value.to(device) for name, value in collate(rows[start : start + batch_size], pad).items()}
        loss, tokens = answer_loss(model, batch, precision)
        total += float(loss)
        count += int(tokens)
    return total / count
