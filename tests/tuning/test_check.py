"""`python -m tuning check`: the report that comes before anything starts, and one line for what cannot be read."""

import json
from pathlib import Path

import pytest

from tests.tuning.test_rows import BROKEN
from tuning.__main__ import main


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main(["check", *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    lines = [{"prompt": f"What is {n}?", "response": f"It is {n}.", "source": f"s{n // 2}"} for n in range(120)]
    lines[6] = {"prompt": "What?", "response": ""}
    lines[8] = lines[7]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_the_report_for_machines(rows: Path, tiny_base_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capsys, rows, "--base", tiny_base_path, "--json", "--batch-size", 3)
    assert status == 0
    found = json.loads(out.splitlines()[-1])
    assert (found["rows"], found["kept"], found["kind"]) == (120, 118, "answers")
    assert found["dropped"] == [
        {"place": "line 7", "reason": "the response is empty"},
        {"place": "line 9", "reason": "the same as line 8"},
    ]
    assert sum(found["splits"].values()) == 118
    assert found["splits"]["test"] == 12
    assert any("12 test rows" in note for note in found["notes"])
    assert sum(bar["rows"] for bar in found["histogram"]) == 118
    assert len(found["first_batch"]) == 3
    learnt = [part["text"] for one in found["first_batch"] for part in one["segments"] if part["learnt"]]
    assert all(text.startswith("It is ") and text.endswith("<|im_end|>") for text in learnt)


def test_the_report_for_readers(rows: Path, tiny_base_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capsys, rows, "--base", tiny_base_path)
    assert status == 0
    assert "rows.jsonl: 120 rows, 118 kept, 2 dropped, 0 cut" in out
    assert "  line 7: the response is empty\n" in out
    assert "⟦It is " in out
    assert "\x1b" not in out
    assert "█" in out


def test_columns_templates_weights_and_replay(
    rows: Path, tiny_base_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "faq.csv"
    table.write_text("Frage,Antwort\n" + "".join(f"Warum {n}?,Darum {n}.\n" for n in range(30)))
    options = ["--base", tiny_base_path, "--max-length", 2048, "--json"]
    status, out, _ = call(capsys, table, "--columns", "prompt=Frage,response=Antwort", *options)
    assert (status, json.loads(out)["kept"]) == (0, 30)
    status, out, _ = call(
        capsys, table, "--template", "Frage: {{ Frage }}", "--response", "{{ Antwort }}", "--replay", "0.5", *options
    )
    assert status == 0
    shown = [one["segments"][0]["text"] for one in json.loads(out)["first_batch"]]
    assert any("Frage: Warum" in text for text in shown)
    assert any("Warum" not in text for text in shown), "general rows are shown among them"
    assert any(note.startswith("general rows") for note in json.loads(out)["notes"])
    status, out, _ = call(
        capsys, table, "--gallery", "question-answering", "--columns", "question=Frage,answer=Antwort,context=Frage",
        *options,
    )  # fmt: skip
    assert "Text: Warum" in json.loads(out)["first_batch"][0]["segments"][0]["text"]
    recipe = tmp_path / "recipe.json"
    table_record = {"path": "faq.csv", "weight": 1, "columns": {"prompt": "Frage", "response": "Antwort"}}
    recipe.write_text(json.dumps({"tables": [table_record, {"path": "rows.jsonl", "weight": 3}], "replay": 0.1}))
    status, out, _ = call(capsys, "--recipe", recipe, *options)
    found = json.loads(out)
    assert (status, found["file"], found["rows"]) == (0, "faq.csv + rows.jsonl", 150)
    assert len([note for note in found["notes"] if "training rows" in note]) == 3


@pytest.mark.parametrize(("name", "content", "message"), BROKEN)
def test_a_malformed_file_is_one_line_with_file_place_and_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str | bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    status, out, err = call(capsys, path)
    assert (status, out) == (2, "")
    assert err.startswith(f"error: {name}")
    assert err.count("\n") == 1
    assert "; " in err, "no remedy"
    place = "line " in err or "row " in err
    assert place or "no rows in it" in err or "is not a table" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no rows are given; name a file, hub:owner/name or -"),
        (["{rows}", "{rows}=2"], "rows.jsonl has no weight and others have one; give each file a weight, or none"),
        (["{rows}=0"], "the weight of rows.jsonl is 0; choose one above 0"),
        (["{rows}", "--columns", "prompt"], "--columns prompt: no column; write FIELD=COLUMN"),
        (["{rows}", "--template", "{{ prompt }}"], "the response template of rows.jsonl is missing; give both"),
        (["{rows}", "--template", "{{ prompt", "--response", "x"], "the prompt template, line 1"),
        (["{rows}", "--gallery", "rating", "--response", "x"], "--gallery brings both templates; leave out"),
        (["{rows}", "--recipe", "{rows}"], "--recipe says what is read and how"),
        (["--recipe", "{rows}"], "rows.jsonl: no recipe (Extra data, line 2); write {"),
        (["--recipe", "none.json"], "none.json: No such file or directory; check"),
        (["{rows}", "--replay", "2"], "replay is 2; choose a share from 0 to 0.9"),
        (["{rows}", "--max-length", "1"], "max_length is 1; choose a value from 16"),
        (["{folder}"], "is not a file; write its rows to one"),
    ],
)
def test_options_that_do_not_fit_are_one_line(
    rows: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    given = [text.replace("{rows}", str(rows)).replace("{folder}", str(rows.parent)) for text in arguments]
    status, out, err = call(capsys, *given)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err
