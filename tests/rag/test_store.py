import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from rag.chunking import Chunking
from rag.chunks import Chunk
from rag.documents import Document, content_hash
from rag.errors import InputError
from rag.snapshot import Snapshot
from rag.store import Store

DIMENSION = 4


def make(name: str, text: str) -> tuple[Document, list[Chunk], np.ndarray]:
    """A document cut into words, each with a vector of its own."""
    document = Document(name, text, content_hash(text.encode()), "text/plain", pages=((1, 0, len(text)),))
    chunks, offset = [], 0
    for word in text.split():
        start = text.index(word, offset)
        offset = start + len(word)
        chunks.append(Chunk(start, offset, word))
    return document, chunks, np.arange(len(chunks) * DIMENSION, dtype=np.float32).reshape(-1, DIMENSION)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return made(tmp_path / "i" / "store.sqlite")


def made(path: Path, embedder: str = "model@1") -> Store:
    store = Store(path)
    store.adopt(embedder, "model")
    return store


def held(store: Store) -> dict[str, str]:
    with store.snapshot() as snapshot:
        return {name: snapshot.document(name).text for each in snapshot.documents() for name in each.names}


def test_what_is_put_is_held(store: Store) -> None:
    document, chunks, vectors = make("a", "one two")
    store.put(document, chunks, vectors)
    with store.snapshot() as snapshot:
        assert snapshot.generation == 1
        assert snapshot.document("a") == document
        ids = snapshot.chunk_ids()
        np.testing.assert_array_equal(snapshot.vectors(ids, DIMENSION), vectors)
        assert [stored.chunk for stored in snapshot.chunks(ids.tolist())] == chunks
        assert snapshot.texts(ids) == ["one", "two"]
        (listed,) = snapshot.documents()
    assert (listed.name, listed.characters, listed.pages, listed.chunks) == ("a", 7, 1, 2)


def test_new_bytes_retire_the_old_version_and_its_ids(store: Store) -> None:
    store.put(*make("a", "old words"))
    with store.snapshot() as snapshot:
        before = set(snapshot.chunk_ids())
    store.put(*make("a", "new"))
    with store.snapshot() as snapshot:
        after = set(snapshot.chunk_ids())
    assert held(store) == {"a": "new"}
    assert len(after) == 1
    assert not after & before


def test_ids_are_never_used_again(store: Store) -> None:
    """A cache that still holds a removed chunk would otherwise cite the text that took over its id."""
    seen: set[int] = set()
    for text in ("one two", "three", "one two"):
        store.put(*make("a", text))
        with store.snapshot() as snapshot:
            ids = set(snapshot.chunk_ids().tolist())
        assert not ids & seen
        seen |= ids
        assert store.remove("a")


def test_one_content_under_two_names_is_kept_once(store: Store) -> None:
    document, chunks, vectors = make("b", "same bytes")
    store.put(document, chunks, vectors)
    assert store.point("a", document.sha256, document.media_type)
    assert not store.point("c", "0" * 64, "text/plain")
    with store.snapshot() as snapshot:
        (listed,) = snapshot.documents()
        assert (listed.name, listed.names, listed.chunks) == ("a", ("a", "b"), 2)
    store.remove("a")
    assert held(store) == {"b": "same bytes"}
    store.remove("b")
    with store.snapshot() as snapshot:
        assert len(snapshot.chunk_ids()) == 0


def test_digest_follows_the_contents_not_the_history(store: Store, tmp_path: Path) -> None:
    other = made(tmp_path / "j" / "store.sqlite")
    for text in ("x", "y"):
        store.put(*make("a", text))
    store.put(*make("b", "z"))
    other.put(*make("b", "z"))
    other.put(*make("a", "y"))
    with store.snapshot() as one, other.snapshot() as two:
        assert one.digest() == two.digest()
        assert one.generation != two.generation
    other.remove("b")
    with store.snapshot() as one, other.snapshot() as two:
        assert one.digest() != two.digest()


def test_another_embedder_is_refused_once_there_are_vectors(store: Store) -> None:
    made(store.path, "model@2")
    made(store.path).put(*make("a", "one"))
    with pytest.raises(InputError, match=r"made with the embedder model@1, not model@2; .* rag reembed --index i`"):
        made(store.path, "model@2")
    with pytest.raises(
        InputError, match=r"made with the chunking size 200 even ends, not size 100 overlap 20 even ends; use"
    ):
        store.adopt("model@1", "model", Chunking(100, 20))
    store.remove("a")
    store.adopt("model@2", "model", Chunking(100, 20))
    with store.snapshot() as snapshot:
        assert (snapshot.edition.embedder, snapshot.edition.chunking) == ("model@2", "size 100 overlap 20 even ends")


def test_a_file_that_is_no_store(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    path.write_text("not a database, but long enough to look at " * 30)
    with pytest.raises(InputError, match="restore or delete it"):
        Store(path)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be made"):
        Store(tmp_path / "file" / "i" / "store.sqlite")


def test_a_store_deleted_under_us_does_not_come_back_empty(store: Store) -> None:
    store.put(*make("a", "one"))
    store.path.unlink()
    with pytest.raises(InputError, match="check that it is there"):
        held(store)
    with pytest.raises(InputError, match="check that it is there"):
        store.put(*make("a", "one"))
    assert not store.path.exists()


def test_odd_folder_names(tmp_path: Path) -> None:
    store = Store(tmp_path / "a ?mode=memory#%20 ü" / "store.sqlite")
    store.put(*make("a", "one"))
    assert store.path.is_file()
    assert held(store) == {"a": "one"}


def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    store.put(*make("a", "old words"))
    document, chunks, vectors = make("a", "three new words")
    with pytest.raises(ValueError, match="shorter"):
        store.put(document, chunks, vectors[:1])
    assert held(store) == {"a": "old words"}
    with store.snapshot() as snapshot:
        assert snapshot.generation == 1


def test_a_full_disk_is_one_sentence_and_leaves_the_old_version(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(*make("a", "old"))
    connect = store._connect

    def small(mode: str = "rw") -> sqlite3.Connection:
        connection = connect(mode)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    monkeypatch.setattr(store, "_connect", small)
    with pytest.raises(InputError, match=r"disk is full.*what it held is unchanged; free some space"):
        store.put(*make("a", "new words " * 5000))
    monkeypatch.undo()
    assert held(store) == {"a": "old"}


def test_a_reader_keeps_its_view_while_another_writes(store: Store) -> None:
    store.put(*make("a", "old"))
    with store.snapshot() as snapshot:
        store.put(*make("a", "new"))
        assert snapshot.document("a").text == "old"
    assert held(store) == {"a": "new"}


WRITER = """
import sys
from pathlib import Path
from tests.rag.test_store import make, made
store = made(Path(sys.argv[1]))
print("ready", flush=True)
for turn in range(100_000):
    name = f"doc{turn % 7}"
    if turn % 5 == 4:
        store.remove(name)
    else:
        store.put(*make(name, " ".join(f"{name}w{turn}" for _ in range(200))))
"""


@contextmanager
def writer(path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def whole(snapshot: Snapshot) -> None:
    """Every document that is listed has all of its words as chunks, each with its vector, and no chunk is left over."""
    documents = snapshot.documents()
    assert sum(document.chunks for document in documents) == len(snapshot.chunk_ids())
    for document in documents:
        assert document.chunks == len(snapshot.document(document.name).text.split()) == 200
    snapshot.vectors(snapshot.chunk_ids(), DIMENSION)


@pytest.mark.slow
def test_kill_while_writing_leaves_every_document_whole(store: Store) -> None:
    generation = -1
    for turn in range(3):
        with writer(store.path) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.05 + 0.11 * turn)
            os.kill(process.pid, signal.SIGKILL)
        with store.snapshot() as snapshot:
            whole(snapshot)
            assert snapshot.generation > generation, "the writer must have written before it was killed"
            generation = snapshot.generation


@pytest.mark.slow
def test_readers_see_whole_documents_while_a_process_writes(store: Store) -> None:
    with writer(store.path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        generations = set()
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            with store.snapshot() as snapshot:
                whole(snapshot)
                generations.add(snapshot.generation)
    assert len(generations) > 3
