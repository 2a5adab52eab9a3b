"""Token ids, one at a time -> text that only ever grows: no half characters, no half stop strings."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

BROKEN = "\ufffd"
"""What bytes of a character decode to that is not whole."""


class Text:
    """The text of one answer. `shown` grows with each token; `close` brings out what was held back."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, stops: Sequence[str] = ()) -> None:
        self._tokenizer = tokenizer
        self._stops = tuple(stops)
        self._longest = max(map(len, stops), default=0)
        self._ids: list[int] = []
        # How a token is spelt can depend on the one before it (a leading space, say): tokens are decoded together with
        # the last settled ones, and what these spell by themselves is cut off again.
        self._settled, self._start = 0, 0
        self._whole = ""
        self.stopped = False
        """Whether a stop string was reached; the text then ends before it."""
        self.shown = ""

    def add(self, token: int) -> None:
        self._ids.append(token)
        fresh = self._spelt()
        if fresh and not fresh.endswith(BROKEN):
            self._start, self._settled = self._settled, len(self._ids)
            self._grow(fresh)

    def close(self) -> None:
        """No token follows: what was held back as the possible beginning of something is text after all."""
        if not self.stopped:
            self._grow(self._spelt())
            self._settled = len(self._ids)
        if not self.stopped:
            self.shown = self._whole.strip()

    def _spelt(self) -> str:
        settled = self._decode(self._ids[self._start : self._settled])
        return self._decode(self._ids[self._start :])[len(settled) :]

    def _decode(self, ids: list[int]) -> str:
        return str(
            self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False) if ids else ""
        )

    def _grow(self, fresh: str) -> None:
        searched = max(0, len(self._whole) - self._longest)
        self._whole += fresh
        # Of stop strings that overlap, the one completed first counts: so it does not matter where tokens meet.
        hits = [
            (position + len(stop), position)
            for stop in self._stops
            if (position := self._whole.find(stop, searched)) >= 0
        ]
        self.stopped = bool(hits)
        held = max(
            (n for stop in self._stops for n in range(1, len(stop)) if self._whole.endswith(stop[:n])), default=0
        )
        end = min(hits)[1] if hits else len(self._whole) - held
        # A model may open with the line break that follows its turn's head; a last space waits for what it separates.
        self.shown = self._whole[:end].strip()
