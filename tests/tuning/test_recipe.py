"""Tables mixed by weight, general rows among them, columns under other names: what is trained is what was asked for."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from tuning.dialogues import Row, load
from tuning.errors import InputError
from tuning.mixture import Part, draw, mix
from tuning.recipe import Recipe, Table


@pytest.fixture(scope="module")
def tokenizer(tiny_base_path: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(tiny_base_path)


def rows(count: int, label: str) -> list[Row]:
    turns = [({"role": "user", "content": f"{label} {n}"}, {"role": "assistant", "content": "a"}) for n in range(count)]
    return [Row(messages, f"line {n}") for n, messages in enumerate(turns, 1)]


def write(path: Path, count: int, label: str, **others: object) -> Path:
    lines = [{"prompt": f"{label} question {n}", "response": f"{label} answer {n}", **others} for n in range(count)]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


@settings(max_examples=200)
@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.1, 10), st.integers(0, 3))
def test_shares_follow_the_weights_and_rows_are_repeated_evenly(one: int, two: int, weight: float, seed: int) -> None:
    parts = [Part("one", rows(one, "one"), weight), Part("two", rows(two, "two"), 1.0)]
    mixed, notes = mix(parts, seed)
    counts = Counter(row.prompt[0]["content"] for row in mixed)
    first = sum(count for text, count in counts.items() if text.startswith("one"))
    assert abs(first - (one + two) * weight / (weight + 1)) <= 1
    for part, label in zip(parts, ("one", "two"), strict=True):
        often = [counts[f"{label} {n}"] for n in range(len(part.rows))]
        assert max(often) - min(often) <= 1
    assert [note.split(":")[0] for note in notes] == ["one", "two"]
    assert mix(parts, seed) == (mixed, notes)


def test_what_is_drawn_depends_on_seed_and_row_alone() -> None:
    few, many = rows(20, "q"), rows(30, "q")
    assert {row.digest for row in draw(few, 5, 0)} != {row.digest for row in draw(few, 5, 1)}
    order = [row.digest for row in draw(many, 30, 0)]
    assert len(set(order)) == 30
    assert {row.digest for row in draw(few[::-1], 5, 0)} == {row.digest for row in draw(few, 5, 0)}


def test_tables_are_mixed_in_training_alone(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    small, large = write(tmp_path / "a.jsonl", 30, "red"), write(tmp_path / "b.jsonl", 90, "green")
    data = load(Recipe((Table(small, 1.0), Table(large, 1.0))), tokenizer, 256, seed=0)
    shares = Counter(row.prompt[0]["content"].split()[0] for row in data.splits.train)
    assert abs(shares["red"] - shares["green"]) <= 1
    held = [*data.splits.validation, *data.splits.test]
    assert len(held) == len({row.digest for row in held})
    assert not {row.digest for row in held} & {row.digest for row in data.splits.train}
    assert data.file == "a.jsonl + b.jsonl"
    assert any("b.jsonl:" in note and "left out" in note for note in data.report.notes)
    plain = load(Recipe((Table(small), Table(large))), tokenizer, 256, seed=0)
    assert len(plain.splits.train) == len({row.digest for row in plain.splits.train})
    assert plain.sha256 != data.sha256


def test_general_rows_make_up_their_share_and_none_of_them_is_held_out(
    tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    own = write(tmp_path / "own.jsonl", 60, "red")
    general = write(tmp_path / "general.jsonl", 5, "blue", split="train")
    with general.open("a") as file:
        file.write("\n" + json.dumps({"prompt": "kept for the measurement", "response": "x", "split": "test"}))
    data = load(Recipe((Table(own),), replay=0.25), tokenizer, 256, seed=0, general=general)
    replayed = [row for row in data.splits.train if row.prompt[0]["content"].startswith("blue")]
    assert len(replayed) == round(len(data.splits.train) * 0.25)
    assert not any("measurement" in row.prompt[0]["content"] for row in data.splits.train)
    assert not any("blue" in row.prompt[0]["content"] for row in (*data.splits.validation, *data.splits.test))
    assert any("general rows" in note and "25%" in note for note in data.report.notes)
    shipped = load(Recipe((Table(own),), replay=0.5), tokenizer, 1024, seed=0)
    assert len(shipped.splits.train) >= 80
    short = load(Recipe((Table(own),), replay=0.5), tokenizer, 100, seed=0)
    assert any(
        "general rows cannot be replayed (line" in note and "more than 100" in note for note in short.report.notes
    )


def test_general_rows_do_not_teach_preferences(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"prompt": "a", "chosen": "b", "rejected": "c"}')
    with pytest.raises(InputError, match=r"pairs\.jsonl teaches preferences, among which no general rows"):
        load(Recipe((Table(path),), replay=0.1), tokenizer, 256, seed=0)


def test_columns_under_other_names(tmp_path: Path) -> None:
    path = tmp_path / "faq.csv"
    path.write_text("Frage,Antwort,Seite,instruction\nWho?,The keeper.,p1,ignored\n")
    names = {"prompt": "Frage", "response": "Antwort", "source": "Seite"}
    (row,) = Table(path, columns=names).rows()
    assert (row.prompt[0]["content"], row.response, row.source) == ("Who?", "The keeper.", "p1")
    (bare,) = Table(path, columns={**names, "source": ""}).rows()
    assert bare.source is None


def test_lists_in_renamed_columns_are_read_as_json(tmp_path: Path) -> None:
    path = tmp_path / "faq.csv"
    path.write_text('chat\n"[{""role"": ""user"", ""content"": ""Who?""}, {""from"": ""gpt"", ""value"": ""I.""}]"\n')
    (row,) = Table(path, columns={"messages": "chat"}).rows()
    assert [turn["content"] for turn in row.messages] == ["Who?", "I."]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"prompt": "Fragen", "response": "Antwort"}, r"faq\.csv, line 2: no column 'Fragen' .*columns: Frage, Antw"),
        ({"prompt": "Frage", "response": "Antwort", "source": "page"}, r"faq\.csv: no column 'page' to read source"),
        ({"promt": "Frage"}, r"--columns promt=Frage: rows have no 'promt'; choose one of: messages"),
    ],
)
def test_a_column_that_is_not_there(tmp_path: Path, columns: dict[str, str], message: str) -> None:
    path = tmp_path / "faq.csv"
    path.write_text("Frage,Antwort\nWho?,The keeper.\n")
    with pytest.raises(InputError, match=message):
        Table(path, columns=columns).rows()


def test_places_name_their_table_where_there_are_several(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    (tmp_path / "a").mkdir()
    one, two = write(tmp_path / "rows.jsonl", 9, "red"), write(tmp_path / "a" / "rows.jsonl", 9, "green")
    with two.open("a") as file:
        file.write('\n{"prompt": "x", "response": ""}')
    data = load(Recipe((Table(one), Table(two))), tokenizer, 256, seed=0)
    assert [finding.place for finding in data.report.dropped] == ["rows.jsonl (2), line 10"]


def test_a_recipe_comes_back_from_its_record(tmp_path: Path) -> None:
    table = Table(Path("a.csv"), 2.0, {"text": "body"}, "Summarise: {{ text }}", "{{ summary }}")
    recipe = Recipe((table, Table(Path("b.jsonl"), 1.0)), replay=0.1)
    again = Recipe.from_json(json.loads(json.dumps(recipe.as_json())), tmp_path)
    assert again.tables[0] == Table(tmp_path / "a.csv", 2.0, {"text": "body"}, table.prompt, table.response)
    assert (again.tables[1].path, again.replay) == (tmp_path / "b.jsonl", 0.1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Recipe(()), "no rows are given"),
        (lambda: Recipe((Table(Path("a")), Table(Path("b"), 2))), "a has no weight and others have one; give each"),
        (lambda: Recipe((Table(Path("a")),), replay=1.0), r"replay is 1; choose a share from 0 to 0\.9"),
        (lambda: Table(Path("a.jsonl"), 0), r"the weight of a\.jsonl is 0; choose one above 0"),
        (lambda: Table(Path("a.jsonl"), float("nan")), r"the weight of a\.jsonl is nan"),
        (lambda: Table(Path("a.jsonl"), prompt="{{ x }}"), "the response template of a.jsonl is missing; give both"),
    ],
)
def test_a_mixture_that_makes_no_sense_is_refused(make: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()  # type: ignore[operator]
