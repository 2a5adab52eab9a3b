"""Eight users at once: what sharing one batch gains all of them, and what a newcomer waits for the first word.

Every user asks for four answers in a thread of its own, as the pages do: once all four with the bare question, once two
of them with the app's usual three passages in front of it. Everybody's prompts are computed, since no two begin alike.
Then the same is asked again, so that all but a prompt's last tokens are known and what remains is writing: reading
keeps all cores busy by itself, so that company cannot make it faster. The newcomer asks while seven others' answers
grow, all of which are still growing when the newcomer is through.
"""

import statistics
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from tests.bench.loading import QUESTION, ask, four, long_question, make_engine
from tuning.engine import Engine

USERS = 8
TOKENS = 128
"""The app's usual longest answer."""
LONG = 256
"""Tokens of the others' answers: more than are written before the newcomer is through."""
NEWCOMER = 4
Questions = Sequence[str]


WHAT = (
    ("tokens_per_second", "8 users", "1 user"),
    ("tokens_per_second of known prompts", "8 users", "1 user"),
    ("first_token", "newcomer", "lone"),
    ("first_token of the first pane", "newcomer", "lone"),
)


def measure(rounds: int) -> dict[str, Any]:
    """Total tokens per second of eight users over one's, and first tokens of a newcomer over those of a lone user."""
    with closing(make_engine()) as engine:
        kinds = {"bare": [QUESTION], "with passages": [QUESTION, QUESTION, *[long_question(engine.base)] * 2]}
        found = {
            kind: [once(engine, 2000 * number + 1000 * place, questions) for number in range(rounds + 1)][1:]
            for place, (kind, questions) in enumerate(kinds.items())  # of each kind, the first round warms up
        }
        assert engine.compiled
    medians = {
        f"{what}, {kind}": statistics.median(taken[what] for taken in rounds_)
        for kind, rounds_ in found.items()
        for what in rounds_[0]
    }
    ratios = {
        f"{what} {a} / {b}, {kind}": medians[f"{what} {a}, {kind}"] / medians[f"{what} {b}, {kind}"]
        for kind in kinds
        for what, a, b in WHAT
    }
    return {"ratios": ratios, "medians": medians, "tokens_per_answer": TOKENS, "rounds": rounds}


def once(engine: Engine, number: int, questions: Questions) -> dict[str, float]:
    """Each thing measured once, in turns; the conversations are numbered from `number`."""
    found = {}
    for what, fresh in (("tokens_per_second", True), ("tokens_per_second of known prompts", False)):
        found[f"{what} 8 users"] = rate(engine, USERS, number, questions, fresh)
        found[f"{what} 1 user"] = rate(engine, 1, number + 100, questions, fresh)
    for who, others in (("newcomer", USERS - 1), ("lone", 0)):
        seconds = first_tokens(engine, others, number + 200 + 100 * others, questions)
        found[f"first_token {who}"] = max(seconds)
        found[f"first_token of the first pane {who}"] = min(seconds)
    return found


def rate(engine: Engine, users: int, number: int, questions: Questions, fresh: bool) -> float:
    """Tokens that all users together get in a second, from the first question to the last token."""
    start = time.perf_counter()
    with ThreadPoolExecutor(users) as threads:
        each = threads.map(
            lambda user: ask(engine, four(number + user, TOKENS, questions), f"user {user}", fresh), range(users)
        )
        tokens = sum(answer.tokens for answers in each for answer in answers)
    assert tokens == users * 4 * TOKENS
    return tokens / (time.perf_counter() - start)


def first_tokens(engine: Engine, others: int, number: int, questions: Questions) -> list[float]:
    """Seconds to the first token of each of a newcomer's answers, while the answers of so many others grow."""
    stop, growing = threading.Event(), threading.Semaphore(0)

    def another(user: int) -> bool:
        """Whether all its answers were still growing when they were stopped."""
        grew = False
        for answers in engine.stream(four(number + user, LONG, questions), stop, f"user {user}"):
            if not grew and all(answer.tokens for answer in answers):
                grew = True
                growing.release()
        return all(answer.finished == "stopped" for answer in answers)

    with ThreadPoolExecutor(max(1, others)) as threads:
        busy = [threads.submit(another, user) for user in range(1, others + 1)]
        for _ in busy:
            growing.acquire()
        answers = ask(engine, four(number, NEWCOMER, questions), "newcomer")
        stop.set()
    assert all(one.result() for one in busy), "the others had finished before the newcomer was through"
    return [answer.first_token_seconds for answer in answers]
