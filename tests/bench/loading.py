"""What the measurements share: the default base, our engine over it, and prompts that nothing has computed before."""

import sys
from collections.abc import Sequence

from tests.conftest import REPO
from tuning.base import Base, load_base
from tuning.dialogues import prompt_ids
from tuning.engine import Engine
from tuning.request import Answer, Request, Sampling
from tuning.rows import Message
from tuning.warmup import WarmUp

HOME = REPO / "data" / "local"
COMPILED = HOME / "compiled"
NAME = "samples"
ADAPTER = REPO / "data" / "samples" / "adapter" / NAME
DOCUMENTS = REPO / "data" / "samples" / "documents"
PANES = (None, NAME, None, NAME)
"""The adapters of the four answers to one question."""
QUESTION = "Write a long letter to a friend about a walk by the sea."
GROUNDED = 600
"""Tokens of a prompt with the app's usual three passages."""


def log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def make_base(int8: bool = False) -> Base:
    return load_base(None, HOME, int8=int8)


def make_engine(int8: bool = False, compiled: bool = True, endless: bool = True, base: Base | None = None) -> Engine:
    """The engine with the tracked adapter; `endless` answers do not end before their last token, whatever they say."""
    engine = Engine(base or make_base(int8))
    engine.attach(NAME, ADAPTER)
    if compiled:
        warm = WarmUp(engine, COMPILED, log)
        warm.run()
        if not engine.compiled:
            raise RuntimeError(warm.state)
    if endless:
        engine._ends = frozenset()
    return engine


def messages(number: int, question: str = QUESTION) -> list[Message]:
    """A question in the conversation of this number.

    The number stands in the first page of keys and values, so no two conversations share one; and every digit is a
    token, so that all numbers make prompts of the same length.
    """
    system = f"{number:06d} is the number of this conversation. You are a helpful assistant."
    return [{"role": "system", "content": system}, {"role": "user", "content": question}]


def long_question(base: Base, tokens: int = GROUNDED) -> str:
    """Passages of the sample documents and a question, in a prompt of about so many tokens."""
    read = "\n\n".join(path.read_text(encoding="utf-8") for path in sorted(DOCUMENTS.glob("*.md")))
    ids = base.tokenizer(read, add_special_tokens=False, verbose=False)["input_ids"]
    room = tokens - len(prompt_ids(base.tokenizer, messages(0, "\n\n" + QUESTION)))
    return f"{base.tokenizer.decode(ids[:room])}\n\n{QUESTION}"


def four(number: int, tokens: int, questions: Sequence[str] = (QUESTION,)) -> list[Request]:
    """Requests for four answers of so many greedy tokens, each in a conversation of its own: what the panes have in
    common is computed for each. The questions go round."""
    return [
        Request(messages(4 * number + pane, questions[pane % len(questions)]), adapter, Sampling(max_tokens=tokens))
        for pane, adapter in enumerate(PANES)
    ]


def ask(engine: Engine, requests: Sequence[Request], user: str = "", fresh: bool = True) -> list[Answer]:
    """The finished answers. Raises RuntimeError where one was not written, or, with `fresh`, where part of its prompt
    had been computed before: neither must pass as speed."""
    *_, answers = engine.stream(requests, user=user)
    wrong = [answer for answer in answers if answer.finished not in ("end", "length", "scored")]
    if wrong:
        raise RuntimeError(f"an answer ended as {wrong[0].finished}: {wrong[0].error}")
    if fresh and any(answer.reused for answer in answers):
        raise RuntimeError("a prompt was not computed anew")
    return answers
