"""The report accounts for every row: kept, dropped or cut with a reason, repeated, leaking, and how long."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from tuning.dialogues import Row, check, load
from tuning.errors import InputError
from tuning.preview import preview
from tuning.report import Report


@pytest.fixture(scope="module")
def tokenizer(tiny_base_path: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(tiny_base_path)


def row(number: int, prompt: str, response: str, **others: Any) -> Row:
    messages = ({"role": "user", "content": prompt}, {"role": "assistant", "content": response})
    return Row(messages, f"line {number}", **others)


CONTENT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ["", "one", "<|im_end|>", "red " * 80]
)
MESSAGE = st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": CONTENT})


@settings(max_examples=150)
@given(st.lists(st.tuples(st.lists(MESSAGE, max_size=6), st.none() | CONTENT), max_size=6))
def test_every_row_is_kept_or_dropped_with_a_reason(
    tokenizer: PreTrainedTokenizerBase, dialogues: list[tuple[list[dict[str, str]], str | None]]
) -> None:
    rows = [
        Row(tuple({**turn, "content": turn["content"].strip()} for turn in turns), f"line {number}", rejected=rejected)
        for number, (turns, rejected) in enumerate(dialogues, 1)
    ]
    report = check(rows, tokenizer, max_length=128)
    places = [kept.place for kept in report.kept] + [finding.place for finding in report.dropped]
    assert sorted(places) == sorted(row.place for row in rows)
    assert all(finding.reason and "\n" not in finding.reason for finding in (*report.dropped, *report.cut))
    assert len(report.lengths) == len(report.kept) == sum(rows for _, _, rows in report.histogram)
    assert (report.answer_tokens > 0) == bool(report.kept)
    json.dumps(report.as_json())


def test_nearly_equal_rows_are_told_and_kept(tokenizer: PreTrainedTokenizerBase) -> None:
    rows = [row(1, "Who keeps the lamp?", "The keeper."), row(2, "who keeps the lamp", "the keeper")]
    report = check([*rows, row(3, "Who rows the boat?", "The rower.")], tokenizer, 128)
    assert len(report.kept) == 3
    assert [vars(finding) for finding in report.near] == [{"place": "line 2", "reason": "the same words as line 1"}]


def test_a_row_with_passages_is_another_than_the_same_without(tokenizer: PreTrainedTokenizerBase) -> None:
    """A file and the same with passages were to be trained on together; of the second, every row was dropped."""
    passages = ({"id": "a", "text": "The keeper keeps the lamp."},)
    rows = [
        row(1, "Who keeps the lamp?", "The keeper."),
        row(2, "Who keeps the lamp?", "The keeper.", passages=passages),
        row(3, "Who keeps the lamp?", "The keeper.", passages=passages),
    ]
    report = check(rows, tokenizer, 128)
    assert [kept.place for kept in report.kept] == ["line 1", "line 2"]
    assert [vars(finding) for finding in report.dropped] == [{"place": "line 3", "reason": "the same as line 2"}]
    assert not report.near


def test_leaks_into_held_out_rows_name_both_rows(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    path = tmp_path / "rows.jsonl"
    records = [
        {"prompt": "Who keeps the lamp?", "response": "The keeper.", "source": "a", "split": "train"},
        {"prompt": "who keeps the lamp", "response": "A keeper.", "source": "b", "split": "test"},
        {"prompt": "Who rows?", "response": "The keeper.", "source": "c", "split": "test"},
    ]
    path.write_text("\n".join(map(json.dumps, records)))
    report = load(path, tokenizer, 128, seed=0).report
    (leak,) = report.leaks
    assert any("1 held-out rows ask what training rows ask" in note and "`source`" in note for note in report.notes)
    assert leak.place == "line 2"
    assert leak.reason == "in test, and asks the same words as line 1, which trains"


def test_bars_of_the_histogram_are_few_round_and_complete() -> None:
    for lengths in ((), (5,), (3, 1000), tuple(range(40, 80)), (1, 10**7)):
        bars = Report((), (), (), (), (), 0, lengths).histogram
        assert len(bars) <= 12
        assert sum(rows for _, _, rows in bars) == len(lengths)
        for low, high, rows in bars:
            assert rows == sum(low <= length < high for length in lengths)


def test_the_preview_shows_the_very_tokens_and_marks_what_is_learnt(tokenizer: PreTrainedTokenizerBase) -> None:
    (one,) = preview([row(1, "Who?", "The keeper.", passages=({"id": "a.md", "text": "It is she."},))], tokenizer)
    assert [part.learnt for part in one.segments] == [False, True]
    assert one.segments[0].text.startswith("<|im_start|>user\nPassages:")
    assert one.segments[1].text == "The keeper.<|im_end|>"
    assert one.marked(colours=False).endswith("⟦The keeper.<|im_end|>⟧")
    assert "\x1b[" in one.marked(colours=True)


def test_rows_that_all_are_empty_leave_nothing_to_learn(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "a", "response": " "}\n{"prompt": "", "response": "b"}\n')
    with pytest.raises(InputError, match=r"none of 2 rows can be used \(line 1: the response is empty, and so on\); c"):
        load(path, tokenizer, 128, seed=0)
