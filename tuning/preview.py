"""Rows as the model will see them: their tokens as text, and which of them it learns to write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from tuning.encoding import IGNORED, encode
from tuning.rows import Row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from tuning.dialogues import Dataset

MARKS = "⟦", "⟧"
"""What stands around the learnt words where there are no colours."""
COLOUR = "\x1b[1;32m", "\x1b[0m"


@dataclass(frozen=True)
class Segment:
    """Tokens in a row that are all learnt, or all only read."""

    text: str
    learnt: bool
    tokens: int


@dataclass(frozen=True)
class Preview:
    """One row in segments, control tokens and all."""

    place: str
    segments: tuple[Segment, ...]
    rejected: str | None = None
    """Of a preference row, the answer that is to become less likely."""
    good: bool | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def marked(self, colours: bool) -> str:
        """The row with its learnt words coloured, or in brackets."""
        before, after = COLOUR if colours else MARKS
        return "".join(f"{before}{part.text}{after}" if part.learnt else part.text for part in self.segments)


def first_batch(data: Dataset, tokenizer: PreTrainedTokenizerBase, batch_size: int, seed: int) -> list[Preview]:
    """The rows of the first step, in the order in which a processor trains on answers; of other kinds, some rows."""
    from tuning.order import FamilyOrder, families  # which loads torch

    rows = data.splits.train
    if data.kind != "answers":
        return preview(rows[:batch_size], tokenizer)
    tokens = families([vars(encode(tokenizer, row.grounded)) for row in rows])
    return preview([rows[at] for at in list(FamilyOrder(tokens, batch_size, seed))[:batch_size]], tokenizer)


def preview(rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase) -> list[Preview]:
    """How the rows will be shown to the model."""
    return [Preview(row.place, tuple(_segments(row, tokenizer)), row.rejected, row.good) for row in rows]


def _segments(row: Row, tokenizer: PreTrainedTokenizerBase) -> list[Segment]:
    example = encode(tokenizer, row.grounded)
    pairs = zip(example.input_ids, example.labels, strict=True)
    parts = []
    for learnt, members in groupby(pairs, lambda pair: pair[1] != IGNORED):
        ids = [token for token, _ in members]
        text = tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        parts.append(Segment(str(text), learnt, len(ids)))
    return parts
