"""What is written can be read back, and nothing half-written takes the place of a file."""

import csv
import importlib
import io
import json
import os
from pathlib import Path

import pytest

from eval.errors import InputError
from eval.export import COLUMNS, FORMATS, as_csv, as_json, as_parquet, write
from eval.judgement import Judgement
from eval.vote import Vote, from_json
from tests.eval.making import make_vote

VOTES = [
    make_vote(choice="rag", answers={"base": 'a, "b"\nc', "tuned": "\ud800", "rag": "=1+1", "combined": "é"}),
    make_vote("c1", shown=("combined", "base"), choice="tie", acceptable=True),
]


def test_json_holds_every_vote_whole() -> None:
    record = json.loads(as_json(VOTES))
    assert record["count"] == 2
    assert [from_json(vote) for vote in record["votes"]] == VOTES


def test_csv_has_a_line_for_each_answer_in_the_order_shown() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(VOTES).decode("utf-8"), newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["variant"], row["position"], row["won"]) for row in rows] == [
        ("base", "1", "False"), ("tuned", "2", "False"), ("rag", "3", "True"), ("combined", "4", "False"),
        ("combined", "1", "True"), ("base", "2", "True"),
    ]  # fmt: skip
    assert [row["answer"] for row in rows[:3]] == ['a, "b"\nc', "?", "=1+1"]
    assert {(row["tokens"], row["seconds"], row["first_token_seconds"]) for row in rows} == {("12", "0.5", "0.1")}


def test_parquet_is_the_same_table_and_says_what_was_noted_of_each_answer() -> None:
    parquet = importlib.import_module("pyarrow.parquet")
    notes = Judgement(thumb=True, scores={"style": 4}, tags=("wrong",), comment="Nearly.", better="Nine metres.")
    votes = [*VOTES, make_vote("c2", ranking=(("rag",), ("base", "tuned"), ("combined",)), choice="rag",
                               mode="ranking", judgements={"rag": notes})]  # fmt: skip
    rows = parquet.read_table(io.BytesIO(as_parquet(votes))).to_pylist()
    assert tuple(rows[0]) == COLUMNS
    assert [row["answer"] for row in rows[:3]] == ['a, "b"\nc', "?", "=1+1"]
    (noted,) = [row for row in rows if row["thumb"] is not None]
    assert (noted["variant"], noted["place"], noted["scores"]) == ("rag", 1, '{"style": 4}')
    assert (noted["tags"], noted["comment"], noted["better"]) == ("wrong", "Nearly.", "Nine metres.")
    table = list(csv.DictReader(io.StringIO(as_csv(votes).decode("utf-8"), newline="")))
    assert [row["better"] for row in table if row["better"]] == ["Nine metres."]
    assert parquet.read_table(io.BytesIO(as_parquet([]))).num_rows == 0


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("votes", [[], VOTES])
def test_a_file_is_written(tmp_path: Path, name: str, votes: list[Vote]) -> None:
    write(votes, name, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == FORMATS[name](votes)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out").write_text("old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left"):
        write(VOTES, "json", tmp_path / "out")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("out", "old")]


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="in a folder that exists"):
        write(VOTES, "json", tmp_path / "missing" / "out")
    with pytest.raises(InputError, match="unknown; give one of json, csv, parquet, dpo, kto, sft"):
        write(VOTES, "xls", tmp_path / "out")
