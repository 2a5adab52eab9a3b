"""A chat of five turns: how much later than in the first turn the first word comes in the fifth, the longest prompt.

One conversation grows by the answers and by questions of about the same length; `without_reuse` asks the same, turn by
turn, in a conversation that begins with other words, so that nothing computed earlier can serve. Every round is a
conversation of its own.
"""

import statistics
from collections import defaultdict
from contextlib import closing
from typing import Any

from tests.bench.loading import ask, make_engine, messages
from tuning.dialogues import prompt_ids
from tuning.engine import Engine
from tuning.request import Request, Sampling

TOKENS = 64
QUESTIONS = (
    "Write a long story about a girl who keeps a lighthouse by the sea.",
    "Tell me much more about the storm that came to the lighthouse one night.",
    "Now tell me at length about the old ship that was lost in that storm.",
    "Describe in many words the morning on the beach after the storm.",
    "Go on with the story, and tell me at length how she finds the captain.",
)


def measure(rounds: int) -> dict[str, Any]:
    """Median seconds to the first token by turn, with reuse and without, and their ratios."""
    # Answers may end: a chat reads them again as text, which shows no end of a turn. These questions want long ones.
    with closing(make_engine(endless=False)) as engine:
        chats = [chat(engine, 100 * number) for number in range(rounds + 1)][1:]  # the first warms up
        assert engine.compiled
    middle = {
        name: [statistics.median(turn) for turn in zip(*(found[name] for found in chats), strict=True)]
        for name in chats[0]
    }
    reuse, without = middle["reuse"], middle["without_reuse"]
    return {
        "ratios": {
            "first_token turn 5 / turn 1": reuse[-1] / reuse[0],
            "first_token turn 5 / turn 1, without_reuse": without[-1] / without[0],
            "first_token turn 5, without_reuse / reuse": without[-1] / reuse[-1],
        },
        "median_first_token_seconds_by_turn": {"reuse": reuse, "without_reuse": without},
        "median_tokens_by_turn": {name: middle[name] for name in ("prompt", "reused", "answer")},
        "rounds": rounds,
    }


def chat(engine: Engine, number: int) -> dict[str, list[float]]:
    """What each turn took, and its tokens, in a conversation of this number."""
    found: dict[str, list[float]] = defaultdict(list)
    said = messages(number)[:1]
    for turn, question in enumerate(QUESTIONS, 1):
        said.append({"role": "user", "content": question})
        elsewhere = [*messages(number + turn)[:1], *said[1:]]
        (anew,) = ask(engine, [Request(elsewhere, sampling=Sampling(max_tokens=1))])
        (answer,) = ask(engine, [Request(said, sampling=Sampling(max_tokens=TOKENS))], fresh=False)
        found["without_reuse"].append(anew.first_token_seconds)
        found["reuse"].append(answer.first_token_seconds)
        found["prompt"].append(len(prompt_ids(engine.base.tokenizer, said)))
        found["reused"].append(answer.reused)
        found["answer"].append(answer.tokens)
        said.append({"role": "assistant", "content": answer.text})
    return found
