import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag import maxscore
from rag.maxscore import Term, best_rows, sums_of


def collection(seed: int, rows: int, shares: list[float]) -> tuple[list[Term], np.ndarray, np.ndarray]:
    """Terms that the given shares of the rows hold, the rarer the heavier; the damping; every row's true sum."""
    random = np.random.default_rng(seed)
    damping = random.uniform(0.4, 4, rows).astype(np.float32)
    terms, sums = [], np.zeros(rows)
    for share in shares:
        held = np.flatnonzero(random.random(rows) < share).astype(np.int32)
        counts = random.geometric(0.6, len(held)).astype(np.uint16)
        weight = float(np.log(1 + (rows - len(held) + 0.5) / (len(held) + 0.5)))
        terms.append(Term(weight, held, counts))
        sums[held] += weight * counts / (counts + damping[held].astype(float))
    return terms, damping, sums


@settings(max_examples=60)
@given(
    st.integers(0, 2**32),
    st.integers(1, 700),
    st.lists(st.sampled_from([0.0, 0.003, 0.05, 0.4, 0.9]), max_size=5),
    st.integers(1, 40),
    st.booleans(),
)
def test_the_best_are_those_of_adding_up_everything(
    seed: int, rows: int, shares: list[float], k: int, filtered: bool
) -> None:
    terms, damping, sums = collection(seed, rows, shares)
    allowed = np.random.default_rng(seed).random(rows) < 0.5 if filtered else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maxscore, "_FEW", 3)
        found, scores = best_rows(terms, damping, k, allowed)
    assert scores == pytest.approx(sums[found], rel=1e-5)
    able = np.flatnonzero((sums > 0) & (True if allowed is None else allowed))
    least = np.sort(sums[able])[::-1][:k]
    wanted = set(able[sums[able] > least[-1] * (1 + 1e-4)].tolist()) if len(least) else set()
    assert wanted <= set(found.tolist()) <= set(able.tolist())
    assert len(found) >= min(k, len(able))
    assert sums_of(terms, damping, np.arange(rows)) == pytest.approx(sums, rel=1e-5)


def test_common_words_are_looked_up_and_not_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes a question with everyday words as fast as one without: their postings are searched for few rows."""
    terms, damping, sums = collection(1, 100_000, [0.0005, 0.001, 0.5, 0.9])
    asked = list[int]()
    parts = maxscore._parts

    def count(weight: float, counts: np.ndarray, some: np.ndarray) -> np.ndarray:
        asked.append(len(counts))
        return parts(weight, counts, some)

    monkeypatch.setattr(maxscore, "_parts", count)
    found, _ = best_rows(terms, damping, 10)
    assert set(np.argsort(-sums)[:10].tolist()) <= set(found.tolist())
    assert sum(asked) < 1000 < len(terms[2].rows)


def test_a_floor_leaves_out_what_is_below_it() -> None:
    terms, damping, sums = collection(2, 5000, [0.01, 0.5])
    floor = float(np.sort(sums)[-3])
    found, _ = best_rows(terms, damping, 100, None, floor)
    assert set(found.tolist()) == set(np.flatnonzero(sums >= floor * (1 - 1e-6)).tolist())
