"""Run by torchrun in two processes: a step of training with sharded weights, and the adapter written from them.

accelerate refuses to shard on processors, so the sharding that it would ask of torch is asked for here.
"""

import sys
from pathlib import Path

import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from transformers import AutoModelForCausalLM, AutoTokenizer

from tuning import lora, ranks
from tuning.averaging import AveragingAdamW
from tuning.base import Base
from tuning.config import TrainConfig
from tuning.dialogues import encode, load
from tuning.fused import fuse
from tuning.loss import answer_loss, collate_packed, mean_answer_loss


def main(tiny: Path, rows: Path, out: Path) -> None:
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    base = Base("tiny", "a test", AutoModelForCausalLM.from_pretrained(tiny).eval(), tokenizer, "0" * 64)
    ranks.wait()
    model = lora.attach(base, TrainConfig(rank=8, alpha=16), "bfloat16")
    fuse(model)
    if ranks.count() > 1:
        mesh = init_device_mesh("cpu", (ranks.count(),))
        for layer in model.get_base_model().model.layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
        assert ranks.is_sharded(model)
    examples = [encode(tokenizer, row.grounded) for row in load(rows, tokenizer, 128, 0).splits.train]
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = AveragingAdamW(trained, after=1, lr=1e-2)
    for start in range(0, len(examples), 8):
        step = [vars(example) for example in examples[start : start + 8]]
        batch = collate_packed(ranks.share(step))
        loss, _ = answer_loss(model, batch, "bfloat16")
        (tokens,) = ranks.totals([sum(example.answer_tokens for example in examples[start : start + 8])])
        (loss / tokens * ranks.count() ** 2).backward()  # the tokens were counted by every process, and FSDP averages
        optimizer.step()
        optimizer.zero_grad()
    optimizer.eval()
    assert lora.round_to_half(model)
    mean = mean_answer_loss(model, examples, collate_packed, 8, "bfloat16")
    weights = ranks.gathered(model)
    if ranks.is_first():
        lora.write(model, "tiny", out, weights)
        (out / "loss").write_text(str(mean))
    ranks.wait()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
