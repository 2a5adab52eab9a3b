import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from rag.errors import InputError
from rag.schema import VERSION
from rag.store import Store

from .test_store import made, make


def old(path: Path, version: int) -> Path:
    """A store as that version of the schema left it."""
    dump = Path(__file__).with_name(f"store_version_{version}.sql").read_text("utf-8")
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(dump)
    return path


def test_a_store_of_version_1_is_brought_up_to_date_with_all_that_it_held(tmp_path: Path) -> None:
    store = Store(old(tmp_path / "i" / "store.sqlite", 1))
    store.adopt("model@1", "model")
    with store.snapshot() as snapshot:
        assert snapshot.uuid == "75c49768d65545a39393971c7e4627e9", "its caches stay true"
        assert snapshot.generation == 5
        assert (snapshot.edition.embedder, snapshot.edition.chunking) == ("model@1", "size 200")
        assert snapshot.chunk_ids().tolist() == [1, 2, 5]
        np.testing.assert_array_equal(snapshot.vectors(snapshot.chunk_ids(), 4)[:2].ravel(), np.arange(8))
        one, two = snapshot.documents()
        assert (one.name, two.names) == ("a.txt", ("copy.txt", "notes/c.txt"))
        assert [(entry.date, entry.tags) for entry in two.entries] == [("2026-11-26", ())] * 2
    store.put(*make("d.txt", "four"))
    with store.snapshot() as snapshot:
        assert snapshot.chunk_ids().tolist() == [1, 2, 5, 6], "the ids of what was removed are not used again"


def test_an_upgrade_is_done_once_and_gives_what_a_new_store_has(tmp_path: Path) -> None:
    path = old(tmp_path / "i" / "store.sqlite", 1)
    Store(path)
    Store(path)
    made(tmp_path / "j" / "store.sqlite")
    tables = []
    for each in (path, tmp_path / "j" / "store.sqlite"):
        with closing(sqlite3.connect(each)) as connection:
            tables.append(
                {
                    row[0]: connection.execute(f"PRAGMA table_info({row[0]})").fetchall()
                    for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
                }
            )
            assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    assert tables[0] == tables[1]


def test_a_store_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = made(tmp_path / "i" / "store.sqlite").path
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(InputError, match="written by a later version of this program; update the program"):
        Store(path)
