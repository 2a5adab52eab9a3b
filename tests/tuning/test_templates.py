"""Any table becomes rows through a template, and a template that came with a table can do nothing else."""

import json
from pathlib import Path

import pytest

from tuning.errors import InputError
from tuning.recipe import Table
from tuning.rowfiles import Broken
from tuning.rows import Row
from tuning.templates import GALLERY, Template, find_pattern


def read(path: Path, records: list[dict[str, object]], prompt: str, response: str, **columns: str) -> list[Row]:
    path.write_text("\n".join(map(json.dumps, records)))
    return Table(path, None, columns, prompt, response).rows()


def test_columns_are_worded_into_question_and_answer(tmp_path: Path) -> None:
    records: list[dict[str, object]] = [
        {"review": "Fine.", "stars": 4, "Shop name": "Oller", "source": "s", "system": "Be brief."}
    ]
    prompt = '{{ review }} ({{ row["Shop name"] }}){% if stars > 3 %} Good?{% endif %}'
    (row,) = read(tmp_path / "rows.jsonl", records, prompt, "{{ stars }}")
    assert [turn["content"] for turn in row.messages] == ["Be brief.", "Fine. (Oller) Good?", "4"]
    assert row.source == "s"


def test_nothing_in_a_column_is_nothing_and_not_a_word(tmp_path: Path) -> None:
    (row,) = read(tmp_path / "rows.jsonl", [{"a": None, "b": "x"}], "[{{ a }}]{{ b }}", "{{ b }}")
    assert row.prompt[0]["content"] == "[]x"


def test_columns_of_other_names_reach_the_templates(tmp_path: Path) -> None:
    pattern = find_pattern("summarise")
    records: list[dict[str, object]] = [{"article": "Long.", "highlights": "Short."}]
    (row,) = read(
        tmp_path / "rows.jsonl", records, pattern.prompt, pattern.response, text="article", summary="highlights"
    )
    assert row.prompt[0]["content"].endswith("Long.")
    assert row.response == "Short."


@pytest.mark.parametrize("pattern", GALLERY.values(), ids=GALLERY)
def test_the_gallery_asks_for_the_columns_that_it_names(tmp_path: Path, pattern: object) -> None:
    columns = GALLERY[pattern.name].columns  # type: ignore[attr-defined]
    record: dict[str, object] = {name: f"<{name}>" for name in columns}
    (row,) = read(tmp_path / "rows.jsonl", [record], pattern.prompt, pattern.response)  # type: ignore[attr-defined]
    text = row.prompt[0]["content"] + row.response
    assert all(f"<{name}>" in text for name in columns)


ESCAPES = [
    "{{ row.__class__.__mro__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ row.__init__.__globals__ }}",
    "{{ self.__init__.__globals__.__builtins__.open('/etc/passwd').read() }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ cycler.__init__.__globals__.os.system('id') }}",
    "{{ ''|attr('__class__')|attr('__mro__') }}",
    "{{ '{0.__class__.__mro__}'.format(a) }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}{{ os }}",
    "{{ range(999999999) | list }}",
]


@pytest.mark.parametrize("text", ESCAPES)
def test_no_template_leaves_its_table(text: str) -> None:
    with pytest.raises((Broken, InputError)) as caught:
        Template(text, "prompt").render({"a": "b"}, "line 1")
    assert "\n" not in str(caught.value)
    assert "template" in str(caught.value)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("{{ review", r"the prompt template, line 1: .*; write a column's name as"),
        ("a\n{% if %}", r"the prompt template, line 2"),
        ("{{ nothing }}", r"rows\.jsonl, line 1: the prompt template asks for 'nothing', which is no column \(colu"),
        ("{{ a / 0 }}", r"rows\.jsonl, line 1: the prompt template fails: .*; correct the template or the row"),
        ("{{ a.b.c }}", r"rows\.jsonl, line 1: the prompt template fails"),
        ("{{ a | nofilter }}", r"the prompt template"),
    ],
)
def test_a_bad_template_is_one_line(tmp_path: Path, prompt: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / "rows.jsonl", [{"a": 1}], prompt, "{{ a }}")
    assert "\n" not in str(caught.value)


def test_an_unknown_name_in_the_gallery() -> None:
    with pytest.raises(InputError, match="the gallery has no 'poems'; choose one of: question-answering"):
        find_pattern("poems")
