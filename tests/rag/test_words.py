from collections.abc import Sequence
from pathlib import Path
from random import Random

import bm25s
import numpy as np
import pytest
import Stemmer
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError

from rag import arrayfile, postings
from rag.index import Index
from rag.words import STOP_WORDS, WORD, WordCache

VOCABULARY = ("zebra", "crossing", "crossings", "the", "drills", "drill", "7", "1234", "été", "a")
TEXTS = st.lists(st.sampled_from(VOCABULARY), max_size=8).map(" ".join)
STEPS = st.lists(st.one_of(st.lists(TEXTS, min_size=1, max_size=6), st.integers(0, 30), st.just("reload")), max_size=12)
QUERY = "Do the drills drill at a zebra crossing in 1234?"


class Held:
    """Stands for a store's snapshot: texts by id, ids never used again."""

    def __init__(self) -> None:
        self.generation, self.held, self.asked = 0, dict[int, str](), list[int]()
        self._next = 1

    def add(self, texts: Sequence[str]) -> None:
        for text in texts:
            self.held[self._next] = text
            self._next += 1
        self.generation += 1

    def remove(self, row: int) -> None:
        if self.held:
            del self.held[sorted(self.held)[row % len(self.held)]]
            self.generation += 1

    def chunk_ids(self) -> np.ndarray:
        return np.array(sorted(self.held), np.int64)

    def texts(self, ids: np.ndarray) -> list[str]:
        self.asked += ids.tolist()
        return [self.held[identity] for identity in ids.tolist()]


def published(held: Held) -> dict[int, float]:
    """The same scores by the library that the figures were published with."""
    stemmer, ids = Stemmer.Stemmer("english"), sorted(held.held)
    texts = [held.held[identity] for identity in ids]
    options = {
        "stopwords": STOP_WORDS,
        "token_pattern": WORD,
        "stemmer": stemmer,
        "return_ids": False,
        "show_progress": False,
    }
    corpus, (query,) = bm25s.tokenize(texts, **options), bm25s.tokenize([QUERY], **options)
    if not any(corpus):
        return {}
    scorer = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    scorer.index(corpus, show_progress=False)
    known = [token for token in query if token in scorer.vocab_dict]
    return dict(zip(ids, scorer.get_scores(known).tolist(), strict=True)) if known else {}


def check(cache: WordCache, held: Held) -> None:
    expected = {identity: score for identity, score in published(held).items() if score > 0}
    scored = cache.scored(QUERY)
    ids, scores = scored.best(1000)
    assert dict(zip(ids, scores, strict=True)) == pytest.approx(expected, rel=1e-5)
    assert scores == sorted(scores, reverse=True)
    assert scored.best(3) == (ids[:3], scores[:3])
    everything = held.chunk_ids()
    assert scored.of(everything) == pytest.approx([expected.get(one, 0) for one in everything.tolist()], rel=1e-5)


@settings(max_examples=80)
@given(steps=STEPS)
def test_any_history_scores_as_the_published_library_does(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[str] | int | str]
) -> None:
    folder, held = tmp_path_factory.mktemp("words"), Held()
    cache = WordCache(folder, "s" * 32)
    for step in steps:
        if isinstance(step, list):
            held.add(step)
        elif isinstance(step, int):
            held.remove(step)
        else:
            cache = WordCache(folder, "s" * 32)
        cache.follow(held)  # type: ignore[arg-type]
        check(cache, held)


def test_single_letters_and_digits_are_words_and_joining_words_are_not(tmp_path: Path) -> None:
    """Without the 2, questions on IL-2 and IL-6 found the same; with "how" and "does", those that ask like this."""
    held, cache = Held(), WordCache(tmp_path, "s" * 32)
    held.add(["IL-6 binds it", "IL-2 binds it", "how and why it does", "vitamin C", "vitamin D"])
    cache.follow(held)  # type: ignore[arg-type]
    assert cache.scored("How does IL-2 bind?").best(5)[0] == [2, 1]
    assert cache.scored("Why vitamin D?").best(1)[0] == [5]


def test_a_change_reads_only_what_is_new_and_a_restart_nothing(tmp_path: Path) -> None:
    held, cache = Held(), WordCache(tmp_path, "s" * 32)
    for number in range(40):
        held.add([f"drill {number}"] * 5)
        held.asked.clear()
        cache.follow(held)  # type: ignore[arg-type]
        assert len(held.asked) == 5
    assert len(list(tmp_path.iterdir())) <= 6, "forty changes must not leave forty files to read"
    held.asked.clear()
    again = WordCache(tmp_path, "s" * 32)
    again.follow(held)  # type: ignore[arg-type]
    assert held.asked == []
    check(again, held)


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("harm", ["cut", "empty", "turn", "gone"])
def test_a_damaged_part_is_built_again(tmp_path: Path, harm: str, which: int) -> None:
    held, cache = Held(), WordCache(tmp_path, "s" * 32)
    for size in (40, 10, 2):
        held.add(["zebra drill crossing"] * size)
        cache.follow(held)  # type: ignore[arg-type]
    paths = sorted(tmp_path.iterdir())
    assert len(paths) == 3
    path, whole = paths[which], paths[which].read_bytes()
    middle = len(whole) // 2
    turned = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    path.unlink()
    if harm != "gone":
        path.write_bytes({"cut": whole[:-40], "empty": b"", "turn": turned}[harm])
    again = WordCache(tmp_path, "s" * 32)
    again.follow(held)  # type: ignore[arg-type]
    check(again, held)


def test_parts_of_another_store_are_neither_read_nor_kept(tmp_path: Path) -> None:
    one, two = Held(), Held()
    one.add(["zebra"])
    two.add(["drill"])
    for uuid, held in (("a" * 32, one), ("b" * 32, two)):
        cache = WordCache(tmp_path, uuid)
        cache.follow(held)  # type: ignore[arg-type]
        check(cache, held)
    assert [path.name for path in tmp_path.iterdir()] == ["words-bbbbbbbbbbbb-3-1-1-1.safetensors"]


def test_a_file_left_by_a_merge_that_was_killed_is_not_counted_twice(tmp_path: Path) -> None:
    """Deleting what a merge replaced is the last step of it: a kill before that leaves both on disk."""
    held, cache = Held(), WordCache(tmp_path, "s" * 32)
    held.add(["zebra drill"] * 3)
    cache.follow(held)  # type: ignore[arg-type]
    (old,) = ((path, path.read_bytes()) for path in tmp_path.iterdir())
    held.add(["zebra crossing"] * 3)
    cache.follow(held)  # type: ignore[arg-type]
    assert not old[0].exists()
    old[0].write_bytes(old[1])
    again = WordCache(tmp_path, "s" * 32)
    again.follow(held)  # type: ignore[arg-type]
    check(again, held)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    held, cache = Held(), WordCache(tmp_path, "s" * 32)
    held.add(["zebra"])
    monkeypatch.setattr(arrayfile, "save_file", full)
    cache.follow(held)  # type: ignore[arg-type]
    check(cache, held)
    assert list(tmp_path.iterdir()) == []


def test_what_is_saved_loads_equal(tmp_path: Path) -> None:
    notes = {"store": "s"}
    for tokens in ([[1, 0, 1], [], [2]], [[], []]):
        part = postings.build(np.arange(1, len(tokens) + 1), ["été", "ab", "a"], tokens)
        part.save(tmp_path / "p", notes)
        held = postings.load(tmp_path / "p", notes)
        assert held is not None
        assert held.words() == part.words() == sorted(part.words())
        for word in ("ab", "été", "a", "", "b", "aba", "z"):
            for one, two in zip(held.of(word), part.of(word), strict=True):
                np.testing.assert_array_equal(one, two)
    assert postings.load(tmp_path / "none", notes) is None
    assert postings.load(tmp_path / "p", {"store": "other"}) is None


CHUNKS = st.lists(st.lists(st.integers(0, 4), max_size=5), min_size=1, max_size=9)


@given(st.lists(CHUNKS, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_merged_parts_hold_what_one_part_of_the_same_chunks_holds(parts: list[list[list[int]]], random: Random) -> None:
    vocabulary, first, built, alive = ["b", "été", "a", "ab", "c"], 1, [], []
    for tokens in parts:
        built.append(postings.build(np.arange(first, first + len(tokens)), vocabulary, tokens))
        alive.append(np.array([random.random() < 0.7 for _ in tokens]))
        first += len(tokens)
    kept = [
        (one, text)
        for part, live, tokens in zip(built, alive, parts, strict=True)
        for one, text, lives in zip(part.ids.tolist(), tokens, live, strict=True)
        if lives
    ]
    merged = postings.merge(built, alive)
    whole = postings.build(np.array([one for one, _ in kept], np.int64), vocabulary, [text for _, text in kept])
    for name in ("ids", "lengths", "starts", "rows", "counts", "text", "ends"):
        one, two = getattr(merged, name), getattr(whole, name)
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one, two, err_msg=name)


def test_the_index_keeps_its_words_on_disk(shop: Index) -> None:
    hits = shop.search("warranty of the drill", 3, "bm25")
    assert len(list(shop.folder.glob("words-*.safetensors"))) == 1
    assert Index(shop.folder, shop.embedder).search("warranty of the drill", 3, "bm25") == hits
