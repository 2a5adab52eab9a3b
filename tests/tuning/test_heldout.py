"""Held-out rows come back as they were, whatever stands in them."""

from dataclasses import replace
from pathlib import Path

import pytest

from tuning.adapters import Adapter, open_adapter
from tuning.assessment import read_assessment
from tuning.commands import SAMPLES
from tuning.errors import InputError
from tuning.heldout import TEST_ROWS, held_out, write_rows
from tuning.rows import Row


def turns(question: str, answer: str) -> tuple[dict[str, str], ...]:
    return {"role": "user", "content": question}, {"role": "assistant", "content": answer}


ROWS = [
    Row(
        ({"role": "system", "content": "x\u2028y"}, *turns("“é”\x00", "2009")),
        "line 1",
        id="one",
        task="facts",
        source="company.md",
        split="test",
        passages=({"id": "a.md", "text": "in 2009\n\nand later"},),
        answers=("2009", "two"),
    ),
    Row(turns("a", "b"), "line 2", split="test", rejected="c"),
    Row(turns("a", "\ud800"), "line 3", split="test", good=False),
]


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    adapter = Adapter("mine", tmp_path, {})
    assert held_out(adapter) is None
    write_rows([replace(row, place="line 40") for row in ROWS], tmp_path / TEST_ROWS)
    assert held_out(adapter) == ROWS
    write_rows([], tmp_path / TEST_ROWS)
    assert held_out(adapter) == []


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"messages": 1}'])
def test_a_broken_file_is_told_by_its_line(tmp_path: Path, line: str) -> None:
    write_rows(ROWS[:1], tmp_path / TEST_ROWS)
    with (tmp_path / TEST_ROWS).open("a") as file:
        file.write(line)
    with pytest.raises(InputError, match=r"test\.jsonl, line 2: not a row as training wrote it"):
        held_out(Adapter("mine", tmp_path, {}))


def test_the_programs_own_adapter_has_its_test_rows_and_what_was_measured_on_them() -> None:
    adapter = open_adapter(SAMPLES / "samples")
    rows = held_out(adapter)
    assert rows is not None
    assert [row.digest for row in rows] == adapter.card["rows"]["test"]
    found = read_assessment(adapter)
    assert found is not None
    assert found["held_out"]["loss"]["tuned"] == pytest.approx(adapter.card["test_loss"], rel=0.01)
    assert found["held_out"]["loss"]["base"] == pytest.approx(adapter.card["base_test_loss"], rel=0.01)
