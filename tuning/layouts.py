"""The layouts in which a record can be a row: instructions, turns, Alpaca, ShareGPT, preferences and feedback."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from tuning.rowfiles import FORMATS, Broken, kind, mapping

ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
}
TURN_FIELDS = ("messages", "conversations")
QUESTION_FIELDS = ("prompt", "instruction", "question")
ANSWER_FIELDS = ("response", "output", "completion", "answer")
CONTEXT_FIELDS = ("input", "context")
JUDGED_FIELDS = ("chosen", "rejected", "label")
OTHER_FIELDS = ("system", "id", "task", "source", "conversation", "split", "passages", "answers")
FIELDS = (*TURN_FIELDS, *QUESTION_FIELDS, *ANSWER_FIELDS, *CONTEXT_FIELDS, *JUDGED_FIELDS, *OTHER_FIELDS)
"""All that is read of a record."""

SPLITS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}

Message = dict[str, str]


def turns_of(record: Mapping[str, Any], place: str) -> list[Message]:
    """The turns of a record in any of the layouts. Raises Broken where it has none of them."""
    turns = record.get("messages") or record.get("conversations")
    if turns is None and is_preference(record):
        messages = _judged_turns(record, place)
    elif turns is None:
        messages = _question_and_answer(record, place)
    elif isinstance(turns, list):
        messages = [_message(turn, place) for turn in turns]
    else:
        raise Broken(f"{place}: messages must be a list, this is {kind(turns)}; write {FORMATS}")
    system = optional_of(record, "system", place)
    if system and not (messages and messages[0]["role"] == "system"):
        return [{"role": "system", "content": system}, *messages]
    return messages


def _question_and_answer(record: Mapping[str, Any], place: str, answer: str | None = None) -> list[Message]:
    """A question, or turns that end with one, and an answer (in the field `answer`, where that is given)."""
    question = next((field for field in QUESTION_FIELDS if field in record), None)
    answer = answer or next((field for field in ANSWER_FIELDS if field in record), None)
    if question is None or answer is None:
        has = ", ".join(map(str, record)) or "nothing"
        missing = "response" if question else "prompt"
        cure = f"name the fields as in {FORMATS}, or say which columns they are, as in --columns {missing}=NAME"
        raise Broken(f"{place}: no {missing} (it has: {has}); {cure}")
    if isinstance(record[answer], list) and len(record[answer]) > 1:
        many = len(record[answer])
        raise Broken(f"{place}: {answer} has {many} messages; give the one answer, and earlier turns in {question}")
    if isinstance(record[question], list):
        asked = [_message(turn, place) for turn in record[question]]
    else:
        parts = [text_of(record, field, place) for field in (question, *CONTEXT_FIELDS) if field in record]
        asked = [{"role": "user", "content": "\n\n".join(part for part in parts if part)}]
    return [*asked, {"role": "assistant", "content": answer_of(record, answer, place)}]


def _judged_turns(record: Mapping[str, Any], place: str) -> list[Message]:
    """A preference row's turns up to the chosen answer, where both answers come as whole conversations or alone."""
    before = []
    for field in ("chosen", "rejected"):
        turns = record[field] if isinstance(record[field], list) else []
        before.append([_message(turn, place) for turn in turns[:-1]])
    chosen, rejected = before
    if chosen != rejected:
        raise Broken(f"{place}: chosen and rejected differ before the last turn; give the turns before it in prompt")
    if chosen:
        return [*chosen, {"role": "assistant", "content": answer_of(record, "chosen", place)}]
    return _question_and_answer(record, place, "chosen")


def is_preference(record: Mapping[str, Any]) -> bool:
    return "chosen" in record and "rejected" in record


def is_feedback(record: Mapping[str, Any]) -> bool:
    return "completion" in record and "label" in record


def answer_of(record: Mapping[str, Any], field: str, place: str) -> str:
    """An answer as text, or the last of the messages that end with it."""
    value = record.get(field)
    if not isinstance(value, list):
        return text_of(record, field, place)
    if not value:
        raise Broken(f"{place}: {field} is an empty list; write the answer as text")
    last = _message(value[-1], place)
    if last["role"] != "assistant":
        raise Broken(f"{place}: {field} ends with a turn of the {last['role']}; end it with the assistant's")
    return last["content"]


def label_of(record: Mapping[str, Any], place: str) -> bool:
    """Of a feedback row: true and false, 1 and 0, or the words."""
    value = record["label"]
    known = {"true": True, "1": True, "false": False, "0": False}
    if str(value).lower() not in known:
        raise Broken(f"{place}: label is {value!r}; use true for a good answer and false for a bad one")
    return known[str(value).lower()]


def split_of(record: Mapping[str, Any], place: str) -> str | None:
    """train, validation or test, where the record says so."""
    split = optional_of(record, "split", place)
    if split is None:
        return None
    if split.lower() not in SPLITS:
        raise Broken(f"{place}: split is {split!r}; use train, validation or test")
    return SPLITS[split.lower()]


def passages_of(record: Mapping[str, Any], place: str) -> Iterator[Mapping[str, str]]:
    """The passages that belong to the question, each with `id` and `text`."""
    value = record.get("passages") or ()
    if not isinstance(value, list | tuple):
        raise Broken(f'{place}: passages must be a list, this is {kind(value)}; write [{{"id": "...", "text": "..."}}]')
    for passage in value:
        found = mapping(passage, f"{place}, a passage")
        yield {field: text_of(found, field, place) for field in ("id", "text")}


def answers_of(record: Mapping[str, Any], place: str) -> Iterator[str]:
    """The accepted short answers: one, a list, or SQuAD's object with the list as its `text`."""
    value = record.get("answers")
    if isinstance(value, Mapping) and "text" in value:
        value = value["text"]
    if value is None or value == "":
        return
    for answer in value if isinstance(value, list) else [value]:
        yield text_of({"answers": answer}, "answers", place)


def text_of(record: Mapping[str, Any], field: str, place: str) -> str:
    """The field as text: numbers as they are written, null as nothing; anything else is an error of the file."""
    value = record.get(field)
    if value is None:
        return ""
    finite = isinstance(value, float) and math.isfinite(value)
    if isinstance(value, bool) or not (finite or isinstance(value, str | int)):
        raise Broken(f"{place}: {field} must be text, this is {kind(value)}; put it in quotes")
    text = str(value).strip()
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise Broken(f"{place}: {field} holds half of a surrogate pair; correct the \\u escapes")
    return text


def optional_of(record: Mapping[str, Any], field: str, place: str) -> str | None:
    """The field as text; None where it is absent or empty."""
    return text_of(record, field, place) or None


def _message(turn: Any, place: str) -> Message:
    """One turn in the usual ({"role", "content"}) or the ShareGPT ({"from", "value"}) shape."""
    turn = mapping(turn, f"{place}, a message")
    role = turn.get("role", turn.get("from"))
    if not isinstance(role, str) or role.lower() not in ROLES:
        raise Broken(f"{place}: a message of role {role!r}; use system, user or assistant")
    field = "content" if "content" in turn else "value"
    if field not in turn:
        raise Broken(f"{place}: a message without content; give every message its text")
    return {"role": ROLES[role.lower()], "content": text_of(turn, field, place)}
