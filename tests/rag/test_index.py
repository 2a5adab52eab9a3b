from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rag import ranking
from rag.embedder import Embedder
from rag.errors import InputError
from rag.folders import files_under
from rag.fusion import Fusion
from rag.index import MODES, Index
from rag.snapshot import Snapshot

from .conftest import HOURS, RETURNS, WARRANTY


class Other:
    """An embedder of another identity."""

    name = "other"
    identity = "other@1"
    dimension = 384


@pytest.mark.parametrize("mode", MODES)
def test_a_question_finds_its_passage(shop: Index, mode: str) -> None:
    hit = shop.search("How many years does the warranty of the drill last?", k=2, mode=mode)[0]
    assert (hit.document, hit.text, hit.start, hit.end) == ("warranty.txt", WARRANTY, 0, len(WARRANTY))
    assert hit.page is None
    vectors = shop.embedder.encode(["How many years does the warranty of the drill last?", WARRANTY])
    assert hit.cosine == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-5)


def test_scores_are_those_of_the_mode(shop: Index) -> None:
    question = "When does the shop open?"
    dense, words, hybrid = (shop.search(question, 3, mode) for mode in MODES)
    assert [hit.score for hit in dense] == [hit.cosine for hit in dense] == sorted(h.cosine for h in dense)[::-1]
    assert [hit.text for hit in words] == [HOURS], "only one text shares a word with the question"
    assert (hybrid[0].text, hybrid[0].score) == (HOURS, pytest.approx(1)), "the best of both"
    assert [hit.score for hit in hybrid[1:]] == pytest.approx([0.6 * h.cosine / dense[0].cosine for h in dense[1:]])
    ranks = shop.search(question, 3, "hybrid", Fusion("ranks"))
    assert [hit.score for hit in ranks] == pytest.approx([2 / 61, 1 / 62, 1 / 63])
    assert [hit.cosine for hit in ranks] == pytest.approx([hit.cosine for hit in dense])


def test_both_kinds_find_the_same_at_once_and_in_turn(shop: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    question, threads = "When does the shop open?", list[int]()
    in_turn = shop.search(question, 3)

    class Counted(ThreadPoolExecutor):
        def __init__(self, number: int) -> None:
            threads.append(number)
            super().__init__(number)

    monkeypatch.setattr(ranking, "ThreadPoolExecutor", Counted)
    assert shop.search(question, 3) == in_turn
    assert threads == [], "a thread costs more than it gains where there is little to read"
    monkeypatch.setattr(ranking, "FLAT", 0)
    assert shop.search(question, 3) == in_turn
    assert threads == [1]


def test_the_weight_moves_hybrid_from_words_to_meaning(shop: Index) -> None:
    question = "Can I bring the drill back?"
    for mode, weight in (("bm25", 0.0), ("dense", 1.0)):
        alone = [hit.text for hit in shop.search(question, 2, mode)]
        joined = shop.search(question, 2, "hybrid", Fusion(weight=weight))
        assert [hit.text for hit in joined][: len(alone)] == alone
    with pytest.raises(InputError, match="give a number from 0"):
        Fusion(weight=1.1)
    with pytest.raises(InputError, match="choose one of scores, ranks"):
        Fusion("votes")


def test_words_are_stemmed(shop: Index) -> None:
    assert shop.search("closing", mode="bm25")[0].document == "hours.md"
    assert shop.search("zzz qqq", mode="bm25") == []
    assert shop.search("the of", mode="bm25") == []


@pytest.mark.parametrize("mode", MODES)
def test_empty_index(index: Index, mode: str) -> None:
    assert index.search("anything", mode=mode) == []
    assert index.documents() == []
    assert index.generation == 0


@pytest.mark.parametrize(("query", "k", "mode"), [(" ", 5, "dense"), ("q", 0, "dense"), ("q", 5, "sparse")])
def test_what_cannot_be_searched(shop: Index, query: str, k: int, mode: str) -> None:
    with pytest.raises(InputError):
        shop.search(query, k, mode)


def test_adding_says_what_became_of_each_file(shop: Index) -> None:
    seen: list[tuple[str, str, str]] = []
    report = shop.add(
        [
            ("warranty.txt", WARRANTY.encode()),
            ("hours.md", b"The shop is closed for good."),
            ("copy.txt", RETURNS.encode()),
            ("bad.txt", b"\x00\x01\x02"),
            ("new.txt", b"Delivery is free above fifty euros."),
            ("missing.txt", Path("/no/such/file.txt")),
        ],
        lambda *outcome: seen.append(outcome),
    )
    assert report.unchanged == [
        {"path": "warranty.txt"},
        {"path": "copy.txt", "reason": "this content is held already"},
    ]
    assert [entry["path"] for entry in report.updated] == ["hours.md"]
    assert [entry["path"] for entry in report.added] == ["new.txt"]
    assert [entry["path"] for entry in report.failed] == ["bad.txt", "missing.txt"]
    assert "convert it" in report.failed[0]["reason"]
    assert report.chunks == 2
    assert sorted(seen) == sorted(
        (entry["path"], outcome, entry.get("reason", ""))
        for outcome in ("added", "updated", "unchanged", "failed")
        for entry in getattr(report, outcome)
    )
    assert shop.search("opening at nine", 1, "bm25") == [], "the old version is gone"


def test_removed_text_is_gone_from_every_mode_at_once(shop: Index) -> None:
    for mode in MODES:
        shop.search("warranty of the drill", mode=mode)
    shop.remove("warranty.txt")
    for mode in MODES:
        assert all(hit.document != "warranty.txt" for hit in shop.search("warranty of the drill", mode=mode))
    with pytest.raises(InputError, match=r"holds no document 'warranty\.txt'"):
        shop.remove("warranty.txt")


def test_a_change_by_another_process_is_seen_at_the_next_search(shop: Index, embedder: Embedder) -> None:
    assert shop.search("parking", 1)[0].document != "parking.txt"
    Index(shop.folder, embedder).add([("parking.txt", b"Parking is behind the house.")])
    assert shop.search("parking", 1)[0].document == "parking.txt"
    assert shop.search("parking", 1, "bm25")[0].document == "parking.txt"


def test_the_cache_is_used(shop: Index, embedder: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = shop.search("drill", 3)
    reopened, read = Index(shop.folder, embedder), list[int]()
    vectors = Snapshot.vectors

    def count(snapshot: Snapshot, ids: np.ndarray, dimension: int) -> np.ndarray:
        read.extend(ids.tolist())
        return vectors(snapshot, ids, dimension)

    monkeypatch.setattr(Snapshot, "vectors", count)
    assert reopened.search("drill", 3) == expected
    assert read == []
    reopened.add([("new.txt", b"One more drill.")])
    reopened.search("drill", 3)
    assert len(read) == 1, "only the new chunk is read from the store"


def test_a_damaged_cache_is_rebuilt(shop: Index, embedder: Embedder) -> None:
    expected = shop.search("drill", 3)
    (cache,) = shop.folder.glob("vectors-*")
    whole = cache.read_bytes()
    turned = whole[:-99] + bytes([whole[-99] ^ 1]) + whole[-98:]
    for damaged in (whole[:100], b"", turned):
        cache.write_bytes(damaged)
        assert Index(shop.folder, embedder).search("drill", 3) == expected
        assert cache.read_bytes()[-1000:] == whole[-1000:], "and is whole again on disk"


def test_a_cache_of_another_store_of_the_same_generation_is_not_read(
    shop: Index, embedder: Embedder, tmp_path: Path
) -> None:
    """Deleting store.sqlite but not its cache, then adding other files, made the cache's generation match again."""
    shop.search("drill")
    shop.store.path.unlink()
    other = Index(shop.folder, embedder)
    other.add([(f"{n}.txt", f"Entirely different text {n}.".encode()) for n in range(3)])
    assert {hit.document for hit in other.search("drill", 5)} == {"0.txt", "1.txt", "2.txt"}


def test_another_embedder_is_refused(shop: Index) -> None:
    with pytest.raises(InputError, match=r"made with the embedder all-MiniLM-L6-v2@.* `python -m rag reembed"):
        Index(shop.folder, Other())  # type: ignore[arg-type]


def test_document_and_pages(index: Index, make_pdf) -> None:  # type: ignore[no-untyped-def]
    report = index.add([("manual.pdf", make_pdf("Oil the chain weekly.", "", "Replace the belt yearly."))])
    assert report.added == [{"path": "manual.pdf", "reason": "no text on page 2: scanned pages need OCR"}]
    hit = index.search("belt", 1)[0]
    document = index.document("manual.pdf")
    assert document.text[hit.start : hit.end] == hit.text
    with pytest.raises(InputError, match="holds no document"):
        index.document("other.pdf")


def test_files_under_walks_folders_and_leaves_out_what_is_hidden(tmp_path: Path) -> None:
    for name in ("b.txt", "sub/a.md", ".git/x.txt", "sub/.hidden.txt", "photo.png", "a.pdf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    found = [Path(name).relative_to(tmp_path.resolve()).as_posix() for name, _ in files_under([tmp_path])]
    assert found == ["a.pdf", "b.txt", "sub/a.md"]
    assert [path for _, path in files_under([tmp_path / "photo.png"])] == [tmp_path / "photo.png"]
