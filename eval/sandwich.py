"""How far estimates could be off: covariances that hold although votes on one prompt, or of one rater, are alike.

V = H^-1 B H^-1, with H the penalised information and B the sum over clusters of the outer product of the cluster's
score (Liang and Zeger 1986, Biometrika 73). With two ways to cluster, V = V_prompt + V_rater - V_both (Cameron, Gelbach
and Miller 2011, Journal of Business & Economic Statistics 29). For few clusters each part is multiplied by G / (G - 1),
what raters add to a variance is never taken as negative, and quantiles are those of t with the degrees of freedom of
Satterthwaite (1946, Biometrics Bulletin 2). That the intervals then hold what they promise is shown by
`python -m eval simulate`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from scipy import sparse

from eval.choice_model import Table, penalised
from eval.choices import Floats, Integers, renumbered

FEW = 64
"""Up to so many parameters, matrices with a column for each are not sparse."""


@dataclass(frozen=True, eq=False)
class Spread:
    """The covariance of all parameters, in the parts that it is made of, each (size, size)."""

    first: Floats
    """What the first way of clustering gives."""
    more: Floats
    """What the second way adds; zero without one."""
    prior: Floats
    """What not knowing the prior's centre adds: no interval ever has zero width."""
    clusters: tuple[int, int]
    """Of the first and of the second way; 0 without one."""
    small_sample: bool

    def of(self, weights: Floats) -> tuple[float, float]:
        """Variance of the linear contrast `weights` (size,), and its degrees of freedom."""
        first, more, prior = (float(weights @ part @ weights) for part in (self.first, self.more, self.prior))
        if not self.small_sample:
            return first + more + prior, inf
        more = max(more, 0.0)  # by chance raters can seem to disagree less than not at all
        doubt = sum(part**2 / max(count - 1, 1) for part, count in zip((first, more), self.clusters, strict=True))
        return first + more + prior, (first + more + prior) ** 2 / doubt if doubt > 0 else inf

    @property
    def covariance(self) -> Floats:
        """The whole, without negative variances."""
        if not self.small_sample:
            return self.first + self.more + self.prior
        values, vectors = np.linalg.eigh(self.more)
        return np.asarray(self.first + (vectors * np.maximum(values, 0.0)) @ vectors.T + self.prior)


def spread(
    table: Table,
    parameters: Floats,
    row: Integers,
    weight: Floats,
    clusters: Sequence[Integers],
    prior: float,
    small_sample: bool = True,
) -> Spread:
    """The spread of fitted `parameters`. `row` (n,) is each choice's row of `table`, `weight` (n,) its weight, and each
    of at most two `clusters` (n,) numbers it.

    Without `small_sample` and with `prior` 0 the covariance is the plain cluster-robust one, for one or two ways.
    """
    score, information = table.derivatives(parameters)
    bread = np.linalg.inv(penalised(table, information, prior))
    local = _by_parameter(table, score)

    def one_way(cluster: Integers) -> tuple[Floats, int]:
        number, count = renumbered(cluster)
        if small_sample and count < 2:
            # One cluster says nothing about the spread between clusters: all that it holds counts as one.
            return bread @ table.total_information(information) @ bread * max(len(row), 1), count
        sums = sparse.csr_array((weight, (number, row)), shape=(count, len(score))) @ local
        meat = (sums.T @ sums).toarray() if sparse.issparse(sums) else sums.T @ sums
        return bread @ meat @ bread * (count / (count - 1) if small_sample else 1.0), count

    first, count = one_way(clusters[0])
    more, others = np.zeros_like(first), 0
    if len(clusters) > 1:
        second, others = one_way(clusters[1])
        more = second - one_way(clusters[0] * (int(clusters[1].max(initial=0)) + 1) + clusters[1])[0]
    return Spread(first, more, prior * bread @ bread, (count, others), small_sample)


def _by_parameter(table: Table, score: Floats) -> sparse.csr_array | Floats:
    """The score of each row over all parameters (rows, size), sparse where there are many of both."""
    rows, local = table.index.shape
    places = np.arange(0, rows * local + 1, local)
    matrix = sparse.csr_array((score.ravel(), table.index.ravel(), places), shape=(rows, table.size))
    return matrix.toarray() if table.size <= FEW else matrix
