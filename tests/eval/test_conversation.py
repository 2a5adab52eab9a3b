"""Follow-ups: the same history for all four, a search that stands alone, blind again; and answers that are refused."""

import json
from dataclasses import asdict, replace

import pytest

from eval.casting import Said, make_vote
from eval.comparison import Comparison, answer, prepare
from eval.conversation import BUDGET, Conversation, follow
from eval.errors import InputError
from eval.metrics import refuses
from eval.variants import IDS
from eval.vote import from_json, to_json
from eval.vote_rules import check
from eval.workbench import Workbench
from rag.floor import FILE, REFUSAL, Floor
from rag.shares import share
from tests.eval.test_comparison import QUESTION, SETUP, answered

WRITTEN = "When is the lighthouse's lamp lit?"


def voted(workbench: Workbench) -> Comparison:
    comparison = answered(workbench)
    comparison.answers["rag"] = replace(comparison.answers["rag"], text="Orla keeps the lighthouse.")
    comparison.voted = True
    return comparison


def set_floor(workbench: Workbench, value: float) -> None:
    index = workbench.index("samples")
    floor = Floor(value, share(0, 9), share(0, 9), False, index.embedder.identity, index.store.uuid, 0, "now")
    (index.folder / FILE).write_text(json.dumps(asdict(floor)))


def test_a_follow_up_is_told_the_chosen_answer_in_all_four(loaded: Workbench) -> None:
    first = voted(loaded)
    second = prepare(loaded, "When is its lamp lit?", SETUP, follow(first, "rag"))
    for variant in IDS:
        messages = second.requests[variant].messages
        assert [message["role"] for message in messages] == ["user", "assistant", "user"]
        assert messages[0]["content"] == QUESTION, "the passages of the earlier turn are not repeated"
        assert messages[1]["content"] == "Orla keeps the lighthouse."
    assert second.searched.text == f"{QUESTION} When is its lamp lit?"
    assert second.hits[0].document == "lighthouse.md"
    for _ in answer(loaded, second):
        pass
    vote = make_vote(second, Said("0"), "ab" * 16)
    check(vote)
    assert (vote.conversation, vote.turn, vote.question) == (first.conversation.id, 1, "When is its lamp lit?")
    assert vote.configuration["searched"] == {"text": second.searched.text, "how": "joined"}
    assert vote.configuration["conversation"] == {"chosen": ["rag"], "messages_told": 2}
    read = from_json(json.loads(json.dumps(to_json(vote))))
    assert (read.conversation, read.turn, read.prompts) == (vote.conversation, vote.turn, vote.prompts)


def test_the_model_words_the_search_where_it_is_asked_to(loaded: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    generate = loaded.generate
    asked: list[str] = []

    def rewriting(requests, *rest):  # type: ignore[no-untyped-def]
        ((message,),) = [request.messages for request in requests]
        asked.append(message["content"])
        yield [replace(next(iter(first.answers.values())), text=WRITTEN)]

    first = voted(loaded)
    monkeypatch.setattr(loaded, "generate", rewriting)
    second = prepare(loaded, "When is its lamp lit?", replace(SETUP, rewrite=True), follow(first, "rag"))
    assert (second.searched.text, second.searched.how) == (WRITTEN, "rewritten")
    assert len(asked) == 1
    alone = prepare(
        loaded, "Who weighs the herring in the harbour?", replace(SETUP, rewrite=True), follow(first, "rag")
    )
    assert (alone.searched.how, len(asked)) == ("alone", 1)
    monkeypatch.setattr(loaded, "generate", generate)
    told = prepare(loaded, "When is its lamp lit?", replace(SETUP, rewrite=True), follow(first, "rag"))
    assert told.searched.how == "joined", "a model of random weights writes nothing sound"


def test_a_follow_up_waits_for_the_vote(loaded: Workbench) -> None:
    comparison = answered(loaded)
    with pytest.raises(InputError, match="vote first"):
        follow(comparison, "rag")
    comparison.voted = True
    with pytest.raises(InputError, match="no answer of 'nobody'"):
        follow(comparison, "nobody")
    comparison.answers["base"] = replace(comparison.answers["base"], text=" ")
    with pytest.raises(InputError, match="empty"):
        follow(comparison, "base")


def test_long_conversations_keep_their_latest_turns_within_the_budget() -> None:
    turns = [({"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": "a" * 900}) for n in range(5)]
    told = Conversation("c", 5, tuple(message for turn in turns for message in turn)).told()
    assert [message["content"] for message in told[::2]] == ["q3", "q4"]
    long = Conversation("c", 1, ({"role": "user", "content": "q"}, {"role": "assistant", "content": "a" * 9000})).told()
    assert len(long) == 2
    assert sum(len(message["content"]) for message in long) <= BUDGET
    assert Conversation().told() == []


def test_below_the_floor_the_variants_with_documents_say_so(loaded: Workbench) -> None:
    set_floor(loaded, 2.0)
    comparison = answered(loaded)
    assert comparison.refused
    for variant in ("rag", "combined"):
        assert comparison.answers[variant].text == REFUSAL
        assert comparison.answers[variant].finished == "refused"
        assert comparison.answers[variant].tokens == 0
    assert all(comparison.answers[variant].finished != "refused" for variant in ("base", "tuned"))
    assert refuses(REFUSAL), "the figures must know the program's own refusal"
    assert ("rag", "combined") in comparison.identical
    assert comparison.proofs == {"rag": [], "combined": []}
    vote = make_vote(comparison, Said("tie"), "ab" * 16)
    check(vote)
    assert vote.configuration["finished"]["rag"] == "refused"
    floor = vote.configuration["floor"]
    assert (floor["value"], floor["refused"]) == (2.0, True)
    assert floor["cosine"] == comparison.hits[0].cosine


def test_above_the_floor_without_one_and_switched_off_all_four_answer(loaded: Workbench) -> None:
    assert prepare(loaded, QUESTION, SETUP).configuration["floor"] is None
    set_floor(loaded, 0.0)
    above = prepare(loaded, QUESTION, SETUP)
    assert above.configuration["floor"]["refused"] is above.refused is False
    set_floor(loaded, 2.0)
    off = prepare(loaded, QUESTION, replace(SETUP, floor=False))
    assert off.configuration["floor"] is None
    assert not off.refused
