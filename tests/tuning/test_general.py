"""The general rows are what their card says; what is trained on must not give away what is measured."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tuning.general import GENERAL, forgetting_rows, replayed_rows
from tuning.scores import accepted, normalise

RECORDS: list[dict[str, Any]] = [json.loads(line) for line in GENERAL.read_text("utf-8").splitlines()]
PARTS = ("train", "test")


def part(split: str) -> list[dict[str, Any]]:
    return [record for record in RECORDS if record["split"] == split]


def test_every_row_has_its_fields_and_a_name_of_its_own() -> None:
    for record in RECORDS:
        assert record.keys() - {"answers"} == {"id", "prompt", "response", "kind", "split"}, record
        assert record["split"] in PARTS, record
        assert all(text and text == text.strip() for text in (record["prompt"], record["response"])), record
    assert len({record["id"] for record in RECORDS}) == len({record["prompt"] for record in RECORDS}) == len(RECORDS)


def test_both_halves_have_the_kinds_of_the_card() -> None:
    counts = {split: Counter(record["kind"] for record in part(split)) for split in PARTS}
    assert counts["train"] == counts["test"]
    assert counts["test"].total() == 60
    card = (GENERAL.parent / "README.md").read_text("utf-8")
    for kind, count in counts["test"].items():
        assert f"| `{kind}` | {count} |" in card


def test_no_fact_is_in_both_halves() -> None:
    facts = [
        {
            normalise(text)
            for record in part(split)
            if record["kind"] in ("knowledge", "sense")
            for text in [record["prompt"], *record.get("answers", ())]
        }
        for split in PARTS
    ]
    assert not facts[0] & facts[1]


def test_what_has_one_right_answer_says_it_in_its_response() -> None:
    for record in RECORDS:
        if record["kind"] in ("knowledge", "arithmetic"):
            assert record["answers"], record
        if answers := record.get("answers"):
            said = f" {normalise(record['response'])} "
            assert any(f" {normalise(answer)} " in said for answer in answers), record


def test_the_halves_are_read_as_rows_and_a_file_of_the_users_too(tmp_path: Path) -> None:
    assert len(replayed_rows()) == len(forgetting_rows()) == 60
    assert not {row.digest for row in replayed_rows()} & {row.digest for row in forgetting_rows()}
    assert sum(bool(accepted(row)) for row in forgetting_rows()) >= 35
    mine = tmp_path / "mine.jsonl"
    mine.write_text('{"prompt": "a", "response": "b"}\n{"prompt": "c", "response": "d"}\n')
    assert len(forgetting_rows(mine)) == 2
    mine.write_text(
        '{"prompt": "a", "response": "b", "split": "train"}\n{"prompt": "c", "response": "d", "split": "test"}'
    )
    assert [row.response for row in forgetting_rows(mine)] == ["d"]
