"""Bradley-Terry strengths from pair outcomes: arrays in, arrays out. Knows nothing of votes, variants or files.

P(i beats j) = sigma(theta_i - theta_j) (Bradley and Terry 1952, Biometrika 39). A tie is half a win for either side.
The prior is a ridge, prior/2 * sum(theta^2): a normal prior with variance 1/prior on each strength. It is weak, it is
declared, and it keeps the fit finite where one player always wins.
"""

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph
from scipy.special import expit

from eval.errors import InputError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

STEPS = 200
TOLERANCE = 1e-9
"""Of the last step; Newton then stands closer than its square."""


def fit(left: Integers, right: Integers, score: Floats, players: int, prior: float) -> Floats:
    """Log strengths (players,), mean zero, that minimise the penalised negative log-likelihood.

    `left` and `right` (n,) are players, `score` (n,) is what the left one got: 1, 0, or ½ for a tie.
    Raises `InputError` where `prior` is 0 and no finite fit exists.
    """
    # The likelihood needs only who scored how much against whom, so that Newton works on a small matrix.
    wins = _table(left, right, score, players) + _table(right, left, 1.0 - score, players)
    if prior == 0 and csgraph.connected_components(sparse.csr_matrix(wins > 0), connection="strong")[0] > 1:
        # Ford (1957, American Mathematical Monthly 64): finite strengths need a chain of wins from each to each other.
        raise InputError(
            "Without a prior these votes have no finite fit, because some name never lost to, never beat or"
            " never met the others; give a prior above 0."
        )
    strength = np.zeros(players)
    value = _objective(strength, wins, prior)
    for _ in range(STEPS):
        chance = _chance(strength)
        gradient = (wins * chance.T - wins.T * chance).sum(1) - prior * strength
        step = np.linalg.solve(_bordered(information(strength, wins + wins.T), prior), gradient)
        size = 1.0
        while _objective(strength + size * step, wins, prior) > value + 1e-12 * abs(value) and size > 1e-6:
            size /= 2  # a full step can overshoot where one player always wins
        strength = strength + size * step
        strength -= strength.mean()
        value = _objective(strength, wins, prior)
        if np.abs(step).max(initial=0.0) < TOLERANCE:
            return strength
    raise InputError(f"The fit did not settle in {STEPS} steps with prior {prior:g}; give a larger prior, such as 0.5.")


def covariance(
    strength: Floats,
    left: Integers,
    right: Integers,
    score: Floats,
    cluster: Integers,
    prior: float,
    small_sample: bool = True,
) -> Floats:
    """Covariance (players, players) of the mean-zero strengths: the sandwich, clustered by `cluster` (n,).

    V = H^-1 (B + prior I) H^-1, where H is the penalised information and B the sum over clusters of the outer product
    of the cluster's score (Liang and Zeger 1986). The prior counts as an observation of its own, so that without votes
    V is the prior's covariance and no interval ever has zero width.

    `small_sample` adds the correction of Morel, Bokossa and Neerchal (2003, Biometrical Journal 45, d=2, r=1) for few
    clusters, and lets B fall nowhere below the information of the decided outcomes: a name that was hardly ever picked
    leaves residuals near zero, and intervals from those alone held the truth in 76 of 100 simulated votes instead of
    95. Without it and with `prior` 0 the result is the plain cluster-robust (each outcome its own cluster: HC0)
    covariance.
    """
    players = len(strength)
    met = _table(left, right, np.ones(len(score)), players)
    plain = information(strength, met + met.T)
    bread = np.asarray(np.linalg.inv(_bordered(plain, prior)), dtype=np.float64)
    clusters, group = np.unique(cluster, return_inverse=True)
    residual = score - expit(strength[left] - strength[right])
    scores = sparse.csr_matrix(
        (np.concatenate([residual, -residual]), (np.tile(group, 2), np.concatenate([left, right]))),
        shape=(len(clusters), players),
    )
    meat = np.asarray((scores.T @ scores).toarray(), dtype=np.float64)
    if small_sample:
        decided = (np.count_nonzero(score != 0.5) + 1) / (len(score) + 1)
        inflated = _inflated(meat, plain, bread, len(clusters), len(score))
        meat = _at_least(_bordered(inflated, prior), _bordered(decided * plain, prior))
    else:
        meat = _bordered(meat, prior)
    centre = np.eye(players) - 1.0 / players
    return np.asarray(centre @ bread @ meat @ bread @ centre)


def information(strength: Floats, met: Floats) -> Floats:
    """Fisher information (players, players) of the likelihood; `met` counts how often each two met."""
    chance = _chance(strength)
    weight = met * chance * chance.T
    return np.asarray(np.diag(weight.sum(1)) - weight)


def mean_log_loss(strength: Floats, left: Integers, right: Integers, score: Floats) -> float:
    """Mean negative log-likelihood of an outcome in nats; a tie is half a win and half a loss."""
    lead = strength[left] - strength[right]
    return float(np.mean(np.logaddexp(0.0, -lead) + (1.0 - score) * lead))


def _table(row: Integers, column: Integers, amount: Floats, players: int) -> Floats:
    sums = np.bincount(row * players + column, amount, players * players)
    return np.asarray(sums, dtype=np.float64).reshape(players, players)


def _inflated(meat: Floats, plain: Floats, bread: Floats, clusters: int, outcomes: int) -> Floats:
    free = len(meat) - 1
    if clusters < 2:
        # One cluster says nothing about the spread between clusters: all of its outcomes count as one.
        return plain * outcomes
    meat = meat * (clusters / (clusters - 1))
    share = free / (clusters - free) if clusters > 3 * free else 0.5
    return meat + share * max(1.0, float(np.trace(bread @ meat)) / max(free, 1)) * plain


def _at_least(matrix: Floats, floor: Floats) -> Floats:
    """`matrix` with its eigenvalues relative to `floor` raised to 1 at least: x'Mx >= x'Fx for every x."""
    values, vectors = np.linalg.eigh(floor)
    values = np.maximum(values, 1e-14 * values.max())  # rounding can make the smallest one negative
    root, inverse = ((vectors * values**power) @ vectors.T for power in (0.5, -0.5))
    ratio, directions = np.linalg.eigh(inverse @ matrix @ inverse)
    return np.asarray(root @ ((directions * np.maximum(ratio, 1.0)) @ directions.T) @ root)


def _chance(strength: Floats) -> Floats:
    return np.asarray(expit(strength[:, None] - strength[None, :]))


def _objective(strength: Floats, wins: Floats, prior: float) -> float:
    lead = strength[:, None] - strength[None, :]
    return float((wins * np.logaddexp(0.0, -lead)).sum() + prior / 2 * strength @ strength)


def _bordered(plain: Floats, prior: float) -> Floats:
    # Only differences are identified; a constant matrix fixes the mean at zero and leaves every difference as it is.
    return plain + prior * np.eye(len(plain)) + 1.0 / len(plain)
