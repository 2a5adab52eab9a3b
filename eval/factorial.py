"""The 2x2 read as what it is: what tuning adds, what retrieval adds, and what the two add together.

Plain arithmetic on one figure for each variant, in the order of `IDS`: log strengths here, scores in a benchmark.
"""

import numpy as np
from scipy.special import expit

from eval.choices import Floats
from eval.variants import IDS, VARIANTS

EFFECTS: dict[str, tuple[float, ...]] = {
    "tuning": tuple((1 if variant.tuned else -1) / 2 for variant in VARIANTS),
    "retrieval": tuple((1 if variant.documents else -1) / 2 for variant in VARIANTS),
    "interaction": tuple(1.0 if variant.tuned == variant.documents else -1.0 for variant in VARIANTS),
}
"""Weights on the figures, in the order of `IDS`. Tuning: the mean of what the adapter adds without and with documents;
retrieval likewise; interaction: what tuning adds with documents minus what it adds without."""


def interaction_of_win_rates(strengths: Floats) -> tuple[float, Floats]:
    """How much more often the adapter wins a pair with documents than without, and its gradient (4,) in the strengths.

    0.1: `combined` beats `rag` in ten pairs of a hundred more than `tuned` beats `base`.
    """
    weights = np.zeros((2, len(IDS)))
    for row, documents in enumerate((True, False)):
        for number, variant in enumerate(VARIANTS):
            if variant.documents == documents:
                weights[row, number] = 1.0 if variant.tuned else -1.0
    rate = expit(weights @ strengths)
    slope = rate * (1 - rate)
    return float(rate[0] - rate[1]), np.asarray(slope[0] * weights[0] - slope[1] * weights[1])
