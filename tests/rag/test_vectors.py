import os
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag import parts, vectors
from rag.vectors import VectorCache

STEPS = st.lists(st.one_of(st.integers(1, 60), st.integers(-60, -1), st.just(0)), max_size=10)
"""Chunks added, a chunk removed, or a restart."""


class Held:
    """Stands for a store's snapshot: unit vectors by id, in clusters as those of texts are; ids never used again."""

    def __init__(self, dimension: int = 8, clusters: int = 5) -> None:
        self.generation, self.held, self.asked = 0, dict[int, np.ndarray](), list[int]()
        self._random, self._next = np.random.default_rng(0), 1
        self._centres = self._random.standard_normal((clusters, dimension))

    def add(self, number: int) -> None:
        for _ in range(number):
            self.held[self._next] = self.like(self._random.integers(len(self._centres)))
            self._next += 1
        self.generation += 1

    def like(self, cluster: int) -> np.ndarray:
        vector = self._centres[cluster] + 0.7 * self._random.standard_normal(self._centres.shape[1])
        return np.asarray(vector / np.linalg.norm(vector), np.float32)

    def remove(self, row: int) -> None:
        if self.held:
            del self.held[sorted(self.held)[row % len(self.held)]]
            self.generation += 1

    def chunk_ids(self) -> np.ndarray:
        return np.array(sorted(self.held), np.int64)

    def vectors(self, ids: np.ndarray, dimension: int) -> np.ndarray:
        self.asked += ids.tolist()
        return np.array([self.held[one] for one in ids.tolist()], np.float32).reshape(-1, dimension)

    def exact(self, query: np.ndarray, ids: np.ndarray, k: int) -> list[int]:
        cosines = self.vectors(ids, len(query)) @ query
        return [int(ids[row]) for row in np.argsort(-cosines, kind="stable")[:k]]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes at which a hundred vectors are many."""
    monkeypatch.setattr(vectors, "FLAT", 40)
    monkeypatch.setattr(parts, "MOST", 100)


def follow(cache: VectorCache, held: Held) -> VectorCache:
    cache.follow(held)  # type: ignore[arg-type]
    return cache


@settings(max_examples=40)
@given(steps=STEPS)
def test_any_history_is_followed_and_cosines_are_exact(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int]
) -> None:
    folder, held = tmp_path_factory.mktemp("vectors"), Held()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors, "FLAT", 40)
        patch.setattr(parts, "MOST", 100)
        cache = VectorCache(folder, "s" * 32, 8)
        for step in steps:
            held.add(step) if step > 0 else held.remove(-step)
            cache = cache if step else VectorCache(folder, "s" * 32, 8)
            follow(cache, held)
            ids, query = held.chunk_ids(), held.like(0)
            assert sorted(np.concatenate([*(p.ids[a] for p, a in zip(cache.parts, cache.alive, strict=True)), []])) == (
                ids.tolist()
            )
            found, cosines = cache.search(query, len(ids) + 3)
            assert sorted(found) == ids.tolist(), "asked for all, all are found, whatever the inverted file reads"
            assert cosines == pytest.approx([float(held.held[one] @ query) for one in found], abs=1e-6)
            assert cosines == sorted(cosines, reverse=True)
            assert cache.cosines(query, ids) == pytest.approx(held.vectors(ids, 8) @ query, abs=1e-6)


@pytest.mark.usefixtures("small")
def test_a_change_reads_and_writes_only_what_is_new(tmp_path: Path) -> None:
    held, cache = Held(), VectorCache(tmp_path, "s" * 32, 8)
    held.add(1000)
    follow(cache, held)
    old = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(old) == 10
    held.asked.clear()
    held.add(7)
    follow(cache, held)
    assert held.asked == list(range(1001, 1008))
    new = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert old.items() < new.items()
    assert len(new) == 11
    held.asked.clear()
    follow(VectorCache(tmp_path, "s" * 32, 8), held)
    assert held.asked == [], "a restart reads the files"


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("harm", [lambda data: data[:-9], lambda data: b"", None])
def test_only_the_lost_part_is_made_again(tmp_path: Path, harm: Callable[[bytes], bytes] | None) -> None:
    held = Held()
    held.add(300)
    follow(VectorCache(tmp_path, "s" * 32, 8), held)
    path = sorted(tmp_path.iterdir(), key=lambda path: int(path.name.split("-")[3]))[1]
    if harm is None:
        path.unlink()
    else:
        path.write_bytes(harm(path.read_bytes()))
    held.asked.clear()
    again = follow(VectorCache(tmp_path, "s" * 32, 8), held)
    assert held.asked == list(range(101, 201))
    assert [part.ids[0] for part in again.parts] == [1, 101, 201]
    assert path.exists()


def test_the_inverted_file_finds_what_is_near(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 6,000 vectors in 200 clusters, with a fifth removed; the cosines are exact since the float32 are read."""
    monkeypatch.setattr(vectors, "FLAT", 1000)
    held = Held(64, 200)
    held.add(6000)
    for row in range(1200):
        held.remove(7 * row)
    cache = follow(VectorCache(tmp_path, "s" * 32, 64), held)
    cache = follow(VectorCache(tmp_path, "s" * 32, 64), held)
    assert [len(part.inverted) > 0 for part in cache.parts] == [True]
    ids, hits = held.chunk_ids(), 0
    for number in range(100):
        query = held.like(number)
        found, cosines = cache.search(query, 10)
        assert set(found) <= set(ids.tolist())
        assert cosines == sorted(cosines, reverse=True)
        assert cosines == pytest.approx([float(held.held[one] @ query) for one in found], abs=1e-6)
        hits += len(set(found) & set(held.exact(query, ids, 10)))
    assert hits / 1000 >= 0.95
    searches = list[int]()
    monkeypatch.setattr(faiss.IndexIVF, "search", lambda *_, **__: searches.append(1))
    few = ids[::40]
    assert cache.search(query, 10, few)[0] == held.exact(query, few, 10), "few that are allowed are read one by one"
    assert searches == []


@pytest.mark.usefixtures("small")
def test_a_filter_that_the_lists_read_do_not_meet_still_finds_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "_PROBES", 1)
    held = Held()
    held.add(100)
    cache = follow(VectorCache(tmp_path, "s" * 32, 8), held)
    only = held.chunk_ids()[:50]
    query = held.like(0)
    assert cache.search(query, 50, only)[0] == held.exact(query, only, 50)


def test_what_another_program_left_half_written_is_not_read(tmp_path: Path) -> None:
    held = Held()
    held.add(3)
    (tmp_path / "vectors-ssssssssssss-2-1-3-3.safetensors.99.tmp").write_bytes(b"half, by another process just now")
    killed = tmp_path / "vectors-ssssssssssss-2-1-2-2.safetensors.98.tmp"
    killed.write_bytes(b"half, long ago")
    os.utime(killed, (0, 0))
    (tmp_path / "vectors-ssssssssssss-1.faiss").write_bytes(b"of an earlier version")
    follow(VectorCache(tmp_path, "s" * 32, 8), held)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "vectors-ssssssssssss-2-1-3-3.safetensors",
        "vectors-ssssssssssss-2-1-3-3.safetensors.99.tmp",
    ]
