"""Choosing rows on the page: what is offered for a table, what becomes a recipe, a report that escapes every word."""

import json
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from transformers import AutoTokenizer

from tuning.choosing import (
    CHOSEN,
    MOST_TABLES,
    OWN,
    READINGS,
    RECOGNISED,
    SAMPLE,
    SOURCES,
    Slot,
    offer,
    templates_of,
)
from tuning.dialogues import Dataset, load
from tuning.errors import InputError
from tuning.preview import preview
from tuning.recipe import Recipe, Table
from tuning.recipe_tab import SHOWN_FIELDS, SLOT_FIELDS, RowsPage
from tuning.recipe_view import report_html
from tuning.templates import GALLERY

PLAIN = (RECOGNISED, None, None, None, "", "", None)


def chosen(source: Any, files: Any = None, pasted: Any = "", hub: Any = "", replay: Any = 0, *slots: Any) -> list[Any]:
    """What the page sends of rows."""
    every = [*slots, *[PLAIN] * (MOST_TABLES - len(slots))]
    return [source, files, pasted, hub, replay, *(value for slot in every for value in slot)]


@pytest.fixture
def page(tiny_base_path: Path) -> RowsPage:
    return RowsPage(lambda: AutoTokenizer.from_pretrained(tiny_base_path))


def write(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


def test_the_report_counts_and_escapes(page: RowsPage, tmp_path: Path) -> None:
    nasty = "<img src=x onerror=alert(1)>"
    path = write(
        tmp_path / "r.jsonl",
        {"prompt": nasty, "response": f"{nasty}!", "split": "train"},
        {"prompt": "a", "response": ""},
        {"prompt": f"{nasty}.", "response": f"{nasty}?", "split": "test", "source": nasty},
    )
    shown = page.inspect(512, 8, 0, *chosen(SOURCES[1], [path]))
    assert "<b>2</b> of 3 rows of r.jsonl are used" in shown
    assert "Left out: 1" in shown
    assert "<td>line 2</td><td>the response is empty</td>" in shown
    assert "Leaks: held-out rows that training rows ask too: 1" in shown
    assert "Nearly repeated, and kept: 1" in shown
    assert "<mark>&lt;img src=x onerror=alert(1)&gt;!&lt;|im_end|&gt;</mark>" in shown
    assert "<img" not in shown


def test_the_sample_rows_are_whole(page: RowsPage) -> None:
    shown = page.inspect(1024, 4, 0, *chosen(SOURCES[0]))
    assert "Left out" not in shown
    assert f"of {len(SAMPLE.read_text().splitlines())} rows" in shown
    assert "(4 rows)" in shown


@pytest.mark.parametrize(
    ("rows", "length", "message"),
    [
        (chosen(SOURCES[1]), 512, "no file is chosen"),
        (chosen(SOURCES[1], ["/no/such.jsonl"]), 512, "No such file"),
        (chosen(SOURCES[1], "/etc/passwd"), 512, "is not a table that can be read"),
        (chosen(SOURCES[1], ["a.jsonl"] * 7), 512, "7 files are chosen; take 6 at most"),
        (chosen(SOURCES[2], None, "  "), 512, "the pasted text is empty; paste rows"),
        (chosen(SOURCES[2], None, 7), 512, "no rows in it"),
        (chosen(SOURCES[3], None, "", "name"), 512, "hub:name: not the name of a data set"),
        (chosen(SOURCES[3], None, "", "hub:a/b"), 512, "hub:a/b: the Hub cannot be reached"),
        (chosen("elsewhere"), 512, "there are no rows such as 'elsewhere'; choose one of"),
        (chosen(SOURCES[0], None, "", "", "much"), 512, "replay is 'much'; choose a share"),
        (chosen(SOURCES[0], None, "", "", 0.95), 512, "replay is 0.95; choose a share"),
        (chosen(SOURCES[1], ["a.jsonl"], "", "", 0, ("?", *PLAIN[1:])), 512, "rows cannot be read as"),
        (chosen(SOURCES[1], ["a.jsonl"], "", "", 0, (*PLAIN[:-1], "x")), 512, "the weight is 'x'; give a number"),
        (chosen(SOURCES[1], ["a.jsonl"], "", "", 0, (CHOSEN, "q", *PLAIN[2:])), 512, "no column is chosen for the ans"),
        (chosen(SOURCES[1], ["a.jsonl"], "", "", 0, (OWN, *PLAIN[1:])), 512, "a.jsonl: a template is empty"),
        (chosen(SOURCES[0]), "many", "max_length is 'many'; give a number"),
        (chosen(SOURCES[0]), None, "max_length is None; give a number"),
        (chosen(SOURCES[0]), 3, "max_length is 3; choose a value from 16"),
        (chosen(SOURCES[0]), float("inf"), "max_length is inf; give a number"),
    ],
)
def test_bad_input_is_a_message(page: RowsPage, rows: list[Any], length: Any, message: str) -> None:
    with pytest.raises(gr.Error, match=message):
        page.inspect(length, 8, 0, *rows)


def test_columns_are_offered_where_rows_are_not_recognised(tmp_path: Path) -> None:
    (tmp_path / "faq.csv").write_text("Question,Reply,Document\nWho?,The keeper.,a\n")
    offered = offer(tmp_path / "faq.csv")
    assert offered.columns == ("Question", "Reply", "Document")
    assert offered.slot == Slot(CHOSEN, "Question", "Reply", "Document")
    assert offered.trouble == ""
    (tmp_path / "odd.csv").write_text("a,b,c\nWho?,The keeper.,x\n")
    assert offer(tmp_path / "odd.csv").slot == Slot(CHOSEN, "a", "b")
    assert offer(SAMPLE).slot.reading == RECOGNISED
    (tmp_path / "one.csv").write_text("text\nhello\n")
    assert "no prompt" in offer(tmp_path / "one.csv").trouble
    (tmp_path / "torn.jsonl").write_text('{"prompt": "a", "response": "b"}\n{"prompt": ')
    assert "line 2: not JSON" in offer(tmp_path / "torn.jsonl").trouble


def test_what_is_chosen_for_each_table_becomes_the_recipe(page: RowsPage, tmp_path: Path) -> None:
    files = [tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "c.jsonl"]
    rows = chosen(
        SOURCES[1],
        list(map(str, files)),
        "",
        "",
        0.2,
        (CHOSEN, "Q", "A", None, "", "", 2),
        (OWN, None, None, None, "Say: {{ x }}", "{{ y }}", 1),
        (RECOGNISED, "ignored", None, None, "ignored", "", 0.5),
    )
    assert page.recipe(tuple(rows), tmp_path) == Recipe(
        (
            Table(files[0], 2.0, {"prompt": "Q", "response": "A"}),
            Table(files[1], 1.0, {}, "Say: {{ x }}", "{{ y }}"),
            Table(files[2], 0.5),
        ),
        replay=0.2,
    )
    alone = chosen(SOURCES[1], [str(files[0])], "", "", 0, (*PLAIN[:-1], 3))
    assert page.recipe(tuple(alone), tmp_path) == Recipe.of(files[0])


def test_pasted_rows_are_read(page: RowsPage) -> None:
    text = "prompt\tresponse\n" + "".join(f"What is {n}?\tIt is {n}.\n" for n in range(12))
    assert "of 12 rows of pasted.tsv" in page.inspect(512, 8, 0, *chosen(SOURCES[2], None, text))


def test_every_table_gets_its_slot_and_the_others_are_hidden(page: RowsPage, tmp_path: Path) -> None:
    (tmp_path / "faq.csv").write_text("Question,Reply\nWho?,The keeper.\n")
    updates = page.offers(SOURCES[1], [str(tmp_path / "faq.csv"), str(SAMPLE)], "")
    size = SHOWN_FIELDS + SLOT_FIELDS
    slots = [updates[at : at + size] for at in range(0, len(updates), size)]
    assert [slot[0]["visible"] for slot in slots] == [True, True] + [False] * (MOST_TABLES - 2)
    assert "<b>faq.csv</b>" in slots[0][1]
    assert (slots[0][3]["value"], slots[1][3]["value"]) == (CHOSEN, RECOGNISED)
    assert (slots[0][4]["value"], slots[0][4]["visible"], slots[1][4]["visible"]) == ("Question", True, False)
    assert slots[0][-1]["visible"], "two tables have weights"
    assert not any(slot["visible"] for slot in page.offers(SOURCES[0], None, "")[::size])
    assert page.offers(SOURCES[3], None, "")[0]["visible"]
    alone = page.offers(SOURCES[2], None, "Question,Reply\nWho?,The keeper.")
    assert (alone[3]["value"], alone[size - 1]["visible"]) == (CHOSEN, False)
    with pytest.raises(gr.Error, match="take 6 at most"):
        page.offers(SOURCES[1], [str(SAMPLE)] * 7, "")


def test_the_gallery_stands_among_the_ways_to_read() -> None:
    found = [texts for reading in READINGS if (texts := templates_of(reading))]
    assert found == [(pattern.prompt, pattern.response) for pattern in GALLERY.values()]
    with pytest.raises(InputError, match="choose one of: As they are"):
        Slot.of((["list"], *PLAIN[1:]))


def test_judged_answers_are_told_and_escaped(tmp_path: Path, tiny_base_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "a", "chosen": "b", "rejected": "<i>"}\n')
    tokenizer = AutoTokenizer.from_pretrained(tiny_base_path)
    data: Dataset = load(path, tokenizer, 128, 0)
    shown = report_html(data, preview(data.splits.train, tokenizer))
    assert "to become less likely: &lt;i&gt;" in shown
