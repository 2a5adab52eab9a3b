"""Earlier turns of a comparison: what all four are told before the next question, and what it is searched by."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from eval.errors import USER_ERRORS, InputError
from eval.workbench import Workbench

if TYPE_CHECKING:  # importing these loads torch, which must not hold up the page
    from eval.comparison import Comparison
    from rag.followups import Message, Searched

BUDGET = 2400
"""Characters of earlier turns in a prompt: some 600 tokens, beside about 1,000 of passages."""
_LEAST = 400  # characters of the last answer that are told after however long a question
_REWRITTEN = 48  # tokens of a rewritten question


@dataclass(frozen=True)
class Conversation:
    """What was said before `turn`, the number of the next question from 0. The same for all four variants."""

    id: str = field(default_factory=lambda: uuid4().hex)
    turn: int = 0
    messages: "tuple[Message, ...]" = ()
    chosen: tuple[str, ...] = ()
    """The variant whose answer was kept, a turn each; not for the page before the vote on the next one."""

    def told(self) -> "list[Message]":
        """The latest turns that `BUDGET` has room for; of the very last one at least the beginning of its answer."""
        kept: list[Message] = []
        room = BUDGET
        for row in range(len(self.messages) - 2, -1, -2):
            asked, answered = map(dict, self.messages[row : row + 2])
            room -= len(asked["content"])
            if kept and len(answered["content"]) > room:
                break
            answered["content"] = answered["content"][: max(room, _LEAST)]
            room -= len(answered["content"])
            kept = [asked, answered, *kept]
        return kept


def follow(comparison: "Comparison", variant: str) -> Conversation:
    """The conversation after a comparison, going on from the answer of that variant, for all four.

    Raises InputError before the vote, which a continued answer would give away, and for an answer that is empty.
    """
    if not comparison.voted:
        raise InputError("The answers have no vote yet; vote first, then ask a follow-up.")
    if variant not in comparison.answers:
        raise InputError(f"There is no answer of {variant!r} to go on from; choose one of those shown.")
    said = comparison.answers[variant].text
    if not said.strip():
        raise InputError("That answer is empty; choose another one to go on from.")
    before = comparison.conversation
    turn = ({"role": "user", "content": comparison.question}, {"role": "assistant", "content": said})
    return Conversation(before.id, before.turn + 1, (*before.messages, *turn), (*before.chosen, variant))


def searched_for(workbench: Workbench, question: str, conversation: Conversation, rewrite: bool) -> "Searched":
    """What the documents are searched for: a question that leans on earlier turns is made to stand alone."""
    from rag.followups import self_contained
    from tuning.request import Request, Sampling

    def by_the_base(messages: "list[Message]") -> str:
        try:
            *_, (answer,) = workbench.generate([Request(messages, None, Sampling(max_tokens=_REWRITTEN))])
        except USER_ERRORS:  # busy, or a window too small: the words of the questions do as well
            return ""
        return answer.text

    return self_contained(question, conversation.messages, by_the_base if rewrite else None)
