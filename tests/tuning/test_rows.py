"""Every layout of a row file reads to the same rows, and every break names its file, its line and its remedy."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuning.errors import InputError
from tuning.rows import Row, read_rows

USER, ASSISTANT = {"role": "user", "content": "Who?"}, {"role": "assistant", "content": "The keeper."}


def read(tmp_path: Path, content: str | bytes, name: str = "rows.jsonl") -> list[Row]:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_rows(path)


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": "Who?", "response": "The keeper."},
        {"prompt": " Who?\n", "completion": "The keeper. "},
        {"question": "Who?", "answer": "The keeper."},
        {"instruction": "Who?", "input": "", "output": "The keeper."},
        {"messages": [USER, ASSISTANT]},
        {"conversations": [{"from": "human", "value": "Who?"}, {"from": "gpt", "value": "The keeper."}]},
    ],
)
def test_every_layout_is_recognised(tmp_path: Path, record: dict[str, Any]) -> None:
    (row,) = read(tmp_path, json.dumps(record))
    assert row.messages == (USER, ASSISTANT)
    assert row.prompt == (USER,)
    assert row.response == "The keeper."
    assert row.place == "line 1"


def test_optional_fields_come_along(tmp_path: Path) -> None:
    record = {
        "prompt": "Who?",
        "response": "The keeper.",
        "system": "Be brief.",
        "id": 7,
        "source": "page",
        "task": "fact",
        "split": "dev",
        "passages": [{"id": "p", "text": "The keeper keeps."}],
        "answers": "keeper",
    }
    (row,) = read(tmp_path, json.dumps(record))
    assert row.messages[0] == {"role": "system", "content": "Be brief."}
    assert (row.id, row.source, row.task, row.split) == ("7", "page", "fact", "validation")
    assert row.passages == ({"id": "p", "text": "The keeper keeps."},)
    assert row.answers == ("keeper",)


def test_an_input_follows_its_instruction(tmp_path: Path) -> None:
    (row,) = read(tmp_path, '{"instruction": "Translate.", "input": "rouge", "output": "red"}')
    assert row.prompt[0]["content"] == "Translate.\n\nrouge"


def test_csv_json_and_parquet_read_as_jsonl_does(tmp_path: Path) -> None:
    records = [
        {"prompt": 'a "quoted", line\nbroken', "response": "x,y", "source": "s1"},
        {"prompt": "b", "response": "z", "source": ""},
    ]
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(records[0]))
        writer.writeheader()
        writer.writerows(records)
    (tmp_path / "rows.json").write_text(json.dumps({"data": records}))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records), tmp_path / "rows.parquet")
    expected = read(tmp_path, "\n".join(map(json.dumps, records)))
    for name in ("rows.csv", "rows.json", "rows.parquet"):
        rows = read_rows(tmp_path / name)
        assert [row.messages for row in rows] == [row.messages for row in expected]
        assert [row.source for row in rows] == ["s1", None]
    assert [row.place for row in read_rows(tmp_path / "rows.csv")] == ["line 2", "line 4"]


@settings(max_examples=60)
@given(st.lists(st.dictionaries(st.text(), st.text() | st.lists(st.text(), max_size=3), max_size=3), max_size=6))
def test_the_line_of_each_item_of_a_json_list_is_known(
    tmp_path_factory: pytest.TempPathFactory, extras: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("json") / "rows.json"
    records = [{"prompt": "a", "response": "b", "source": str(n), "other": extra} for n, extra in enumerate(extras)]
    path.write_text(json.dumps([{"prompt": "a", "response": "b"}, *records], indent=1))
    lines = path.read_text().split("\n")
    for row in read_rows(path)[1:]:
        number = int(row.place.rsplit(" ", 1)[1])
        assert lines[number - 1] == " {"
        assert f'"source": "{row.source}"' in lines[number + 2]


def test_a_byte_order_mark_and_a_line_separator_inside_a_text_are_no_break(tmp_path: Path) -> None:
    """`str.splitlines` cuts at U+2028, which JSON allows inside a string: half of the row was then 'not JSON'."""
    (row,) = read(tmp_path, "\ufeff" + json.dumps({"prompt": "a\u2028b", "response": "c"}, ensure_ascii=False))
    assert row.prompt[0]["content"] == "a\u2028b"


GOOD = '{"prompt": "a", "response": "b"}\n'
BROKEN = [
    ("rows.jsonl", GOOD * 16 + '{"prompt": "a", "respo\n', r"line 17: not JSON .*correct or remove it"),
    ("rows.jsonl", GOOD + '{"prompt": "a"}\n', r"line 2: no response \(it has: prompt\); name the fields"),
    ("rows.jsonl", '{"response": "a"}\n', r"line 1: no prompt"),
    ("rows.jsonl", "[1, 2]\n", r"line 1: an object is needed, this is a list"),
    ("rows.jsonl", '{"prompt": {"a": 1}, "response": "b"}', r"line 1: prompt must be text, this is an object"),
    ("rows.jsonl", '{"prompt": "a", "response": NaN}', r"line 1: response must be text, this is the number nan"),
    ("rows.jsonl", '{"prompt": "a", "response": true}', r"line 1: response must be text, this is true or false"),
    ("rows.jsonl", '{"prompt": "a", "response": "\\ud800"}', r"line 1: response holds half of a surrogate"),
    ("rows.jsonl", '{"prompt": "a", "chosen": "b", "rejected": [1]}', r"line 1, a message: an object is needed"),
    (
        "rows.jsonl",
        '{"prompt": "a", "chosen": ["b", "c"], "rejected": "d"}',
        r"line 1, a message: an object is needed, this is text",
    ),
    ("rows.jsonl", '{"prompt": "a", "completion": "b", "label": "so so"}', r"line 1: label is 'so so'; use true"),
    ("rows.jsonl", '{"messages": "hello"}', r"line 1: messages must be a list"),
    ("rows.jsonl", '{"messages": [{"role": "tool", "content": "x"}]}', r"line 1: a message of role 'tool'; use"),
    ("rows.jsonl", '{"messages": [{"role": "user"}]}', r"line 1: a message without content"),
    ("rows.jsonl", '{"messages": [3]}', r"line 1, a message: an object is needed"),
    ("rows.jsonl", '{"prompt": "a", "response": "b", "split": "later"}', r"line 1: split is 'later'; use train"),
    ("rows.jsonl", '{"prompt": "a", "response": "b", "passages": "p"}', r"line 1: passages must be a list"),
    ("rows.jsonl", "[" * 100_000, r"line 1: JSON too deep"),
    ("rows.jsonl", "", r"rows\.jsonl: no rows in it"),
    ("rows.json", GOOD * 2, r"line 2: not JSON \(Extra data.*name the file \.jsonl"),
    ("rows.json", "3", r"line 1: a list of objects is needed, this is the number 3"),
    (
        "rows.json",
        '[\n  {"prompt": "a",\n   "response": "b"},\n\n  {"prompt": "a"}\n]',
        r"row 2, line 5: no response \(it has: prompt\); name",
    ),
    ("rows.json", "[3]", r"row 1: an object is needed"),
    ("rows.csv", "prompt,response\na,b,c\n", r"line 2: 3 cells under 2 column names; put text"),
    ("rows.csv", 'prompt,response\na,"b\n', r"line \d: .*check the double quotes"),
    ("rows.csv", "prompt,messages\na,[1\n", r"line 2, column messages: not JSON"),
    ("rows.csv", "prompt,response,prompt\na,b,c\n", r"line 1: two columns are called 'prompt'; rename"),
    (
        "rows.jsonl",
        '{"chosen": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}], '
        '"rejected": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "c"}]}',
        r"line 1: chosen ends with a turn of the user; end it with",
    ),
    ("rows.jsonl", '{"prompt": "a", "chosen": [], "rejected": "d"}', r"line 1: chosen is an empty list; write"),
    ("rows.csv", "text\nhello\n", r"line 2: no prompt \(it has: text\)"),
    ("rows.csv", b"prompt,response\na,\xff\n", r"line 2: byte 18 is not UTF-8"),
    ("rows.parquet", b"PAR1 no", r"row 1: not a readable Parquet file"),
    ("rows.xlsx", "x", r"rows\.xlsx: \.xlsx is not a table that can be read; use \.jsonl"),
    ("rows", "x", r"rows: a name without ending"),
]


@pytest.mark.parametrize(("name", "content", "message"), BROKEN)
def test_a_break_names_file_place_and_remedy_in_one_line(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, content, name)
    assert str(caught.value).startswith(name)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.jsonl: No such file or directory; check the path"):
        read_rows(tmp_path / "none.jsonl")


def outcome(path: Path) -> tuple[list[Row], str]:
    """The rows, or the one-line complaint; any other exception fails the test."""
    try:
        return read_rows(path), ""
    except InputError as error:
        return [], str(error)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["prompt", "response", "messages", "conversations", "system", "split", "passages", "answers"])


@settings(max_examples=200)
@given(st.lists(st.dictionaries(FIELDS, JSON, max_size=5) | JSON, max_size=3))
def test_whatever_json_says_it_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, records: list[Any]) -> None:
    path = tmp_path_factory.mktemp("json") / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    rows, complaint = outcome(path)
    assert complaint.startswith("rows.jsonl" if complaint else "")
    assert all(message["role"] in ("system", "user", "assistant") for row in rows for message in row.messages)


@settings(max_examples=200)
@given(st.sampled_from([".jsonl", ".json", ".csv", ".tsv", ".parquet"]), st.binary(max_size=200))
def test_no_bytes_end_in_another_error(tmp_path_factory: pytest.TempPathFactory, ending: str, content: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / f"rows{ending}"
    path.write_bytes(content)
    _, complaint = outcome(path)
    assert complaint.startswith(path.name if complaint else "")


@settings(max_examples=100)
@given(st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=5))
def test_csv_gives_back_any_text(tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]) -> None:
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["prompt", "response"])
        writer.writerows(pairs)
    expected = [(prompt.strip(), answer.strip()) for prompt, answer in pairs if prompt.strip() or answer.strip()]
    if not expected:
        return
    assert [(row.prompt[0]["content"], row.response) for row in read_rows(path)] == expected


def test_preferences_as_whole_conversations_are_recognised(tmp_path: Path) -> None:
    """As UltraFeedback has them: the question stands in both answers, and maybe once more in `prompt`."""
    chosen, rejected = ([USER, {"role": "assistant", "content": text}] for text in ("Nine.", "Ten."))
    for extra in ({}, {"prompt": "Who?"}):
        (row,) = read(tmp_path, json.dumps({"chosen": chosen, "rejected": rejected, "system": "Be brief.", **extra}))
        assert [turn["content"] for turn in row.messages] == ["Be brief.", "Who?", "Nine."]
        assert row.rejected == "Ten."
    other = [{**USER, "content": "What?"}, rejected[1]]
    with pytest.raises(InputError, match="line 1: chosen and rejected differ before the last turn"):
        read(tmp_path, json.dumps({"chosen": chosen, "rejected": other}))


def test_tables_with_semicolons_are_read(tmp_path: Path) -> None:
    (row,) = read(tmp_path, 'prompt;response;source\n"a; b";"c, d";s\n', "rows.csv")
    assert (row.prompt[0]["content"], row.response, row.source) == ("a; b", "c, d", "s")


def test_preferences_and_feedback_are_recognised_in_trls_shapes(tmp_path: Path) -> None:
    question = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How deep?"}]
    lines = [
        {"prompt": "How deep?", "chosen": "Nine.", "rejected": "Ten."},
        {"prompt": question, "chosen": [{"role": "assistant", "content": "Nine."}], "rejected": "Ten."},
        {"prompt": "How deep?", "completion": "Ten.", "label": False},
        {"prompt": "How deep?", "completion": "Ten."},
        {"prompt": "How deep?", "completion": "Ten.", "label": 1},
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    rows = read_rows(path)
    assert [row.kind for row in rows] == ["preferences", "preferences", "feedback", "answers", "feedback"]
    assert [row.rejected for row in rows] == ["Ten.", "Ten.", None, None, None]
    assert [row.good for row in rows] == [None, None, False, None, True]
    assert rows[1].prompt == tuple(question)
    assert rows[0].response == "Nine."
    assert len({row.digest for row in rows}) == 5
