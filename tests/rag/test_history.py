"""Whatever was done to an index, it answers like one that was made of what it holds now."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rag.chunking import Chunking
from rag.index import MODES, Index
from rag.labels import Filter
from rag.refining import PLAIN

from .letters import Letters

NAMES = st.sampled_from(["a.txt", "b/c.txt", "b/d.txt"])
TEXTS = st.sampled_from(["Zebra crossing.", "Apple pie and jam. " * 9, "Quiz one. " * 20, "Quiz two. Zebra pie. " * 12])
TAGS = st.sampled_from(["red", "blue"])
EDITIONS = st.sampled_from([(26, Chunking(32)), (30, Chunking(20, 6)), (26, Chunking(16))])
QUESTION = "apple zebra quiz"


def results(index: Index, where: Filter | None) -> list[list[tuple[Any, ...]]]:
    """What is found, without ids and without the last bits of a float."""
    return [
        sorted((h.document, h.start, h.end, h.text, round(h.score, 5), round(h.cosine, 5)) for h in hits)
        for hits in (index.search(QUESTION, 200, mode, refining=PLAIN, where=where) for mode in MODES)
    ]


class History(RuleBasedStateMachine):
    """An index, and what it should hold."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.edition = (26, Chunking(32))
        self.files: dict[str, str] = {}
        self.tags: dict[str, set[str]] = {}
        self.ids: dict[int, str] = {}
        self.index = self.opened("lived")

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    def opened(self, name: str) -> Index:
        return Index(self.folder / name, Letters(self.edition[0]), self.edition[1])  # type: ignore[arg-type]

    @rule(name=NAMES, text=TEXTS, tags=st.lists(TAGS, max_size=1))
    def add(self, name: str, text: str, tags: list[str]) -> None:
        self.index.add([(name, text.encode())], tags=tags)
        self.files[name] = text
        self.tags.setdefault(name, set()).update(tags)

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        if name in self.files:
            self.index.remove(name)
            del self.files[name], self.tags[name]

    @rule(name=NAMES, add=st.lists(TAGS, max_size=2), remove=st.lists(TAGS, max_size=1))
    def tag(self, name: str, add: list[str], remove: list[str]) -> None:
        if name in self.files:
            self.index.tag(name, add, remove)
            self.tags[name] = (self.tags[name] | set(add)) - set(remove)

    @rule(edition=EDITIONS)
    def reembed(self, edition: tuple[int, Chunking]) -> None:
        self.index.reembed(Letters(edition[0]), edition[1])  # type: ignore[arg-type]
        self.edition = edition

    @rule()
    def reload(self) -> None:
        self.index = self.opened("lived")

    @rule(where=st.sampled_from([None, Filter(folder="b"), Filter(tags=("red",)), Filter(documents=("a.txt",))]))
    def compare(self, where: Filter | None) -> None:
        fresh = self.opened("fresh")
        for name, text in self.files.items():
            fresh.add([(name, text.encode())], tags=sorted(self.tags[name]))
        try:
            assert self.index.digest == fresh.digest
            assert results(self.index, where) == results(fresh, where)
            assert [d.entries for d in self.index.documents(where)] == [d.entries for d in fresh.documents(where)]
        finally:
            shutil.rmtree(self.folder / "fresh")

    @invariant()
    def ids_are_never_used_again(self) -> None:
        if hasattr(self, "index"):
            with self.index.store.snapshot() as snapshot:
                for each in snapshot.chunks(snapshot.chunk_ids().tolist()):
                    assert self.ids.setdefault(each.id, each.chunk.embedded) == each.chunk.embedded


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=25, stateful_step_count=14)
