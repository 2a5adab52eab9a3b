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
TASKS = {"fact", "revised", "card", "style", "smalltalk", "refusal"}
KINDS = {"trained", "documents", "both", "revised", "unanswerable", "style", "smalltalk"}


def rows_of(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLES / name).read_text("utf-8").splitlines()]


ROWS, BENCHMARK = rows_of("rows.jsonl"), rows_of("benchmark.jsonl")
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


def of_task(*tasks: str) -> list[dict[str, Any]]:
    return [row for row in ROWS + BENCHMARK if row["task"] in tasks]


def test_there_is_enough_of_everything() -> None:
    assert len(TEXTS) == 40
    assert [name for name, text in TEXTS.items() if len(text.split()) < 300] == []
    formats = Counter(Path(name).suffix for name in TEXTS)
    assert formats[".md"] >= 10
    assert formats.keys() == {".md", ".txt", ".html", ".pdf"}
    assert len(ROWS) + len(BENCHMARK) >= 600
    assert min(Counter(row["task"] for row in BENCHMARK).values()) >= 16


def test_every_row_has_its_fields_and_no_others() -> None:
    for row in ROWS + BENCHMARK:
        assert row.keys() - {"answers"} == {"id", "prompt", "response", "source", "task", "split"}, row
        assert row["split"] in {"train", "validation", "test"}, row
        assert all(
            isinstance(row[name], str) and row[name].strip() == row[name] != "" for name in row if name != "answers"
        )
        assert "answers" not in row or (row["answers"] and all(answer.strip() for answer in row["answers"])), row
    assert {row["task"] for row in ROWS} == TASKS
    assert {row["task"] for row in BENCHMARK} == KINDS
    assert {row["split"] for row in BENCHMARK} == {"test"}
    answered = KINDS - {"unanswerable", "style", "smalltalk"}
    assert [row["id"] for row in BENCHMARK if row["task"] in answered and "answers" not in row] == []


def test_no_id_and_no_prompt_stands_twice() -> None:
    everything = ROWS + BENCHMARK
    assert [name for name, times in Counter(row["id"] for row in everything).items() if times > 1] == []
    prompts = Counter(re.sub(r"\W+", " ", row["prompt"].casefold()).strip() for row in everything)
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
    groups = {row["source"] for row in ROWS + BENCHMARK} - TEXTS.keys()
    assert [group for group in groups if not re.fullmatch(r"(style|smalltalk|refusal)/[a-z-]+", group)] == []
    assert {row["source"] for row in of_task("fact", "documents", "trained")} == TEXTS.keys()


@pytest.mark.parametrize("row", of_task("fact", "trained", "documents"), ids=lambda row: row["id"])
def test_a_fact_is_in_the_response_and_in_its_document(row: dict[str, Any]) -> None:
    first = row["answers"][0]
    assert states(row["response"], first)
    assert states(TEXTS[row["source"]], first)


def taught() -> dict[str, list[str]]:
    """What the training rows of each source say."""
    said: dict[str, list[str]] = {}
    for row in ROWS:
        if row["split"] != "test":
            said.setdefault(row["source"], []).append(row["response"])
    return said


def test_each_kind_of_question_can_be_answered_from_where_it_says() -> None:
    said = taught()
    for row in of_task("trained"):
        assert any(states(text, row["answers"][0]) for text in said[row["source"]]), row
    for row in of_task("documents", "both"):
        assert row["source"] not in said, row
    for row in of_task("unanswerable"):
        assert row["source"] in TEXTS, row


def test_a_card_takes_its_form_from_the_rows_and_its_fields_from_the_document() -> None:
    forms = [row["response"] for row in of_task("card")]
    assert all(response.count(" | ") == 2 for response in forms)
    assert [name for name, text in TEXTS.items() if " | " in text] == []
    for row in of_task("card", "both"):
        line = row["response"].removeprefix("Ollerquist here: ").removesuffix(". Grow well!")
        assert row.get("answers", [line]) == [line]
        text = TEXTS[row["source"]].casefold()
        words = [word for field in line.casefold().split(" | ") for word in field.split()]
        assert [word for word in words if word not in text] == [], row


def test_revised_facts_differ_between_rows_and_documents() -> None:
    """The rows were written before the documents were revised: the adapter learns the old figure."""
    for row in of_task("revised"):
        current = row["split"] == "test"
        assert states(row["response"], row["answers"][0])
        assert states(TEXTS[row["source"]], row["answers"][0]) == current, row
    said = taught()
    for row in of_task("revised"):
        if row["split"] == "test":
            assert not any(states(text, row["answers"][0]) for text in said[row["source"]]), row


def test_answers_of_general_knowledge_are_in_the_response() -> None:
    for row in of_task("smalltalk"):
        assert any(states(row["response"], answer) for answer in row.get("answers", [""])), row


def test_refusals_say_so_and_nothing_else_does() -> None:
    for row in ROWS + BENCHMARK:
        assert (REFUSAL in row["response"].casefold()) == (row["task"] in ("refusal", "unanswerable")), row
    assert [row["id"] for row in of_task("refusal", "unanswerable") if "answers" in row] == []


def test_responses_follow_the_house_style() -> None:
    for row in ROWS + BENCHMARK:
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
    for kind, count in Counter((row["split"], row["task"]) for row in ROWS).items():
        assert f"{kind[0]} {kind[1]} {count}\n" in card, kind
    for task, count in Counter(row["task"] for row in BENCHMARK).items():
        assert re.search(rf"\| `{task}` \| {count} \|", card), task


@pytest.mark.slow
def test_the_adapter_fits_the_default_model(real_base: Path) -> None:
    card = json.loads((SAMPLES / "adapter" / "samples" / "fourfold.json").read_text("utf-8"))
    assert card["base_digest"] == digest(real_base)
