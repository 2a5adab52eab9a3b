"""What votes teach: only what the rater saw side by side under the same prompt."""

from typing import Any

import pytest

from eval.lessons import feedback, instructions, preferences
from eval.vote import Vote
from tests.eval.making import make_vote
from tuning.dialogues import read_rows

PLAIN = [{"role": "user", "content": "How deep?"}]
GROUNDED = [{"role": "user", "content": "Passages: nine metres. How deep?"}]
PROMPTS = {"base": PLAIN, "tuned": PLAIN, "rag": GROUNDED, "combined": GROUNDED}
ANSWERS = {"base": "Ten.", "tuned": "Deep.", "rag": "Nine.", "combined": "Nine metres."}


def vote(**changes: Any) -> Vote:
    return make_vote(**{"prompts": PROMPTS, "answers": ANSWERS, **changes})


def test_the_best_is_preferred_to_what_had_the_same_prompt() -> None:
    (row,) = preferences([vote(choice="rag")])
    assert (row["prompt"], row["chosen"], row["rejected"]) == (GROUNDED, "Nine.", "Nine metres.")
    assert row["source"] == vote().conversation


@pytest.mark.parametrize(
    "changes",
    [
        {"choice": "tie"},
        {"choice": "all_bad"},
        {"choice": "skip"},
        {"choice": "rag", "answers": {**ANSWERS, "combined": " "}},
        {"choice": "rag", "answers": {**ANSWERS, "combined": "Nine."}, "identical": (("rag", "combined"),)},
    ],
)
def test_no_preference_where_nothing_was_preferred(changes: dict[str, Any]) -> None:
    assert list(preferences([vote(**changes)])) == []


def test_feedback_says_good_of_the_acceptable_and_bad_where_nothing_was() -> None:
    assert [(row["completion"], row["label"]) for row in feedback([vote(choice="rag", acceptable=True)])] == [
        ("Nine.", True)
    ]
    assert {row["label"] for row in feedback([vote(choice="all_bad")])} == {False}
    assert len(list(feedback([vote(choice="rag", acceptable=False)]))) == 4
    assert list(feedback([vote(choice="rag")])) == []
    assert list(feedback([vote(choice="skip")])) == []


def test_instructions_are_rows_that_can_be_trained_on(tmp_path: Any) -> None:
    from eval.export import write

    write([vote(choice="rag", acceptable=True), vote(choice="base")], "sft", tmp_path / "rows.jsonl")
    (row,) = read_rows(tmp_path / "rows.jsonl")
    assert row.prompt == tuple(GROUNDED)
    assert row.response == "Nine."
    assert len(list(instructions([vote(choice="tie", acceptable=True)]))) == 4
