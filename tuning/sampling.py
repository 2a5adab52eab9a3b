"""Scores of the next token -> the token, and how likely the model held it.

A row is drawn by itself from its own random numbers, so that its text does not depend on who else is in the batch.
"""

import random
from collections.abc import Sequence

import torch
from torch import Tensor

from tuning.request import Sampling

CANDIDATES = 1024
"""Tokens that are ranked first; the whole vocabulary only where these do not reach `top_p`."""
COLDEST = 1e-30
"""Temperatures below count as this one, which is as good as 0 and divides logits without overflow."""


class Sampler:
    """The choices of one row."""

    def __init__(self, sampling: Sampling, prompt: Sequence[int]) -> None:
        self._sampling = sampling
        self._random = random.Random(sampling.seed)  # torch's generator would heed only 32 bits of the seed
        self._seen = set(prompt) if sampling.repetition_penalty != 1 else set()

    @property
    def plain(self) -> bool:
        """Whether the likeliest token is all that is wanted, which can be found for many rows at once."""
        return self._sampling.temperature == 0 and self._sampling.repetition_penalty == 1

    def choose(self, logits: Tensor) -> int:
        """The next token, from `logits` (vocabulary; float32 on the CPU)."""
        sampling = self._sampling
        if sampling.repetition_penalty != 1:
            logits = penalised(logits, sorted(self._seen), sampling.repetition_penalty)
        greedy = sampling.temperature == 0
        token = int(logits.argmax()) if greedy else self._draw(logits / max(sampling.temperature, COLDEST))
        if sampling.repetition_penalty != 1:
            self._seen.add(token)
        return token

    def _draw(self, logits: Tensor) -> int:
        """Inverse transform over the kept tokens in the order of their ids, so that rounding which reorders two nearly
        equal tokens leaves the draw as it was."""
        tokens, probabilities = kept(logits, self._sampling)
        cumulative = probabilities.double().cumsum(0)
        point = self._random.random() * cumulative[-1]
        return int(tokens[int(torch.searchsorted(cumulative, point, right=True).clamp(max=len(tokens) - 1))])


def penalised(logits: Tensor, seen: Sequence[int], penalty: float) -> Tensor:
    """A copy in which the tokens seen so far score less (Keskar et al. 2019, section 4.1)."""
    index = torch.tensor(seen, dtype=torch.long)
    scores = logits[index]
    return logits.index_put((index,), torch.where(scores > 0, scores / penalty, scores * penalty))


def kept(logits: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """The tokens that may be drawn, by ascending id, and their probabilities (of all tokens after top_k, not summing to
    1). The likeliest token is always among them."""
    limit = min(sampling.top_k or len(logits), len(logits))
    unlimited = limit == len(logits)
    if unlimited and sampling.top_p == 1:  # nothing needs ranking
        probabilities = torch.softmax(logits, dim=-1)
        chosen = (probabilities >= sampling.min_p * probabilities.max()).nonzero()[:, 0]
        return chosen, probabilities[chosen]
    for width in (min(limit, CANDIDATES), limit) if unlimited else (limit,):
        scores, tokens = logits.topk(width)
        # What lies outside the ranked candidates still counts in the sum that probabilities are shares of.
        probabilities = (scores - (logits if unlimited else scores).logsumexp(0)).exp()
        if float(probabilities.sum()) > sampling.top_p:
            break
    before = probabilities.cumsum(0) - probabilities
    inside = (before < sampling.top_p) & (probabilities >= sampling.min_p * probabilities[0])
    inside[0] = True
    chosen, order = tokens[inside].sort()
    return chosen, probabilities[inside][order]
