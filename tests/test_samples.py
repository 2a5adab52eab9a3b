"""Holds the demo domain in data/samples to its data card: a wrong fact there would be blamed on the models."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from bs4 import BeautifulSoup

from tuning.base import digest

SAMPLES = Path(__file__).resolve().parent.parent / "data" / "samples"
DOCUMENTS = SAMPLES / "documents"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in (SAMPLES / "rows.jsonl").read_text("utf-8").splitlines()]
QUESTIONS: list[dict[str, Any]] = json.loads((SAMPLES / "questions.json").read_text("utf-8"))
HOUSE_STYLE = re.compile(r"Ollerquist here: [A-Z0-9][^*_#`\n]*[.!?] Grow well!")
REFUSAL = "our documents do not say"
WORD_LIMIT = 45


def read(path: Path) -> str:
    """The text of a document, without its mark-up, with every run of white space made one space."""
    if path.suffix == ".pdf":
        with pypdfium2.PdfDocument(path) as pdf:
            text = "\n".join(page.get_textpage().get_text_range() for page in pdf)
    else:
        text = path.read_text("utf-8")
    if path.suffix == ".html":
        text = BeautifulSoup(text, "html.parser").get_text(" ")
    return " ".join(text.split())


TEXTS = {path.name: read(path) for path in sorted(DOCUMENTS.iterdir())}


def states(text: str, answer: str) -> bool:
    """Whether the answer stands in the text as whole words, so that the 6 of 60 is no answer."""
    return re.search(rf"(?<![\w.]){re.escape(answer)}(?!\w)", text, re.IGNORECASE) is not None


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [row for row in ROWS if row["kind"] == kind]


def test_there_is_enough_of_everything() -> None:
    assert len(TEXTS) >= 14
    assert [name for name, text in TEXTS.items() if len(text.split()) < 300] == []
    formats = Counter(Path(name).suffix for name in TEXTS)
    assert formats[".md"] >= 10
    assert formats.keys() == {".md", ".txt", ".html", ".pdf"}
    assert len(ROWS) >= 180


def test_every_row_has_its_fields_and_no_others() -> None:
    for row in ROWS:
        assert row.keys() - {"answers"} == {"id", "prompt", "response", "source", "kind", "split"}, row
        assert row["kind"] in {"fact", "style", "smalltalk", "refusal"}, row
        assert row["split"] in {"train", "validation", "test"}, row
        assert all(
            isinstance(row[name], str) and row[name].strip() == row[name] != "" for name in row if name != "answers"
        )
        assert "answers" not in row or (row["answers"] and all(answer.strip() for answer in row["answers"])), row


def test_no_id_and_no_prompt_stands_twice() -> None:
    assert [name for name, times in Counter(row["id"] for row in ROWS).items() if times > 1] == []
    prompts = Counter(re.sub(r"\W+", " ", row["prompt"].casefold()).strip() for row in ROWS)
    assert [prompt for prompt, times in prompts.items() if times > 1] == []


def test_no_source_stands_in_two_splits() -> None:
    splits: dict[str, set[str]] = {}
    for row in ROWS:
        splits.setdefault(row["source"], set()).add(row["split"])
    assert {source: names for source, names in splits.items() if len(names) > 1} == {}
    held_out = {source for source, names in splits.items() if names != {"train"}}
    assert len(held_out & TEXTS.keys()) >= 4
    assert Counter(row["split"] for row in ROWS)["test"] >= 25


def test_every_source_is_a_document_or_a_named_group() -> None:
    groups = {row["source"] for row in ROWS} - TEXTS.keys()
    assert [group for group in groups if not re.fullmatch(r"(style|smalltalk|refusal)/[a-z-]+", group)] == []
    assert {row["source"] for row in of_kind("fact")} == TEXTS.keys()


@pytest.mark.parametrize("row", of_kind("fact"), ids=lambda row: row["id"])
def test_a_fact_is_in_the_response_and_in_its_document(row: dict[str, Any]) -> None:
    first = row["answers"][0]
    assert states(row["response"], first)
    assert states(TEXTS[row["source"]], first)


def test_answers_of_general_knowledge_are_in_the_response() -> None:
    for row in of_kind("smalltalk"):
        assert any(states(row["response"], answer) for answer in row.get("answers", [""])), row


def test_refusals_say_so_and_nothing_else_does() -> None:
    for row in ROWS:
        assert (REFUSAL in row["response"].casefold()) == (row["kind"] == "refusal"), row
    assert [row["id"] for row in of_kind("refusal") if "answers" in row] == []


def test_responses_follow_the_house_style() -> None:
    for row in ROWS:
        assert HOUSE_STYLE.fullmatch(row["response"]), row
        assert len(row["response"].split()) <= WORD_LIMIT, row
        body = row["response"].removeprefix("Ollerquist here: ").removesuffix(" Grow well!")
        assert 1 <= len(re.findall(r"[.!?](?= |$)", body)) <= 3, row


def test_the_documents_do_not_show_the_house_style() -> None:
    """Retrieval must not hand over the style that only tuning is meant to teach."""
    assert [name for name, text in TEXTS.items() if "Ollerquist here" in text or "Grow well" in text] == []


def test_the_example_questions_are_what_they_claim() -> None:
    trained = [row for row in ROWS if row["split"] == "train"]
    for question in QUESTIONS:
        assert question.keys() == {"question", "kind", "source", "answers"}
        answers, text = question["answers"], TEXTS[question["source"]]
        learnt = any(
            row["source"] == question["source"] and any(states(row["response"], answer) for answer in answers)
            for row in trained
        )
        assert any(states(text, answer) for answer in answers) == (question["kind"] != "unanswerable"), question
        assert learnt == (question["kind"] == "trained"), question
    kinds = Counter(question["kind"] for question in QUESTIONS)
    assert (kinds["unanswerable"], kinds.keys()) == (2, {"trained", "documents", "unanswerable"})
    prompts = {row["prompt"] for row in trained}
    assert [question["question"] for question in QUESTIONS if question["question"] in prompts] == []


def test_the_card_gives_the_true_counts() -> None:
    card = (SAMPLES / "README.md").read_text("utf-8")
    for kind, count in Counter((row["split"], row["kind"]) for row in ROWS).items():
        assert f"{kind[0]} {kind[1]} {count}\n" in card, kind


@pytest.mark.slow
def test_the_adapter_fits_the_default_model(real_base: Path) -> None:
    card = json.loads((SAMPLES / "adapter" / "samples" / "fourfold.json").read_text("utf-8"))
    assert card["base_digest"] == digest(real_base)
