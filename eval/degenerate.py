"""Votes that say less than they seem to: said in words, because no number shows it."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from eval.choices import Choices, Integers

FEW_CLUSTERS = 10
"""With fewer prompts, how much they differ is itself hardly known."""


def warnings(choices: Choices, record: Integers, votes: int, clusters: Mapping[str, int]) -> tuple[str, ...]:
    """Sentences on what these choices cannot show. `record` (names, 3) counts each name's wins, losses and ties,
    `clusters` how many prompts and raters there are."""
    if not choices.names:
        return ()
    if not len(choices):
        return ("No vote has chosen anything yet: all that is shown is what is assumed before any vote.",)
    lines = [*_unconnected(choices), *_one_sided(choices.names, record), *_clusters(votes, clusters)]
    if not record[:, :2].any():
        lines.append("Every vote is a tie: nothing tells the names apart, and nothing shows that they are equal.")
    return tuple(lines)


def _unconnected(choices: Choices) -> list[str]:
    slots = choices.items.shape[1]
    pairs = [(one, other) for one in range(slots) for other in range(one)]
    edges = np.concatenate([choices.items[:, pair] for pair in pairs])
    edges = np.unique(edges[(edges >= 0).all(axis=1)], axis=0)
    graph = sparse.coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(len(choices.names),) * 2)
    count, part = csgraph.connected_components(graph.tocsr(), directed=False)
    if count == 1:
        return []
    groups = [_listed([name for name, of in zip(choices.names, part, strict=True) if of == number])
              for number in range(count)]  # fmt: skip
    return [f"Never compared with each other, even by way of others: {'; '.join(groups)}. Only the prior relates them."]


def _one_sided(names: Sequence[str], record: Integers) -> list[str]:
    lines = []
    for title, mine, theirs in (("Never beaten", 0, 1), ("Never won", 1, 0)):
        found = [name for name, row in zip(names, record, strict=True) if row[mine] and not row[theirs] and not row[2]]
        if found:
            lines.append(f"{title} so far: {_listed(found)}. How far ahead or behind that is, only the prior bounds.")
    return lines


def _clusters(votes: int, counts: Mapping[str, int]) -> list[str]:
    lines = []
    prompt = next((name for name in counts if name not in ("rater", "vote")), None)
    if prompt and counts[prompt] == 1 and votes > 1:
        lines.append(f"All votes are on one {prompt}: they say nothing about others.")
    elif prompt and counts[prompt] < FEW_CLUSTERS <= votes:
        lines.append(f"Only {counts[prompt]} different {prompt}s: the intervals are wide because few stand for all.")
    if counts.get("rater") == 1 and votes > 1:
        lines.append("All votes are of one rater: they say what that person prefers, not what others would.")
    return lines


def _listed(names: Sequence[str], most: int = 8) -> str:
    shown = list(names[:most])
    return ", ".join(shown) + (f" and {len(names) - most} more" if len(names) > most else "")
