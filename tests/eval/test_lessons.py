"""What votes teach: only what the rater saw side by side under the same prompt."""

from typing import Any

import pytest

from eval.judgement import Judgement
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


def test_a_ranking_prefers_every_higher_place_of_the_same_prompt() -> None:
    ranked = vote(mode="ranking", choice="rag", ranking=(("rag",), ("tuned",), ("base", "combined")))
    pairs = {(row["chosen"], row["rejected"]) for row in preferences([ranked])}
    assert pairs == {("Nine.", "Nine metres."), ("Deep.", "Ten.")}


def test_what_a_person_wrote_instead_is_preferred_and_learnt() -> None:
    edited = vote(choice="rag", judgements={"combined": Judgement(better="Nine metres deep.")})
    assert ("Nine metres deep.", "Nine metres.") in [(r["chosen"], r["rejected"]) for r in preferences([edited])]
    (row,) = instructions([edited])
    assert row["messages"] == [*GROUNDED, {"role": "assistant", "content": "Nine metres deep."}]
    corrected = vote(choice="rag", acceptable=True, judgements={"rag": Judgement(better="Nine fathoms.")})
    assert [row["messages"][-1]["content"] for row in instructions([corrected])] == ["Nine fathoms."]


def test_a_thumb_says_more_of_its_answer_than_the_choice_does() -> None:
    thumbs = {"rag": Judgement(thumb=False), "base": Judgement(thumb=True)}
    labels = {
        row["completion"]: row["label"] for row in feedback([vote(choice="rag", acceptable=True, judgements=thumbs)])
    }
    assert labels == {"Nine.": False, "Ten.": True}


def test_neither_judges_nor_who_saw_the_names_teach_preferences() -> None:
    """Votes of a language model once went into the same file as those of people."""
    judged = vote(choice="rag", acceptable=True, rater_kind="judge", judgements={"rag": Judgement(better="Ten.")})
    seen = vote(choice="rag", acceptable=True, mode="open", blind=False)
    for cast in (judged, seen):
        assert not [*preferences([cast]), *feedback([cast]), *instructions([cast])]
