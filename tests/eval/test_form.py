"""The rating form: what is wrong with a text is said with its place, and no version is ever lost or changed."""

import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.__main__ import main
from eval.errors import InputError
from eval.form import DEFAULT, Forms, digest, parse
from eval.judgement import Judgement

SMALL = "dimensions:\n  - id: tone\n    name: Tone\n    points: 3\ntags:\n  - id: odd\n"


def test_the_first_version_comes_with_the_program(home: Path) -> None:
    first = Forms(home).current()
    assert first.number == 1
    assert first.text == DEFAULT.read_text(encoding="utf-8")
    assert {"hallucinated", "ignored_documents", "wrong_style", "unsafe"} <= {tag.id for tag in first.form.tags}
    assert all(dimension.points == 5 and dimension.question for dimension in first.form.dimensions)


def test_every_version_is_kept(home: Path) -> None:
    forms = Forms(home)
    first, second = forms.current(), forms.set(SMALL)
    assert (second.number, second.digest) == (2, digest(SMALL))
    assert forms.set(SMALL) == second == forms.current() == Forms(home).current()
    assert forms.set(first.text).number == 3, "going back is a version too"
    assert [version.text for version in forms.versions()] == [first.text, SMALL, first.text]
    assert [path.name for path in sorted(forms.folder.iterdir())] == ["0001.yaml", "0002.yaml", "0003.yaml"]
    with pytest.raises(InputError, match="no version 4"):
        forms.version(4)


def test_two_who_set_at_once_both_have_a_version(home: Path) -> None:
    Forms(home).current()
    texts = [f"guidance: number {number}\n" for number in range(8)]
    threads = [threading.Thread(target=Forms(home).set, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(version.text for version in Forms(home).versions()[1:]) == texts


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dimensions:\n  - id: [\n", "line 3 is not YAML"),
        ("- id: tone", "is not a mapping"),
        ("", "is not a mapping"),
        ("colour: red", "the key 'colour', which means nothing"),
        ("dimensions: {}\nguidance: [1]", "guidance is a list and not text"),
        ("dimensions:\n  id: tone", "dimensions is not a list"),
        ("dimensions:\n  - id: tone\n  - tone", "dimensions, entry 2 is not a mapping"),
        ("dimensions:\n  - id: Tone!", "entry 1: the id 'Tone!' cannot be used"),
        ("dimensions:\n  - id: no", "entry 1: the id False cannot be used"),
        ("dimensions:\n  - id: tone\n    points: 11", "points is 11; give a whole number from 2 to 10"),
        ("dimensions:\n  - id: tone\n    points: true", "points is True"),
        ("dimensions:\n  - id: tone\n  - id: tone", "two of dimensions have the id 'tone'"),
        ("tags:\n  - id: odd\n    name: 5", "tags, entry 1: name is 5 and not text; put it in quotes"),
        ("tags:\n" + "  - id: odd\n" * 41, "tags has 41 entries; keep to 40"),
        ("guidance: " + "x" * 70_000, "more than 65536 bytes"),
        ("guidance: " + "x" * 4_001, "guidance has 4001 characters"),
        ("!!python/object/apply:os.system [ls]", "is not YAML"),
        ("[" * 3000, "is not YAML"),
        ("guidance: \x07", "is not YAML"),
        (BOMB + "guidance: *i\n", "the key 'a'"),
        (f"guidance: {{{BOMB.replace(chr(10), ', ')} z: 1}}", "guidance is a dict and not text"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_place(home: Path, text: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        Forms(home).set(text, "form.yaml")
    assert said in str(raised.value)
    assert str(raised.value).startswith("form.yaml")
    assert len(str(raised.value)) < 300
    assert "\n" not in str(raised.value)
    assert Forms(home).current().number == 1


@given(st.text(max_size=200))
def test_any_text_is_a_form_or_an_error_in_words(text: str) -> None:
    try:
        said = str(parse(text).dimensions)
    except InputError as error:
        said = str(error)
    assert len(said.splitlines()) == 1


def test_a_judgement_is_held_against_its_form() -> None:
    form = parse(SMALL)
    form.check(Judgement(scores={"tone": 3}, tags=("odd",), comment="fine"))
    for wrong in (Judgement(scores={"tone": 4}), Judgement(scores={"taste": 1}), Judgement(tags=("even",))):
        with pytest.raises(InputError):
            form.check(wrong)


def test_a_folder_that_cannot_be_written_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(InputError, match="No space left"):
        Forms(home).current()
    assert list((home / "forms").iterdir()) == []


def test_the_form_on_the_command_line(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(SMALL)
    assert main(["form", "set", str(file)]) == 0
    assert "Version 2" in capsys.readouterr().out
    assert main(["form", "show"]) == 0
    assert capsys.readouterr().out == SMALL
    assert main(["form", "show", "--number", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["text"] == DEFAULT.read_text()
    assert main(["form", "versions", "--json"]) == 0
    assert [row["version"] for row in json.loads(capsys.readouterr().out)["versions"]] == [1, 2]
    file.write_text("dimensions:\n  - id: [")
    assert main(["form", "set", str(file)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"{file}, line 2 is not YAML") or error.startswith(f"{file}, line 3 is not YAML")
    assert error.count("\n") == 1
    assert main(["form", "set"]) == 2
    assert "needs a file" in capsys.readouterr().err
