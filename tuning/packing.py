"""A batch of rows as one tree of tokens: no padding, and what several rows begin with is computed once.

Rows of a table begin alike: with the system prompt, with the same passages, with the earlier turns of a conversation.
A causal model computes the same for the same beginning, so the rows of a batch are laid out as the tree of their
tokens: each node is a run of tokens that follows its parent's, and attends to its ancestors and to itself. Loss and
gradients are those of the rows apart. Only attention tells nodes apart, so that is all that is replaced.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import AttentionInterface

from tuning.errors import InputError

NAME = "fourfold_packed"
IGNORED = -100
LEAST = 8
"""Shorter beginnings cost more to keep apart than to compute again."""

MOST = 128
"""Longer runs are cut into several nodes: a token attends to all keys of its node at once, later ones for nothing."""

Spans = tuple[tuple[int, int], ...]
"""Starts and ends of runs of tokens in a pack."""

Row = Mapping[str, Sequence[int]]
"""`input_ids` and `labels` of one row, equally long."""


@dataclass(frozen=True)
class Node:
    """Tokens `start` to `end` of the pack, which follow those in `before` (spans of the ancestors, the root first)."""

    start: int
    end: int
    before: Spans

    @property
    def first(self) -> int:
        """Position of the first token in its row."""
        return sum(end - start for start, end in self.before)


@dataclass
class Pack:
    """The tree of a batch's tokens."""

    ids: list[int] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    """Position of each token in its row."""
    nodes: list[Node] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    """Tokens of the pack after which a row has an answer token, and those answer tokens."""
    labels: list[int] = field(default_factory=list)
    layers: set[int] = field(default_factory=set)
    """Layers whose attention has asked for this tree."""
    _masks: dict[tuple[int, int, str], Tensor] = field(default_factory=dict)

    def mask(self, node: Node, window: int | None, device: torch.device) -> Tensor | None:
        """Which keys (ancestors' and own) each token of the node may see; None where that is just causal."""
        length = node.first + node.end - node.start
        window = window if window and length > window else None
        if not node.before and not window:
            return None
        key = node.start, window or 0, str(device)
        if key not in self._masks:
            keys = torch.arange(length, device=device)
            queries = keys[node.first :, None]
            seen = keys <= queries
            self._masks[key] = seen & (keys > queries - window) if window else seen
        return self._masks[key]


def pack(rows: Sequence[Row]) -> Pack:
    """The tree of `rows`. Beginnings are shared up to the token before a row's first answer."""
    tree = Pack()
    order = sorted(range(len(rows)), key=lambda number: list(rows[number]["input_ids"]))
    _grow(tree, [rows[number] for number in order], [_shareable(rows[number]) for number in order], 0, ())
    return tree


def _shareable(row: Row) -> list[int]:
    """The row's tokens before the one that predicts its first answer token: there, rows have no labels to differ in."""
    labels = row["labels"]
    first = next((number for number, label in enumerate(labels) if label != IGNORED), len(labels))
    return list(row["input_ids"][: max(first - 1, 0)])


def _grow(tree: Pack, rows: Sequence[Row], heads: Sequence[list[int]], depth: int, before: Spans) -> None:
    """Add `rows`, in the order of their tokens, of which the first `depth` stand in the spans `before`."""
    if len(rows) == 1:
        _leaf(tree, rows[0], depth, before)
        return
    shared = min(beginning(heads[0], head) for head in heads[1:])
    if shared - depth >= LEAST:
        _, spans = _add(tree, rows[0]["input_ids"][depth:shared], depth, before)
        _grow(tree, rows, heads, shared, spans)
        return
    # No beginning of all: cut where two neighbours have least in common, as long as a part keeps enough of its own.
    parts = _parts(heads, depth)
    if len(parts) == len(rows):
        for row in rows:
            _leaf(tree, row, depth, before)
        return
    for start, end in parts:
        _grow(tree, rows[start:end], heads[start:end], depth, before)


def beginning(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((number for number, (ours, theirs) in pairs if ours != theirs), min(len(one), len(other)))


def _parts(heads: Sequence[list[int]], depth: int) -> list[tuple[int, int]]:
    """Runs of neighbours that share at least `LEAST` tokens beyond `depth`."""
    cuts = [0]
    for number in range(1, len(heads)):
        ours, theirs = heads[number - 1][: depth + LEAST], heads[number][: depth + LEAST]
        if ours != theirs or len(ours) < depth + LEAST:
            cuts.append(number)
    return list(zip(cuts, [*cuts[1:], len(heads)], strict=True))


def _leaf(tree: Pack, row: Row, depth: int, before: Spans) -> None:
    """The rest of a row, with its answers."""
    start, _ = _add(tree, row["input_ids"][depth:], depth, before)
    for number, label in enumerate(row["labels"][depth + 1 :]):
        if label != IGNORED:
            tree.asked.append(start + number)
            tree.labels.append(label)


def _add(tree: Pack, ids: Sequence[int], depth: int, before: Spans) -> tuple[int, Spans]:
    """Append a run of tokens; returns where it starts, and the spans of a node that follows it."""
    start = len(tree.ids)
    for cut in range(0, len(ids), MOST):
        node = Node(start + cut, start + min(cut + MOST, len(ids)), before)
        tree.nodes.append(node)
        before = (*before, (node.start, node.end))
    tree.ids += ids
    tree.at += range(depth, depth + len(ids))
    return start, before


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    pack: Pack | None = None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """transformers' attention interface: query 1 x heads x tokens x width -> 1 x tokens x heads x width."""
    unknown = [name for name in ("softcap", "s_aux", "position_bias") if others.get(name) is not None]
    if unknown or pack is None:
        raise InputError(f"this model's attention cannot be packed ({unknown or 'the tree does not reach it'})")
    pack.layers.add(int(module.layer_idx))  # type: ignore[arg-type]
    # Cut once and put together again, since each further cut of a tensor costs a pass over all of it backwards.
    sizes = [node.end - node.start for node in pack.nodes]
    place = {node.start: number for number, node in enumerate(pack.nodes)}
    queries, keys, values = (torch.split(states, sizes, dim=2) for states in (query, key, value))
    parts = []
    for number, node in enumerate(pack.nodes):
        path = [*(place[start] for start, _ in node.before), number]
        allowed = pack.mask(node, sliding_window, query.device)
        parts.append(
            sdpa_attention_forward(
                module,
                queries[number],
                torch.cat([keys[at] for at in path], dim=2),
                torch.cat([values[at] for at in path], dim=2),
                None if allowed is None else allowed[None, None],
                scaling=scaling,
                dropout=dropout,
                is_causal=allowed is None and sizes[number] > 1,
            )[0]
        )
    return torch.cat(parts, dim=1), None


AttentionInterface.register(NAME, packed_attention)
ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, lambda *_, **__: None)
