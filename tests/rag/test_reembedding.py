from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag.chunking import Chunking
from rag.errors import InputError
from rag.index import MODES, Index
from rag.reembedding import Reembedding, ReembedReport
from rag.refining import PLAIN
from rag.store import Store

from .letters import Letters

TEXTS = {f"{n}.txt": " ".join(f"Word{n} stands in sentence {m}." for m in range(8)) for n in range(12)}
QUESTION = "Which word stands in sentence 3?"


def files() -> list[tuple[str, bytes | Path]]:
    return [(name, text.encode()) for name, text in TEXTS.items()]


@pytest.fixture
def index(tmp_path: Path) -> Index:
    index = Index(tmp_path / "i", Letters())  # type: ignore[arg-type]
    index.add(files())
    return index


def results(index: Index) -> list[list[tuple[Any, ...]]]:
    """What searches find, without the ids, which depend on history."""
    return [
        sorted((h.document, h.start, h.end, h.text, round(h.score, 5), round(h.cosine, 5)) for h in hits)
        for hits in (index.search(QUESTION, 300, mode, refining=PLAIN) for mode in MODES)
    ]


def fresh(folder: Path, embedder: Letters, chunking: Chunking) -> Index:
    index = Index(folder, embedder, chunking)  # type: ignore[arg-type]
    index.add(files())
    return index


def reembed(
    store: Store, embedder: Letters, chunking: Chunking, hook: Callable[..., None] | None = None
) -> ReembedReport:
    return Reembedding(store, embedder, chunking, hook).run()  # type: ignore[arg-type]


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each document is written in a transaction of its own, so that a run can be cut short between any two."""
    monkeypatch.setattr("rag.reembedding._TOGETHER", 1)


@pytest.mark.parametrize(
    ("embedder", "chunking"),
    [(Letters(), Chunking(20, 8)), (Letters(36), Chunking(32)), (Letters(10, limit=30), Chunking(16))],
)
def test_reembedding_gives_what_a_fresh_index_has(
    index: Index, tmp_path: Path, embedder: Letters, chunking: Chunking
) -> None:
    index.search(QUESTION)
    with index.store.snapshot() as snapshot:
        before = set(snapshot.chunk_ids().tolist())
    report = index.reembed(embedder, chunking)  # type: ignore[arg-type]
    assert (report.changed, report.documents, report.resumed) == (True, 12, 0)
    other = fresh(tmp_path / "fresh", embedder, chunking)
    assert results(index) == results(other)
    assert index.digest == other.digest
    with index.store.snapshot() as snapshot:
        ids = snapshot.chunk_ids()
        assert len(ids) == report.chunks
        assert not before & set(ids.tolist()), "ids are never used again"
        assert not snapshot.dropped
    with index.store.writing() as connection:
        assert connection.execute("SELECT count(*) FROM chunks").fetchone() == (len(ids),), "the old ones are swept"
    reopened = Index(index.folder, embedder)  # type: ignore[arg-type]
    assert results(reopened) == results(other)
    reopened.add([("new.txt", b"One more sentence 3.")])
    assert reopened.chunking == chunking, "what is added later is cut like the rest"


def test_the_same_again_is_nothing_to_do(index: Index) -> None:
    before = index.generation
    assert not index.reembed().changed
    assert index.generation == before


def test_the_old_one_serves_until_the_last_document_is_done(index: Index, one_by_one: None) -> None:
    expected, seen = results(index), []

    def look(name: str, outcome: str, reason: str) -> None:
        seen.append((name, outcome, results(index) == expected))

    index.reembed(Letters(36), Chunking(20), look)  # type: ignore[arg-type]
    assert seen == [(name, "embedded", True) for name in TEXTS]
    assert results(index) != expected


class Cut(Exception):
    pass


def cut_after(documents: int) -> Callable[[str, str, str], None]:
    def hook(name: str, outcome: str, reason: str) -> None:
        if name == f"{documents - 1}.txt":
            raise Cut

    return hook


def test_a_run_that_was_cut_short_goes_on_where_it_was(index: Index, tmp_path: Path, one_by_one: None) -> None:
    expected, embedder = results(index), Letters(36)
    with pytest.raises(Cut):
        reembed(index.store, embedder, Chunking(20), cut_after(5))
    with index.store.snapshot() as snapshot:
        assert snapshot.filling is not None
        assert (snapshot.filling[0].embedder, snapshot.filling[1]) == ("letters@36", 5)
    assert results(Index(index.folder, Letters())) == expected  # type: ignore[arg-type]
    index.remove("1.txt")
    index.remove("7.txt")
    index.add([("2.txt", b"A word that is new stands in sentence 3."), ("new.txt", b"One more sentence 3.")])
    embedder.read.clear()
    report = reembed(index.store, embedder, Chunking(20))
    assert (report.resumed, report.documents) == (3, 8), "0, 3 and 4 are not embedded again"
    assert not any("Word0 " in text or "Word4 " in text for text in embedder.read)
    other = fresh(tmp_path / "fresh", embedder, Chunking(20))
    other.remove("1.txt")
    other.remove("7.txt")
    other.add([("2.txt", b"A word that is new stands in sentence 3."), ("new.txt", b"One more sentence 3.")])
    assert results(Index(index.folder, embedder)) == results(other)  # type: ignore[arg-type]


def test_another_target_drops_what_was_half_made(index: Index, one_by_one: None) -> None:
    with pytest.raises(Cut):
        reembed(index.store, Letters(36), Chunking(20), cut_after(5))
    assert index.reembed().changed is False, "back to what serves"
    with index.store.snapshot() as snapshot:
        assert snapshot.filling is None
        assert not snapshot.dropped
        ids = snapshot.chunk_ids()
    with index.store.writing() as connection:
        assert connection.execute("SELECT count(*) FROM chunks").fetchone() == (len(ids),)
    with pytest.raises(Cut):
        reembed(index.store, Letters(36), Chunking(20), cut_after(5))
    assert reembed(index.store, Letters(36), Chunking(24)).resumed == 0


def test_two_runs_at_once_end_in_one_whole_edition(index: Index, one_by_one: None) -> None:
    """The second run takes its turn between two documents of the first, which then has nothing to add to."""
    reports: list[ReembedReport] = []

    def second(name: str, outcome: str, reason: str) -> None:
        if name == "5.txt" and not reports:
            reports.append(reembed(index.store, Letters(36), Chunking(20)))

    with pytest.raises(InputError, match="Another program re-embeds the index 'i' at this moment"):
        reembed(index.store, Letters(36), Chunking(20), second)
    assert (reports[0].resumed, reports[0].documents) == (6, 6)
    with index.store.snapshot() as snapshot:
        assert snapshot.edition.embedder == "letters@36"
        assert snapshot.count() == sum(document.chunks for document in snapshot.documents())
        assert all(document.chunks for document in snapshot.documents())


def test_an_open_index_goes_over_to_what_another_program_embedded(index: Index, tmp_path: Path) -> None:
    following = Index(index.folder, Letters(), load=lambda edition: Letters(int(edition.source[8:])))  # type: ignore
    index.search(QUESTION)
    following.search(QUESTION)
    reembed(index.store, Letters(36), Chunking(20))
    assert results(following) == results(fresh(tmp_path / "fresh", Letters(36), Chunking(20)))
    assert following.embedder.identity == "letters@36"
    with pytest.raises(InputError, match="was re-embedded with letters@36 meanwhile; open it anew"):
        index.search(QUESTION)
    with pytest.raises(InputError, match="re-embedded"):
        index.add([("new.txt", b"One more.")])
    assert Index(index.folder, Letters(), load=lambda edition: Letters(36)).search(QUESTION)  # type: ignore


def test_files_that_wait_when_the_chunks_change_are_cut_anew(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = index.store.put
    turns: list[int] = []

    def late(*arguments: Any) -> None:
        if not turns:
            turns.append(reembed(Store(index.store.path), Letters(), Chunking(20)).documents)
        put(*arguments)

    monkeypatch.setattr(index.store, "put", late)
    text = " ".join(f"Late words stand in sentence {n}." for n in range(8)).encode()
    report = index.add([("late.txt", text)])
    assert (turns, len(report.added)) == ([12], 1)
    other = fresh(tmp_path / "fresh", Letters(), Chunking(20))
    other.add([("late.txt", text)])
    assert results(index) == results(other)


def test_chunks_that_the_embedder_cannot_read_are_refused_before_anything_is_done(index: Index) -> None:
    with pytest.raises(InputError, match="more than the 40 tokens that the embedder reads"):
        index.reembed(chunking=Chunking(41))
    with index.store.snapshot() as snapshot:
        assert snapshot.filling is None


def test_vectors_of_another_length_in_the_cache_are_not_read(index: Index) -> None:
    """Parts of both editions stood in the folder, and merging them failed."""
    index.search(QUESTION)
    reembed(index.store, Letters(36), Chunking(20))
    reopened = Index(index.folder, Letters(36))  # type: ignore[arg-type]
    reopened.add([("new.txt", b"One more sentence 3.")])
    assert np.isfinite([hit.cosine for hit in reopened.search(QUESTION, 100)]).all()
