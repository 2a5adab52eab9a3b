"""No conversation and no prompt reaches across the splits of an export."""

from typing import Any

from eval.lessons import preferences
from eval.sources import sources
from eval.variants import IDS
from eval.vote import Vote
from tests.eval.making import make_vote
from tuning.dialogues import read_rows
from tuning.splits import split


def vote(number: int, conversation: str, question: str, **changes: Any) -> Vote:
    said = {id: [{"role": "user", "content": f"{id}: {question}"}] for id in IDS}
    plain = {"conversation": conversation, "question": question, "prompts": said}
    return make_vote(f"c{number}", **plain | changes)


def source_of(*votes: Vote) -> list[str]:
    found = sources(votes)
    return [found[one.id] for one in votes]


def test_a_prompt_joins_the_conversations_that_asked_it() -> None:
    assert source_of(vote(0, "a", "Who?"), vote(1, "b", "What?"), vote(2, "c", " WHO? ")) == ["a", "b", "a"]


def test_a_conversation_joins_its_prompts_and_all_that_they_join() -> None:
    votes = [vote(0, "a", "Who?"), vote(1, "b", "What?"), vote(2, "c", "Where?")]
    assert source_of(*votes, vote(3, "c", "What?", turn=1)) == ["a", "b", "b", "b"]


def test_a_prompt_of_a_campaign_is_one_for_all_its_raters() -> None:
    votes = [
        vote(number, f"own {number}", f"Worded {number}?", campaign="k", prompt_id=f"p{number % 2}", rater=f"r{number}")
        for number in range(4)
    ]
    assert source_of(*votes) == ["own 0", "own 1", "own 0", "own 1"]


def test_the_same_follow_up_after_other_words_is_another_prompt() -> None:
    before = [{"role": "user", "content": "The boat?"}, {"role": "assistant", "content": "Blue."}]
    after = {id: [*before, {"role": "user", "content": "Why?"}] for id in IDS}
    alone = vote(0, "a", "Why?")
    assert source_of(alone, vote(1, "b", "Why?", prompts=after, turn=1)) == ["a", "b"]
    assert source_of(alone, vote(1, "b", "Why?", prompts=after), vote(2, "c", "Why?", prompts=after)) == ["a", "b", "b"]


def test_rows_of_one_prompt_are_in_one_split_whoever_rated_it(tmp_path: Any) -> None:
    """Each rater of a campaign has a conversation of their own, by which alone its rows were once split."""
    from eval.export import write

    votes = []
    for prompt in range(40):
        answers = {id: f"{id} on {prompt}" for id in IDS}
        plain = {id: [{"role": "user", "content": f"Number {prompt}?"}] for id in IDS}
        for rater in range(3):
            votes.append(
                vote(10 * prompt + rater, f"{prompt} {rater}", f"Number {prompt}?", prompts=plain, answers=answers,
                     choice=IDS[rater], campaign="k", prompt_id=f"p{prompt}", rater=f"r{rater}")
            )  # fmt: skip
    assert len(list(preferences(votes))) == 3 * 3 * 40
    write(votes, "dpo", tmp_path / "rows.jsonl")
    parts = split(read_rows(tmp_path / "rows.jsonl"), seed=0)
    asked = [{row.prompt[-1]["content"] for row in part} for part in (parts.train, parts.validation, parts.test)]
    assert all(asked)
    assert len(set().union(*asked)) == sum(map(len, asked)) == 40
