"""Choices with ties -> strengths. Knows nothing of votes, variants or files.

One model for pairs, best of four and rankings, the Davidson-Luce model (Firth, Kosmidis and Turner 2019, arXiv
1909.07123): the chance that the set T is called best of the offered ones is proportional to
delta_|T| * (product of strengths in T)^(1/|T|). For pairs it is Davidson's (1970, Journal of the American Statistical
Association 65) and without ties Bradley and Terry's (1952, Biometrika 39); a ranking is a choice of the best, then of
the best of the rest (Plackett 1975, Applied Statistics 24). In logs it is a multinomial logit whose alternatives are
sets, so that the likelihood is concave, and slot, length or format of an answer enter as further terms.

The prior is a ridge, prior/2 * sum(parameter^2): a normal prior with variance 1/prior on each. It is weak, it is
declared, and it keeps the fit finite where one player always wins.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from eval.choices import Booleans, Choices, Floats, Integers
from eval.errors import InputError

STEPS = 200
TOLERANCE = 1e-9
"""Of the last step; Newton then stands closer than its square."""


@dataclass(frozen=True, eq=False)
class Table:
    """Choices laid out for the fit, one a row. A row's local parameters are the strengths in its slots, then the terms
    that all rows share."""

    players: int
    terms: tuple[str, ...]
    """The shared parameters, numbered after the strengths: of slots, covariates and ties."""
    index: Integers
    """(rows, local) The number of each local parameter."""
    features: Floats
    """(rows, outcomes, local) Of each set that could have been chosen."""
    possible: Booleans
    """(rows, outcomes)"""
    target: Floats
    """(rows, outcomes) The set that was chosen; where a tie is half a win, it is spread over its members."""
    count: Floats
    """(rows,) How often the choice was made."""

    @property
    def size(self) -> int:
        """How many parameters there are."""
        return self.players + len(self.terms)

    @property
    def start(self) -> Floats:
        """Parameters (size,) to begin a fit with."""
        return np.zeros(self.size)

    @cached_property
    def places(self) -> Integers:
        """(rows, local, local) Flat places in a (size, size) matrix."""
        return np.asarray(self.index[:, :, None] * self.size + self.index[:, None, :])

    def log_likelihood(self, parameters: Floats) -> Floats:
        """(rows,) Of one choice of each row."""
        return np.asarray((self.target * self._log_chance(parameters)).sum(axis=1))

    def derivatives(self, parameters: Floats) -> tuple[Floats, Floats]:
        """Of one choice of each row: the score (rows, local) and the information (rows, local, local)."""
        log_chance = self._log_chance(parameters)
        chance = np.where(self.possible, np.exp(log_chance), 0.0)
        # 1 - chance to all digits, where somebody nearly always wins
        residual = np.where(self.target == 1.0, -np.expm1(log_chance), self.target - chance)
        score = (residual[:, None, :] @ self.features)[:, 0]
        weighted = chance[:, :, None] * self.features
        mean = weighted.sum(axis=1)
        return score, np.swapaxes(self.features, 1, 2) @ weighted - mean[:, :, None] * mean[:, None, :]

    def total_score(self, score: Floats) -> Floats:
        """(size,) The sum over all choices of a score (rows, local) of each."""
        return np.bincount(self.index.ravel(), (self.count[:, None] * score).ravel(), self.size).astype(np.float64)

    def total_information(self, information: Floats) -> Floats:
        """(size, size) The sum over all choices of an information (rows, local, local) of each."""
        weighted = (self.count[:, None, None] * information).ravel()
        total = np.bincount(self.places.ravel(), weighted, self.size**2).astype(np.float64)
        return total.reshape(self.size, self.size)

    def _log_chance(self, parameters: Floats) -> Floats:
        utility = (self.features @ parameters[self.index][:, :, None])[:, :, 0]
        utility = np.where(self.possible, utility, -np.inf)
        best = utility.argmax(axis=1)[:, None]
        utility -= np.take_along_axis(utility, best, axis=1)
        others = np.exp(utility)
        np.put_along_axis(others, best, 0.0, axis=1)
        total = np.log1p(others.sum(axis=1, keepdims=True))
        return np.where(self.possible, utility - total, 0.0)


def lay_out(choices: Choices, ties: str, position: bool = False) -> Table:
    """The table of `choices`; `ties` is `davidson` or `half`, `position` adds a term for each slot but the last."""
    slots = choices.items.shape[1]
    sets = subsets(slots)
    size = sets.sum(axis=1)
    number = choices.chosen.sum(axis=1)
    kinds: list[tuple[bool, int]] = []
    if ties == "davidson":
        ranked = choices.ranked[number > 1].tolist()
        kinds = sorted(set(zip(ranked, number[number > 1].tolist(), strict=True)))
        target = (sets == choices.chosen[:, None, :]).all(axis=2).astype(np.float64)
    else:
        target = np.zeros((len(choices), len(sets)))
        target[:, :slots] = choices.chosen / number[:, None]
    tied = _tied(choices, sets, kinds)
    offered = choices.items >= 0
    possible = ~(sets & ~offered[:, None, :]).any(axis=2) & ((size == 1) | tied.any(axis=2))
    used = possible.any(axis=0) | (size == 1)
    share = sets / size[:, None]
    shape = (len(choices), len(sets))
    blocks = [np.broadcast_to(share, (*shape, slots))]
    terms = []
    if position:
        blocks.append(np.broadcast_to(share[:, :-1], (*shape, slots - 1)))
        terms += [f"position {slot}" for slot in range(1, slots)]
    for name, value in choices.covariates:
        blocks.append((np.where(offered, value, 0.0) @ share.T)[:, :, None])
        terms.append(name)
    blocks.append(tied.astype(np.float64))
    terms += [f"tie of {size}" + " in a ranking" * ranked for ranked, size in kinds]
    features = np.concatenate(blocks, axis=2)[:, used]
    shared = np.broadcast_to(len(choices.names) + np.arange(len(terms)), (len(choices), len(terms)))
    return Table(
        players=len(choices.names),
        terms=tuple(terms),
        index=np.concatenate([np.maximum(choices.items, 0), shared], axis=1),
        features=np.where(possible[:, used, None], features, 0.0),
        possible=possible[:, used],
        target=target[:, used],
        count=choices.weight,
    )


def _tied(choices: Choices, sets: Booleans, kinds: list[tuple[bool, int]]) -> Booleans:
    """(n, sets, kinds) Would the set be a tie of the kind? Outside of rankings only all that is offered can tie."""
    offered = choices.items >= 0
    inside = ~(sets & ~offered[:, None, :]).any(axis=2)
    size = sets.sum(axis=1)
    whole = size == offered.sum(axis=1)[:, None]
    tied = np.zeros((len(choices), len(sets), len(kinds)), dtype=bool)
    for number, (ranked, members) in enumerate(kinds):
        tied[:, :, number] = inside & (size == members) & (choices.ranked == ranked)[:, None]
        if not ranked:
            tied[:, :, number] &= whole
    return tied


@lru_cache
def subsets(slots: int) -> Booleans:
    """All non-empty subsets (2^slots - 1, slots), smallest first."""
    groups = [group for size in range(1, slots + 1) for group in combinations(range(slots), size)]
    return np.array([[slot in group for slot in range(slots)] for group in groups], dtype=bool).reshape(-1, slots)


def fit(table: Table, prior: float) -> Floats:
    """Parameters (size,), the strengths with mean zero, that minimise the penalised negative log-likelihood.

    Raises `InputError` where `prior` is 0 and no finite fit exists.
    """
    if prior == 0:
        _require_finite(table)
    parameters = table.start
    value = _objective(table, parameters, prior)
    for _ in range(STEPS):
        score, information = table.derivatives(parameters)
        gradient = table.total_score(score) - prior * parameters
        step = np.linalg.solve(penalised(table, information, prior), gradient)
        length = 1.0
        while (new := _objective(table, parameters + length * step, prior)) > value + 1e-12 * abs(value):
            length /= 2  # a full step can overshoot where one player always wins
            if length < 1e-6:
                break
        parameters, value = parameters + length * step, new
        if np.abs(step).max(initial=0.0) < TOLERANCE:
            parameters[: table.players] -= parameters[: table.players].sum() / max(table.players, 1)
            return parameters
    raise InputError(f"The fit did not settle in {STEPS} steps with prior {prior:g}; give a larger prior, such as 0.5.")


def penalised(table: Table, information: Floats, prior: float) -> Floats:
    """Total information with the prior (size, size), made regular: only differences of strengths are identified, and a
    constant block fixes their mean at zero and leaves every difference as it is."""
    total = table.total_information(information) + prior * np.eye(table.size)
    total[: table.players, : table.players] += 1.0 / max(table.players, 1)
    return total


def mean_log_loss(table: Table, parameters: Floats) -> float:
    """Mean negative log-likelihood of a choice in nats; nan without choices."""
    total = table.count.sum()
    return float(-(table.count @ table.log_likelihood(parameters)) / total) if total else float("nan")


def _objective(table: Table, parameters: Floats, prior: float) -> float:
    return float(prior / 2 * parameters @ parameters - table.count @ table.log_likelihood(parameters))


def _require_finite(table: Table) -> None:
    """Ford (1957, American Mathematical Monthly 64): finite strengths need a chain of wins from each to each other."""
    slots = table.index.shape[1] - len(table.terms)
    member = table.features[:, :, :slots] > 0
    offered = np.asarray(member.any(axis=1))
    best = np.asarray((member & (table.target > 0)[:, :, None]).any(axis=1))
    row, winner, loser = np.nonzero(best[:, :, None] & offered[:, None, :])
    edges = sparse.coo_array(
        (np.ones(len(row)), (table.index[row, winner], table.index[row, loser])), shape=(table.players, table.players)
    )
    if csgraph.connected_components(edges.tocsr(), connection="strong")[0] > 1:
        raise InputError(
            "Without a prior these votes have no finite fit, because some name never lost to, never beat or"
            " never met the others; give a prior above 0."
        )
