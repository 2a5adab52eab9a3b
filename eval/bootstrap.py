"""The intervals by resampling, as a check on those by formula: slower, and with no formula to be wrong.

Prompts are drawn with replacement and, independently, raters; a choice counts as often as both of its were drawn (the
pigeonhole bootstrap: Owen 2007, Annals of Applied Statistics 1). It errs on the wide side where both differ little.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from eval.choice_model import fit
from eval.choices import Choices, Floats, renumbered
from eval.factorial import EFFECTS
from eval.fitted import counted, fit_choices
from eval.ranking import Ranking
from eval.variants import IDS

LEAST_PRIOR = 1e-3
"""In a resample somebody may always win, so that none has no finite fit."""


def bootstrap(choices: Choices, ranking: Ranking, times: int, seed: int = 0) -> dict[str, Any]:
    """Percentile intervals of every difference that `ranking` lists, from `times` resamples.

    Keys: `times` and `differences`, a list of `name`, `se`, `low`, `high`.
    """
    settings = ranking.settings
    kept = counted(choices, settings)
    found = fit_choices(kept, settings)
    _, row = kept.distinct()
    random = np.random.default_rng(seed)
    clusters = [renumbered(number) for _, number in kept.clusters] or [renumbered(kept.vote)]
    drawn = []
    for _ in range(times):
        weight = kept.weight.copy()
        for number, count in clusters:
            if count > 1:
                weight *= np.bincount(random.integers(count, size=count), minlength=count)[number]
        weights = np.bincount(row, weight, len(found.table.count)).astype(np.float64)
        drawn.append(fit(replace(found.table, count=weights), settings.prior or LEAST_PRIOR)[: len(kept.names)])
    sample = np.array(drawn)
    tail = (1 - settings.level) / 2
    differences = []
    for name, weights in _weights(kept.names, ranking):
        values = sample @ weights
        low, high = np.quantile(values, [tail, 1 - tail])
        differences.append({"name": name, "se": float(values.std()), "low": float(low), "high": float(high)})
    return {"times": times, "differences": differences}


def _weights(names: tuple[str, ...], ranking: Ranking) -> list[tuple[str, Floats]]:
    unit = np.eye(len(names))
    rows = [
        (f"{row.left} - {row.right}", unit[names.index(row.left)] - unit[names.index(row.right)])
        for row in ranking.contrasts
    ]
    if names == IDS:
        rows += [(f"effect of {name}", np.array(weights)) for name, weights in EFFECTS.items()]
    return rows
