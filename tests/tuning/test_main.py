"""The commands, as a script sees them: last line JSON, exit status, one line for what is wrong."""

import json
from pathlib import Path

import pytest

from tuning.__main__ import main


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    with path.open("w") as file:
        for number in range(24):
            part = ("train", "validation", "test")[number % 3]
            file.write(json.dumps({"prompt": f"answer {number}?", "response": "red green", "split": part}) + "\n")
    return path


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(list(arguments))
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_train_list_show_chat_export_delete(
    rows: Path, tiny_base_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = str(tiny_base_path)
    settings = ["--rank", "4", "--learning-rate", "0.02", "--epochs", "3", "--precision", "float32", "--base", base]
    status, out, _ = call(capsys, "train", str(rows), "--name", "mine", *settings, "--json")
    assert status == 0
    result = json.loads(out.splitlines()[-1])
    keys = {"adapter", "method", "train_rows", "validation_loss", "test_loss", "base_test_loss"}
    assert keys | {"answer_tokens_per_second", "seconds"} <= set(result)
    assert (result["adapter"], result["method"], result["train_rows"]) == ("mine", "lora", 8)
    assert result["test_loss"] < result["base_test_loss"]

    listed = json.loads(call(capsys, "list", "--json")[1])
    mine = next(adapter for adapter in listed["adapters"] if adapter["name"] == "mine")
    assert mine["digest"] == result["weights_sha256"]
    assert [(job["id"], job["state"]) for job in listed["jobs"]] == [(result["job"], "done")]
    assert "mine" in call(capsys, "list")[1]
    assert json.loads(call(capsys, "show", "mine", "--json")[1])["test_loss"] == result["test_loss"]
    assert json.loads(call(capsys, "stop", result["job"], "--json")[1])["state"] == "done"

    question = ["chat", "--adapter", "mine", "--max-tokens", "4", "answer 1?", "--json"]
    status, out, _ = call(capsys, *question)
    answer = json.loads(out)
    assert (status, answer["adapter"]) == (0, "mine")
    assert 0 < answer["tokens"] <= 4

    status, out, _ = call(capsys, "export", "mine", str(tmp_path / "merged"), "--merge")
    assert status == 0
    assert (tmp_path / "merged" / "model.safetensors").is_file()
    readme = (tmp_path / "merged" / "README.md").read_text()
    assert "# mine" in readme
    assert result["verdict"] in readme

    status, out, _ = call(capsys, "rename", "mine", "better", "--json")
    assert (status, json.loads(out)) == (0, {"renamed": "mine", "name": "better"})
    status, _, err = call(capsys, "delete", "better")
    assert (status, err) == (2, "error: better was not deleted: nobody is here to be asked; say --yes\n")
    status, out, _ = call(capsys, "delete", "better", "--yes", "--json")
    assert (status, json.loads(out)) == (0, {"deleted": "better", "votes": 0})
    assert call(capsys, "show", "better")[0] == 2


@pytest.mark.slow
def test_a_run_is_measured_unless_told_not_to_and_can_be_measured_later_and_compared(
    rows: Path, tiny_base_path: Path, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    settings = ["--rank", "2", "--epochs", "1", "--precision", "float32", "--base", str(tiny_base_path), "--json"]
    result = json.loads(call(capsys, "train", str(rows), "--name", "one", *settings)[1].splitlines()[-1])
    assert result["verdict"] in ("keep", "don't keep")
    assert result["reasons"]
    assert (home / "adapters" / "one" / "assessment.json").is_file()
    result = json.loads(call(capsys, "train", str(rows), "--name", "two", "--no-assess", *settings)[1].splitlines()[-1])
    assert "verdict" not in result
    assert "not measured yet: python -m tuning assess two" in call(capsys, "show", "two")[1]

    measure = ["assess", "two", "--general", str(rows), "--rows", "6", "--json"]
    status, out, _ = call(capsys, *measure)
    found = json.loads(out.splitlines()[-1])
    assert status == 0
    assert found["held_out"]["rows"] == found["own"]["rows"] == found["general"]["rows"] == 6
    assert {"verdict", "reasons", "noise_floor"} <= set(found["verdict"])
    assert {"loss", "perplexity", "exact", "f1"} <= set(found["held_out"])
    assert json.loads(call(capsys, "show", "two", "--json")[1])["assessment"] == found
    listed = json.loads(call(capsys, "list", "--json")[1])["adapters"]
    assert {one["name"]: one["verdict"] for one in listed}["two"] == found["verdict"]["verdict"]

    compared = json.loads(call(capsys, "compare", "one", "two", "--json")[1])
    assert compared["held_out"]["rows"] == 6
    assert compared["same_data"]
    assert "config" in compared
    assert "one -> two" in call(capsys, "compare", "one", "two")[1]


def test_train_mixes_tables_of_several_kinds_and_replays_general_rows(
    rows: Path, tiny_base_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other" / "rows.jsonl"  # of the same name: neither may stand in for the other
    other.parent.mkdir()
    rows.write_text(rows.read_text() + '{"prompt": "answer nothing?", "response": "", "split": "train"}\n')
    other.write_text(rows.read_text().replace("answer", "reply").replace("red green", "blue"))
    settings = ["--epochs", "1", "--precision", "float32", "--base", str(tiny_base_path), "--max-length", "512"]
    mix = [f"{rows}=1", f"{other}=3", "--replay", "0.2"]
    status, out, err = call(capsys, "train", *mix, "--name", "mix", *settings, "--no-assess", "--json")
    assert status == 0, err
    result = json.loads(out.splitlines()[-1])
    assert result["train_rows"] == 20  # 16 of the tables, 4 general ones
    assert (result["dropped_rows"], result["cut_rows"]) == (2, 0)
    jobs = json.loads(call(capsys, "runs", "--json")[1])
    assert "mix" in json.dumps(jobs)
    status, out, err = call(capsys, "train", str(rows), "--template", "{{ nothing }}", "--response", "x", "--name", "b")
    assert (status, out) == (2, "")
    assert err.startswith("error: rows.jsonl, line 1: the prompt template asks for 'nothing'")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "none.jsonl", "--name", "a"], "none.jsonl: No such file or directory; check the path"),
        (
            ["train", "none.jsonl", "--name", "a", "--method", "ppo"],
            "method 'ppo' is not available; choose one of: lora",
        ),
        (["train", "none.jsonl", "--name", "a", "--rank", "0"], "rank is 0; choose a value from 1 to 1024"),
        (["show", "nothing"], "no adapter 'nothing'; there are: "),
        (["stop", "nothing"], "no run 'nothing'; there are: none yet"),
        (["delete", "nothing"], "no adapter 'nothing'; there are: samples"),
        (["assess", "nothing"], "no adapter 'nothing'; there are: "),
        (["assess", "samples", "--rows", "0"], "--rows 0 --minutes 20 measures nothing"),
        (["assess", "samples", "--general", "none.jsonl"], "none.jsonl: No such file or directory"),
        (["compare", "samples", "nothing"], "no adapter 'nothing'; there are: "),
        (["rename", "samples", "mine"], "samples comes with the program and cannot be renamed; export it"),
        (["delete", "samples", "--yes"], "samples comes with the program and cannot be deleted"),
        (["push", "samples", "nobody"], "'nobody' is no repository; name it owner/name"),
        (["chat", "--adapter", "nothing", "hello"], "no adapter 'nothing'"),
        (["chat", "--base", "/no/such/folder", "hello"], "/no/such/folder"),
    ],
)
def test_what_is_wrong_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    status, out, err = call(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1


def test_a_failed_run_says_why(rows: Path, tiny_base_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wild = ["--learning-rate", "1e30", "--epochs", "9", "--precision", "float32", "--base", str(tiny_base_path)]
    status, _, err = call(capsys, "train", str(rows), "--name", "mine", *wild)
    assert status == 2
    assert "not a number: " in err


def test_help_of_every_command_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    own = ("assess", "compare", "rename", "push", "export", "delete")
    for command in ("train", "list", "show", "stop", "chat", *own):
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0
        assert f"python -m tuning {command}" in capsys.readouterr().out.split("example:")[1]
