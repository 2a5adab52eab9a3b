"""Files of prompts, and what is wrong with others."""

from pathlib import Path

import pytest

from eval.errors import InputError
from eval.prompts import Prompt, read_prompts


def written(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.txt", "Who?\n\n  What, and why?  \nWho?\n"),
        ("p.jsonl", '{"question": "Who?"}\n{"prompt": "What, and why?", "response": "x"}\n'),
        ("p.csv", 'question,note\nWho?,a\n"What, and why?",b\n'),
    ],
)
def test_prompts_of_each_kind(tmp_path: Path, name: str, text: str) -> None:
    assert read_prompts(written(tmp_path, name, text)) == [Prompt("0001", "Who?"), Prompt("0002", "What, and why?")]


def test_ids_are_kept(tmp_path: Path) -> None:
    (prompt,) = read_prompts(written(tmp_path, "p.jsonl", '{"id": "lunch-1", "question": "Who?"}'))
    assert prompt.id == "lunch-1"


@pytest.mark.parametrize(
    ("record", "task"),
    [
        ('"task": "fact"', "fact"),
        ('"topic": " lunch ", "kind": "x"', "lunch"),
        ('"kind": 7', "7"),
        ('"task": "", "kind": "rules"', "rules"),
        ('"task": null', ""),
    ],
)
def test_a_task_topic_or_kind_is_kept(tmp_path: Path, record: str, task: str) -> None:
    (prompt,) = read_prompts(written(tmp_path, "p.jsonl", f'{{"question": "Who?", {record}}}'))
    assert prompt.task == task


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("p.txt", "\n \n", "p.txt holds no prompt; write one a line"),
        ("p.jsonl", '{"question": "a"}\nnope', "p.jsonl, line 2: not JSON"),
        ("p.jsonl", '{"answer": "a"}', "line 1: there is no field question or prompt"),
        ("p.jsonl", '{"question": "a \\ud800"}', "line 1: the question holds half of a character"),
        ("p.jsonl", '{"question": 7}', "line 1: the question is empty"),
        ("p.jsonl", '{"id": "x", "question": "a"}\n{"id": "x", "question": "b"}', "line 2: the id 'x' is there twice"),
        ("p.jsonl", '{"question": "a", "task": "b\\u0000"}', "line 1: the task has more than 200 characters or some"),
        ("p.csv", "topic\nfoo\n", "line 2: there is no field question or prompt"),
        ("p.txt", "x" * 4001, "line 1: the question has 4001 characters; shorten it to 4000"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(InputError) as raised:
        read_prompts(written(tmp_path, name, text))
    assert words in str(raised.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "p.txt", tmp_path / "nowhere.txt"):
        with pytest.raises(InputError, match="cannot be read"):
            read_prompts(path)
