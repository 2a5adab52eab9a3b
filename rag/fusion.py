"""Several rankings to one."""

from collections import defaultdict
from collections.abc import Sequence


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[int]], k: int, constant: int = 60
) -> tuple[list[int], list[float]]:
    """The k ids with the largest sum of 1 / (constant + rank) over the rankings, rank from 1; ties to the lower id.

    Cormack, Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods",
    SIGIR 2009; the constant is theirs.
    """
    sums: dict[int, float] = defaultdict(float)
    for ranking in rankings:
        for rank, identity in enumerate(ranking, 1):
            sums[identity] += 1 / (constant + rank)
    best = sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:k]
    return [identity for identity, _ in best], [total for _, total in best]
