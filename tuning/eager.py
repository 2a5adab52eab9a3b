"""The step as transformers' model code computes it, operation by operation, on any device: a batch -> logits."""

import inspect

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tuning.attention import Through, View, attention, cache_argument
from tuning.batch import Batch
from tuning.lowrank import Rows
from tuning.pool import Pool


class Eager:
    """The step of one model. Its linear layers are switched by `rows` where adapters are resident."""

    def __init__(self, model: PreTrainedModel, pool: Pool, rows: Rows) -> None:
        self.model, self.pool, self.rows = model, pool, rows
        self._cache = cache_argument(model)
        self._keeps = "logits_to_keep" in inspect.signature(model.forward).parameters

    def __call__(self, batch: Batch) -> Tensor:
        """Logits of the kept tokens, kept x vocabulary, in the model's precision and on its device."""
        device = self.model.device
        self.rows.assign(batch.slots, batch.kept, device)
        ids, positions = (torch.tensor([numbers], device=device) for numbers in (batch.ids, batch.positions))
        return self.forward(ids, positions, torch.tensor(batch.kept, device=device), View.of(batch, self.pool, device))

    @torch.inference_mode()
    def forward(self, ids: Tensor, positions: Tensor, kept: Tensor, view: View) -> Tensor:
        """ids and positions: 1 x tokens; kept: indices. The rows are assigned already."""
        with attention(self.model):
            output = self.model(
                input_ids=ids,
                position_ids=positions,
                use_cache=True,
                view=view,
                **{self._cache: Through()},
                **({"logits_to_keep": kept} if self._keeps else {}),
            )
        logits: Tensor = output.logits[0]
        return logits if self._keeps else logits[kept]
