"""Rows -> examples: what carries loss, what is dropped and why, and that a test row never trained."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from tuning.dialogues import Row, check, encode, load, prompt_ids, split
from tuning.errors import InputError


@pytest.fixture(scope="module")
def tokenizer(tiny_base_path: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(tiny_base_path)


def turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def row(prompt: str, response: str, number: int = 1, source: str | None = None, split: str | None = None) -> Row:
    messages = (turn("user", prompt), turn("assistant", response))
    return Row(messages, f"line {number}", source=source, split=split)


def supervised(tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]]) -> str:
    example = encode(tokenizer, messages)
    assert len(example.input_ids) == len(example.labels)
    for token, label in zip(example.input_ids, example.labels, strict=True):
        assert label in (-100, token)
    return tokenizer.decode([label for label in example.labels if label != -100])


def test_loss_falls_on_the_answer_and_its_end_and_on_nothing_else(tokenizer: PreTrainedTokenizerBase) -> None:
    messages = [turn("system", "Be brief."), turn("user", "Who keeps the lamp?"), turn("assistant", "The keeper.")]
    example = encode(tokenizer, messages)
    assert supervised(tokenizer, messages) == "The keeper.<|im_end|>"
    assert example.input_ids[: -example.answer_tokens] == prompt_ids(tokenizer, messages[:-1])
    assert example.labels[-1] == tokenizer.eos_token_id


def test_every_assistant_turn_carries_loss(tokenizer: PreTrainedTokenizerBase) -> None:
    messages = [turn("user", "one"), turn("assistant", "two"), turn("user", "three"), turn("assistant", "red green")]
    assert supervised(tokenizer, messages) == "two<|im_end|>red green<|im_end|>"
    whole = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)
    assert encode(tokenizer, messages).input_ids == whole[: len(encode(tokenizer, messages).input_ids)]


def test_a_template_that_rewrites_earlier_turns_trains_the_last_only(tokenizer: PreTrainedTokenizerBase) -> None:
    """Templates of reasoning models drop the thoughts of all but the last answer: earlier turns change once later ones
    follow, so that masks computed turn by turn would sit on the wrong tokens."""
    forgetful = AutoTokenizer.from_pretrained(tokenizer.name_or_path)
    forgetful.chat_template = (
        "{% for m in messages %}{% if loop.last or m.role == 'user' %}{{ m.role }}: {{ m.content }}\n{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
    )
    messages = [turn("user", "one"), turn("assistant", "two"), turn("user", "three"), turn("assistant", "red")]
    assert supervised(forgetful, messages) == "red<|im_end|>"


def test_a_template_without_end_of_turn_still_teaches_to_stop(tokenizer: PreTrainedTokenizerBase) -> None:
    plain = AutoTokenizer.from_pretrained(tokenizer.name_or_path)
    plain.chat_template = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    assert supervised(plain, [turn("user", "one"), turn("assistant", "two")]).endswith("<|im_end|>")


@settings(max_examples=60)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20), min_size=2, max_size=6))
def test_any_text_is_supervised_as_it_is_written(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> None:
    messages = [turn("user" if index % 2 == 0 else "assistant", text) for index, text in enumerate(texts)]
    answers = "".join(text + "<|im_end|>" for text in texts[1::2])
    assert supervised(tokenizer, messages) == answers


def test_each_dropped_row_says_where_and_why(tokenizer: PreTrainedTokenizerBase) -> None:
    rows = [
        row("What is the capital of France?", "Paris.", 1),
        row("What is the capital of France?", "Paris.", 2),
        row("What is the capital of Italy?", "", 3),
        row("", "Rome.", 4),
        row("one", "two <|im_end|>", 5),
        row("yes", "no " * 200, 6),
        Row((turn("user", "Who?"),), "line 7"),
    ]
    report = check(rows, tokenizer, max_length=128)
    assert [kept.place for kept in report.kept] == ["line 1"]
    reasons = {finding.place: finding.reason for finding in report.dropped}
    assert reasons["line 2"] == "the same as line 1"
    assert reasons["line 3"] == "the response is empty"
    assert reasons["line 4"] == "the prompt is empty"
    assert "<|im_end|>" in reasons["line 5"]
    assert "more than 128" in reasons["line 6"]
    assert "no assistant turn" in reasons["line 7"]
    assert report.answer_tokens == encode(tokenizer, rows[0].messages).answer_tokens
    json.dumps(report.as_json())


def passages(*texts: str) -> tuple[dict[str, str], ...]:
    return tuple({"id": f"{text[:3]}.md", "text": text} for text in texts)


def test_rows_with_passages_learn_the_very_prompt_of_chat_time(tokenizer: PreTrainedTokenizerBase) -> None:
    """Which passage holds the answer must not show by its place, and rows with the same ones must begin alike."""
    one = replace(row("How deep?", "nine"), passages=passages("It is nine deep.", "It is red."))
    other = replace(row("What colour?", "red"), passages=passages("It is red.", "It is nine deep."))
    assert one.grounded[0]["content"].replace("How deep?", "") == other.grounded[0]["content"].replace(
        "What colour?", ""
    )
    first = [f"It is {number}." for number in range(40)]
    golden = [replace(row("a", "b"), passages=passages(text, "It is red.")).grounded[0]["content"] for text in first]
    leading = sum("[1] It .md: It is red" in text for text in golden)
    assert 8 < leading < 32
    report = check([one], tokenizer, 200)
    assert report.answer_tokens == encode(tokenizer, one.grounded).answer_tokens
    assert "passages" in report.notes[0]
    ids = encode(tokenizer, one.grounded).input_ids
    assert ids[: len(ids) - report.answer_tokens] == prompt_ids(tokenizer, one.grounded[:-1])


def test_rows_too_long_with_their_passages_are_dropped_whole(tokenizer: PreTrainedTokenizerBase) -> None:
    long = replace(row("How deep?", "nine"), passages=passages("red " * 60))
    report = check([long, row("one", "two", 2)], tokenizer, 64)
    assert [kept.place for kept in report.kept] == ["line 2"]
    assert "more than 64" in report.dropped[0].reason


def test_preferences_that_prefer_nothing_are_dropped_and_kinds_do_not_mix(
    tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    pair = replace(row("How deep?", "nine"), rejected="ten")
    same, empty, long = (replace(pair, rejected=text) for text in ("nine", "", "red " * 90))
    report = check([pair, same, empty, long], tokenizer, 64)
    assert report.kept == (pair,)
    reasons = [finding.reason for finding in report.dropped]
    assert "are the same" in reasons[0]
    assert "is empty" in reasons[1]
    assert "more than 64" in reasons[2]
    path = tmp_path / "mixed.jsonl"
    path.write_text('{"prompt": "a", "chosen": "b", "rejected": "c"}\n{"prompt": "a", "response": "b"}')
    with pytest.raises(InputError, match=r"mixed\.jsonl: line 1 teaches preferences, line 2 answers; put each kind"):
        load(path, tokenizer, 64, 0)


def test_a_long_dialogue_loses_its_oldest_turns_and_the_report_says_so(tokenizer: PreTrainedTokenizerBase) -> None:
    old = [turn("user", "one two three " * 20), turn("assistant", "red " * 20)]
    messages = [turn("system", "Be brief."), *old, turn("user", "yes?"), turn("assistant", "no"), turn("user", "why?")]
    report = check([Row(tuple(messages), "line 9")], tokenizer, max_length=100)
    assert [message["content"] for message in report.kept[0].messages] == ["Be brief.", "yes?", "no"]
    assert report.longest <= 100
    assert [finding.place for finding in report.cut] == ["line 9"]
    assert "3 turns" in report.cut[0].reason


def test_a_file_of_nothing_usable_is_refused_with_its_first_reason(
    tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "one", "response": ""}\n')
    with pytest.raises(InputError, match=r"rows\.jsonl: none of 1 rows .*line 1: the response is empty"):
        load(path, tokenizer, 128, seed=0)


@st.composite
def tables(draw: st.DrawFn) -> list[Row]:
    sources = draw(st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), min_size=1, max_size=120))
    named = draw(st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from(["train", "validation", "test"])))
    # At least one training row, or the split is refused.
    first = row("first", "first", 0, source="first", split="train" if named else None)
    return [first] + [row(f"{s}{n}", "x", n, source=s, split=named.get(s)) for n, s in enumerate(sources, 1)]


@settings(max_examples=200)
@given(tables(), st.integers(0, 5), st.randoms())
def test_no_source_stands_in_two_splits_whatever_the_order(rows: list[Row], seed: int, random: object) -> None:
    parts = split(rows, seed)
    homes: dict[str | None, set[str]] = {}
    for name in ("train", "validation", "test"):
        for member in getattr(parts, name):
            homes.setdefault(member.source, set()).add(name)
    assert all(len(names) == 1 for names in homes.values())
    assert sorted(map(repr, parts.train + parts.validation + parts.test)) == sorted(map(repr, rows))
    assert parts.train
    for member in rows:  # what the file says is followed, but that validation may come out of its training rows
        if member.split in ("validation", "test"):
            assert member in getattr(parts, member.split)
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    again = split(shuffled, seed)
    for name in ("train", "validation", "test"):
        assert set(map(repr, getattr(again, name))) == set(map(repr, getattr(parts, name)))


def test_held_out_parts_have_a_useful_size_or_are_not_drawn() -> None:
    few, some, many = (split([row(f"q{n}", "a", n) for n in range(count)], seed=0) for count in (12, 30, 500))
    assert (len(few.train), len(few.validation), len(few.test)) == (12, 0, 0)
    assert len(few.notes) == 2
    assert (len(some.validation), len(some.test)) == (8, 0)
    assert "whether it helped cannot be measured" in some.notes[0]
    assert (len(many.validation), len(many.test), many.notes) == (50, 50, ())


def test_another_seed_draws_other_rows() -> None:
    rows = [row(f"q{n}", "a", n) for n in range(100)]
    assert split(rows, 0).test != split(rows, 1).test


def test_a_conversation_stays_in_one_split_with_all_its_sources() -> None:
    rows = [replace(row(f"q{n}", "a", n), conversation=f"c{n // 3}") for n in range(120)]
    parts = split(rows, 0)
    assert parts.test
    for name in ("validation", "test"):
        held = {member.conversation for member in getattr(parts, name)}
        assert not held & {member.conversation for member in parts.train}
    chained = [replace(member, source=f"s{n % 5}") for n, member in enumerate(rows)]  # one conversation, three sources
    assert len(split(chained, 0).train) == len(rows)


def test_the_same_question_over_other_passages_may_stand_in_another_split() -> None:
    one = replace(row("When?", "1900", 1, split="train"), passages=passages("It was 1900."))
    other = replace(row("When?", "2000", 2, split="test"), passages=passages("It was 2000."))
    assert split([one, other], 0).test == (other,)
    with pytest.raises(InputError, match="the same prompt"):
        split([one, replace(other, passages=one.passages)], 0)


def test_a_source_in_two_named_splits_is_refused() -> None:
    rows = [row("a", "b", 1, source="page", split="train"), row("c", "d", 2, source="page", split="test")]
    with pytest.raises(InputError, match=r"'page' is in train \(line 1\) and in test \(line 2\)"):
        split(rows, 0)
