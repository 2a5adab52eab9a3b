"""Attention of transformers' model code over a pool of pages, for tokens of many sequences that lie side by side.

A model's other layers treat every token alike; only attention tells the sequences apart. It is hung into transformers'
own interface under a name of ours, and a view of the batch reaches it as a keyword that the model code hands through.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Cache, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import AttentionInterface

from tuning.batch import Batch
from tuning.errors import InputError
from tuning.pool import Pool, Shape, place

NAME = "fourfold_paged"


@dataclass
class Piece:
    """Several tokens of one sequence, `start` to `end` of the batch."""

    start: int
    end: int
    first: int
    """Position of the first one."""
    index: Tensor
    """Where the sequence's tokens up to the last one stand in the pool."""


@dataclass
class Singles:
    """Sequences with one token each."""

    tokens: Tensor
    """Their places in the batch."""
    positions: Tensor
    index: Tensor
    """Tokens x longest: where each sequence's tokens stand in the pool."""
    shortest: int
    """Length of the shortest sequence; 0 where it is not known beforehand."""

    def seen(self, window: int | None) -> tuple[Tensor, Tensor | None]:
        """Where the keys stand that each may see (tokens x keys), and which of them it may (None: all)."""
        longest = self.index.shape[1]
        at = torch.arange(longest, device=self.index.device)
        if not window or longest <= window:
            return self.index, None if self.shortest == longest else at <= self.positions[:, None]
        columns = (self.positions[:, None] - window + 1).clamp(min=0) + at[:window]
        allowed = (
            columns <= self.positions[:, None]
        )  # a mask even where all are: as in the model's own code, bit for bit
        return self.index.gather(1, columns.clamp(max=longest - 1)), allowed


@dataclass
class View:
    """What attention needs to know of a batch."""

    pool: Pool
    places: Tensor
    """Where each token's keys and values go."""
    pieces: list[Piece]
    singles: Singles | None
    _masks: dict[tuple[int, int], Tensor] = field(default_factory=dict)  # one for all layers of a kind
    _seen: dict[int, tuple[Tensor, Tensor | None]] = field(default_factory=dict)

    @classmethod
    def of(cls, batch: Batch, pool: Pool, device: torch.device) -> "View":
        def tensor(numbers: Any) -> Tensor:
            return torch.tensor(numbers, device=device)

        def index(token: int, length: int) -> list[int]:
            pages, last = batch.pages[batch.sequences[token]], batch.positions[token]
            return [place(pages, min(position, last)) for position in range(length)]

        every = [place(batch.pages[s], p) for s, p in zip(batch.sequences, batch.positions, strict=True)]
        pieces = [
            Piece(start, end, batch.positions[start], tensor(index(end - 1, batch.positions[end - 1] + 1)))
            for start, end in batch.runs
            if end - start > 1
        ]
        alone = [start for start, end in batch.runs if end - start == 1]
        singles = None
        if alone:
            positions = [batch.positions[token] for token in alone]
            longest = max(positions) + 1
            rows = tensor([index(token, longest) for token in alone])
            singles = Singles(tensor(alone), tensor(positions), rows, min(positions) + 1)
        return cls(pool, tensor(every), pieces, singles)

    def piece_mask(self, piece: Piece, window: int | None) -> Tensor | None:
        """Which keys each token of a piece may see; None where that is just causal."""
        keys = len(piece.index)
        if not piece.first and (not window or keys <= window):
            return None
        key = piece.start, window or 0
        if key not in self._masks:
            at = torch.arange(keys, device=piece.index.device)
            positions = at[piece.first :, None]
            self._masks[key] = (at <= positions) & (at > positions - window) if window else at <= positions
        return self._masks[key]

    def seen(self, singles: Singles, window: int | None) -> tuple[Tensor, Tensor | None]:
        """`Singles.seen`, once a step for all layers of a kind."""
        if (window or 0) not in self._seen:
            self._seen[window or 0] = singles.seen(window)
        return self._seen[window or 0]

    def forget(self) -> None:
        """The positions have changed in place."""
        self._seen.clear()


def paged_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    view: View | None = None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """transformers' attention interface: query 1 x heads x tokens x width -> 1 x tokens x heads x width.

    The tokens' keys and values are in the view's pool afterwards. Without a view the tokens are one whole sequence.
    """
    unknown = [name for name in ("softcap", "s_aux", "position_bias") if others.get(name) is not None]
    if unknown:
        raise InputError(f"This model's attention uses {unknown[0]}, which cannot be decoded in one batch with others.")
    if view is None:
        return sdpa_attention_forward(module, query, key, value, None, scaling=scaling)
    layer = int(module.layer_idx)  # type: ignore[arg-type]
    keys, values = view.pool.keys[layer], view.pool.values[layer]
    keys[view.places] = key[0].transpose(0, 1)
    values[view.places] = value[0].transpose(0, 1)
    out = query.new_empty((1, query.shape[2], query.shape[1], value.shape[3]))
    for piece in view.pieces:
        inside = slice(piece.start, piece.end)
        seen = key[:, :, inside], value[:, :, inside]
        if piece.first:
            seen = keys[piece.index].transpose(0, 1)[None], values[piece.index].transpose(0, 1)[None]
        allowed = view.piece_mask(piece, sliding_window)
        mask = None if allowed is None else allowed[None, None]
        out[:, inside] = sdpa_attention_forward(module, query[:, :, inside], *seen, mask, scaling=scaling)[0]
    if view.singles:
        tokens = view.singles.tokens
        index, allowed = view.seen(view.singles, sliding_window)
        mask = None if allowed is None else allowed[:, None, None]
        asked = query[0, :, tokens].transpose(0, 1)[:, :, None]
        seen = keys[index].transpose(1, 2), values[index].transpose(1, 2)
        out[0, tokens] = sdpa_attention_forward(module, asked, *seen, mask, scaling=scaling)[0][:, 0]
    return out, None


AttentionInterface.register(NAME, paged_attention)


@contextmanager
def attention(model: PreTrainedModel, name: str = NAME) -> Iterator[None]:
    """The model with our attention, and as it was before at the end."""
    configs: dict[int, Any] = {}
    for module in model.modules():
        config = getattr(module, "config", None)
        if hasattr(config, "_attn_implementation"):
            configs[id(config)] = config
    before = [(config, config._attn_implementation) for config in configs.values()]
    for config, _ in before:
        config._attn_implementation = name
    try:
        yield
    finally:
        for config, implementation in before:
            config._attn_implementation = implementation


def cache_argument(model: PreTrainedModel) -> str:
    """What the model's `forward` calls its cache; transformers renamed it."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


class Through(Cache):
    """Satisfies the model code, which hands keys and values to a cache; attention itself writes them to the pool."""

    def __init__(self) -> None:
        super().__init__(layers=[])

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        return key_states, value_states


class _Shapes(Through):
    """Notes what each layer would have stored."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[int, Shape] = {}

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        key, value = ((states.shape[1], states.shape[3]) for states in (key_states, value_states))
        self.found[layer_idx] = key, value
        return key_states, value_states


def kv_shapes(model: PreTrainedModel) -> list[Shape]:
    """What each layer keeps. Raises InputError if the model cannot be decoded in one batch of many sequences."""
    seen = _Shapes()
    ids = torch.zeros((1, 1), dtype=torch.long, device=model.device)
    try:
        with torch.inference_mode(), attention(model):
            model(input_ids=ids, position_ids=ids, use_cache=True, view=None, **{cache_argument(model): seen})
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{type(model).__name__} cannot be decoded in one batch with others ({error!r}).") from error
    layers = getattr(model.config.get_text_config(), "num_hidden_layers", len(seen.found))
    if not seen.found or sorted(seen.found) != list(range(layers)):
        raise InputError(
            f"{type(model).__name__} does not keep keys and values in each of its layers, which decoding relies on; "
            "choose a base model with plain attention."
        )
    return [seen.found[layer] for layer in range(layers)]
