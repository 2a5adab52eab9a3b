"""A follow-up question to one that can be searched for by itself: "And how long?" to what it is the length of."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .terms import stems

Message = dict[str, str]
Rewrite = Callable[[list[Message]], str]
"""Messages to what a model answers, the likeliest words only; "" where it is busy."""

ALONE, REWRITTEN, JOINED = "alone", "rewritten", "joined"

_REFERS = re.compile(
    r"""\b(?: its?(?!\ (?:true|possible|necessary)\b) | itself | they | them | their | theirs | he | him | his | she
    | her | hers | this | these | those | else | instead | former | latter | such
    | (?:the|an)\ ?other | others | same | both | (?:which|that|this|first|second|last|next|\w+er|\w+est)\ ones?
    | (?:is|was|does|did|do|can|could|about|of|for|with|than|to|why|how|after|before|like|and|but)\ that )\b
    | \bthere\s*[?.!]*$""",
    re.VERBOSE | re.IGNORECASE,
)
_OPENS = re.compile(r"^\W*(?:and|or|but|so|also|then|what about|how about|what if|why not|which of)\b", re.IGNORECASE)
_LEAST = 2  # words that say something: a question of fewer leans on the one before
_LONGER = 120  # characters that a rewritten question may have more than the follow-up
_TURNS = 3  # of the conversation that are shown to the model, and joined where it fails

INSTRUCTION = (
    "Rewrite the last question so that it can be understood without the conversation. Keep its words, and put names "
    "in place of words like it, they or there. Write only the question.\n\n"
    "Conversation:\nQuestion: Who wrote the handbook?\nAnswer: Ada Marsh wrote it.\n"
    "Last question: When did she write it?\nRewritten: When did Ada Marsh write the handbook?\n\n"
    "Conversation:\n{conversation}\nLast question: {question}\nRewritten:"
)


@dataclass(frozen=True)
class Searched:
    """What is searched for in place of a question. `how` is `ALONE` where that is the question itself, `REWRITTEN` by
    the model, or `JOINED` from the earlier questions and this one."""

    text: str
    how: str = ALONE


def self_contained(question: str, earlier: Sequence[Message], rewrite: Rewrite | None = None) -> Searched:
    """What to search for, for a question after `earlier` messages of user and assistant.

    What the model writes is taken only if it has every word of the follow-up, adds some of the conversation's and none
    of its own, is not much longer, and leans on nothing any more. Otherwise the earlier questions are put in front.
    """
    asked = [message["content"] for message in earlier if message["role"] == "user"]
    if not asked or not leans(question):
        return Searched(question)
    if rewrite is not None:
        written = _question_of(rewrite(_prompt(question, earlier)))
        if written and _is_sound(written, question, earlier):
            return Searched(written, REWRITTEN)
    return Searched(" ".join([*_leant_on(asked), question]), JOINED)


def leans(question: str) -> bool:
    """Does the question need those before it? Told by words that refer, by how it opens, and by how little it says."""
    return bool(_OPENS.search(question) or _REFERS.search(question)) or len(stems(question)) < _LEAST


def _leant_on(asked: Sequence[str]) -> list[str]:
    """The latest question that stands alone, and the latest of those after it."""
    first = max((row for row, question in enumerate(asked) if not leans(question)), default=0)
    return [asked[first], *asked[first + 1 :][-(_TURNS - 2) :]]


def _prompt(question: str, earlier: Sequence[Message]) -> list[Message]:
    words = {"user": "Question", "assistant": "Answer"}
    lines = [
        f"{words[message['role']]}: {' '.join(message['content'].split())[:300]}"
        for message in earlier[-2 * (_TURNS - 1) :]
        if message["role"] in words
    ]
    return [{"role": "user", "content": INSTRUCTION.format(conversation="\n".join(lines), question=question)}]


def _question_of(written: str) -> str:
    """The first line of what a model wrote, without the label and quotation marks that it may put around."""
    line = next(iter(written.strip().splitlines()), "")
    line = re.sub(r"^\s*(?:rewritten(?: question)?|question)\s*:\s*", "", line, flags=re.IGNORECASE)
    line = line.strip(" \t\"'“”*")
    return line[: line.index("?") + 1] if "?" in line else line


def _is_sound(written: str, question: str, earlier: Sequence[Message]) -> bool:
    said = stems(" ".join(message["content"] for message in earlier))
    kept, now = stems(question), stems(written)
    asks = written.endswith("?") or not question.rstrip().endswith("?")  # small models answer instead
    return asks and kept < now <= kept | said and len(written) <= len(question) + _LONGER and not leans(written)
