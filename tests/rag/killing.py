"""Forks a process that works on an index, kills it, and forks one that looks at what is left; loads everything once.

`python -m tests.rag.killing kills FOLDER ROUNDS SEED` prints how often each kind of work was cut short, what was wrong,
`readers FOLDER READERS SEED` what several processes saw while one wrote.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import rag.adding
import rag.reembedding
from rag.chunking import Chunking
from rag.chunks import split
from rag.documents import read_document
from rag.index import MODES, Index
from rag.refining import PLAIN
from rag.store import Store

from .letters import Letters

KINDS = ("add", "update", "remove", "reembed", "rebuild")
EDITIONS = [(Letters(), Chunking(32)), (Letters(30), Chunking(20, 6)), (Letters(), Chunking(16))]
QUESTION = "Which word stands in sentence 3?"


class Direct:
    """Reads files in this process: that they are read in another one is tested elsewhere."""

    read = staticmethod(read_document)


def text_of(name: str, version: int) -> str:
    return " ".join(f"{name} of version {version} says word {n} in sentence {n}." for n in range(5 + version % 30))


def opened(folder: Path) -> Index:
    embedders = {embedder.identity: embedder for embedder, _ in EDITIONS}
    return Index(folder, EDITIONS[0][0], load=lambda edition: embedders[edition.embedder])  # type: ignore


def work(folder: Path, kind: str, draw: random.Random, tell: Callable[[str], None]) -> None:
    """Do this kind of work mostly, and the others in between, until killed."""
    index = opened(folder)
    tell("begun")
    names = [f"doc{number}" for number in range(12)]
    while True:
        now = kind if draw.random() < 0.7 else draw.choice(KINDS)
        held = [document.name for document in index.documents()]
        tell(now)
        if now in ("add", "update"):
            some = draw.sample(held if held and now == "update" else names, 1)
            index.add([(name, text_of(name, draw.randrange(1000)).encode()) for name in some], tags=[now])
        elif now == "remove" and held:
            index.remove(draw.choice(held))
        elif now == "reembed":
            index.reembed(*draw.choice(EDITIONS))  # type: ignore[arg-type]
        elif now == "rebuild":
            for path in folder.glob("*.safetensors"):
                path.unlink(missing_ok=True)
            index = opened(folder)
            index.search(QUESTION)
        if draw.random() < 0.5:
            index.search(QUESTION)


def die_between(transactions: int) -> None:
    """Kill this process before it begins or commits that many transactions: chance seldom hits so short a moment."""
    connect, left = Store._connect, [transactions]

    def counted(statement: str) -> None:
        left[0] -= statement in ("BEGIN IMMEDIATE", "COMMIT")
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(store: Store, mode: str = "rw") -> sqlite3.Connection:
        connection = connect(store, mode)
        connection.set_trace_callback(counted)
        return connection

    Store._connect = watched  # type: ignore[method-assign]


def whole(index: Index, texts: dict[int, str]) -> int:
    """Raise AssertionError unless each document is one that was given, with all its chunks and vectors and no others.

    Notes the texts of the chunks by their ids, which must not be used again. Returns the store's generation.
    """
    with index.store.snapshot() as snapshot:
        embedder = {each.identity: each for each, _ in EDITIONS}[snapshot.edition.embedder]
        chunking, wanted = Chunking.of(snapshot.edition.chunking), set()
        for document in snapshot.documents():
            held = snapshot.document(document.name)
            assert held.text == text_of(document.name, int(held.text.split()[3])), "a text that was never given"
            chunks = split(held, embedder.tokenizer, embedder.limit, chunking)
            wanted |= {(document.name, chunk) for chunk in chunks}
        ids = snapshot.chunk_ids()
        stored = snapshot.chunks(ids.tolist())
        assert {(each.document, each.chunk) for each in stored} == wanted, "a document that is not whole"
        assert len(ids) == len(wanted)
        vectors = embedder.encode([each.chunk.embedded for each in stored])
        assert (vectors == snapshot.vectors(ids, embedder.dimension)).all(), "vectors of another text"
    for each in stored:
        assert texts.setdefault(each.id, each.chunk.text) == each.chunk.text, "an id that was used again"
    return snapshot.generation


def look(folder: Path, texts: dict[int, str]) -> None:
    """Raise AssertionError unless what a killed process left is whole, and searches agree with the store."""
    index = opened(folder)
    whole(index, texts)
    bare = folder.with_name("bare")
    shutil.rmtree(bare, ignore_errors=True)
    bare.mkdir()
    for path in folder.glob("store.sqlite*"):
        shutil.copy(path, bare)
    rebuilt = opened(bare)
    with index.store.snapshot() as snapshot:
        ids = set(snapshot.chunk_ids().tolist())
    for mode in MODES:
        found, wanted = (
            {
                hit.chunk: (hit.text, round(hit.score, 4), round(hit.cosine, 4))
                for hit in each.search(QUESTION, 10_000, mode, refining=PLAIN)
            }
            for each in (index, rebuilt)  # their parts differ, and with them the last bits of sums
        )
        assert set(found) <= ids, "a removed text"
        assert found == wanted, f"caches that do not agree with their store: {set(found.items()) ^ set(wanted.items())}"
    with index.store.snapshot() as snapshot:
        filling = snapshot.filling
    if filling:
        for embedder, chunking in EDITIONS:
            if (embedder.identity, chunking.identity) == (filling[0].embedder, filling[0].chunking):
                index.reembed(embedder, chunking)  # type: ignore[arg-type]
        whole(index, texts)
    rag.reembedding.sweep(index.store)
    with index.store.writing() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchone() is None
        stray = "SELECT count(*) FROM chunks WHERE edition NOT IN (SELECT id FROM editions)"
        assert connection.execute(stray).fetchone() == (0,)


def watch(folder: Path, seconds: float) -> int:
    """Look and search again and again; returns the number of states that were seen."""
    index, texts, seen = opened(folder), dict[int, str](), set[int]()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        seen.add(whole(index, texts))
        for hit in index.search(QUESTION, 10):
            assert texts.setdefault(hit.chunk, hit.text) == hit.text
    return len(seen)


def forked(run: Callable[[int], None]) -> tuple[int, int]:
    """The process that runs this, and where what it writes can be read."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    os.close(reading)
    try:
        run(writing)
    except BaseException:
        os.write(writing, traceback.format_exc().encode())
    os._exit(0)


def read_all(reading: int) -> str:
    with os.fdopen(reading) as pipe:
        return pipe.read()


def one_round(folder: Path, kind: str, seed: int, texts: Path) -> tuple[str, str]:
    """What was cut short, and what is wrong now."""
    draw, by_itself = random.Random(seed), seed % 2 == 1

    def worker(pipe: int) -> None:
        if by_itself:
            die_between(draw.randrange(1, 60))
        work(folder, kind, draw, lambda now: os.write(pipe, f"{now}\n".encode()) and None)

    child, reading = forked(worker)
    os.read(reading, len("begun"))
    if not by_itself:
        time.sleep(draw.uniform(0, 0.25))
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    done = read_all(reading).split("\n")
    if "Traceback (most recent call last):" in done:
        return "", "\n".join(done)
    known = {int(key): text for key, text in json.loads(texts.read_text()).items()} if texts.exists() else {}

    def check(pipe: int) -> None:
        look(folder, known)
        texts.write_text(json.dumps(known))

    child, reading = forked(check)
    wrong = read_all(reading)
    os.waitpid(child, 0)
    return ([word for word in done if word in KINDS] or ["begun"])[-1], wrong


def kills(folder: Path, rounds: int, seed: int) -> dict[str, object]:
    cut: Counter[str] = Counter()
    wrong = []
    for number in range(rounds):
        last, found = one_round(folder / "index", KINDS[number % len(KINDS)], seed + number, folder / "texts.json")
        cut[last] += 1
        if found:
            wrong.append(f"round {number}: {found}")
    return {"cut": cut, "wrong": wrong}


def readers(folder: Path, number: int, seed: int) -> dict[str, object]:
    draw = random.Random(seed)
    writer, pipe = forked(lambda pipe: work(folder, "reembed", draw, lambda now: None))
    watching = [forked(lambda pipe: os.write(pipe, str(watch(folder, 4)).encode()) and None) for _ in range(number)]
    seen = [read_all(reading) for _, reading in watching]
    os.kill(writer, signal.SIGKILL)
    for child in (writer, *(child for child, _ in watching)):
        os.waitpid(child, 0)
    return {"seen": seen, "writer": read_all(pipe)}


if __name__ == "__main__":
    rag.adding.READER = Direct()  # type: ignore[assignment]
    rag.reembedding._TOGETHER, rag.reembedding._SWEPT = 1, 3  # many transactions, to be cut short between any two
    run = {"kills": kills, "readers": readers}[sys.argv[1]]
    sys.stdout.write(json.dumps(run(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
