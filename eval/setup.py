"""What answers are made with and how they are voted on, as a user sets it; and which of them are shown where."""

import secrets
from dataclasses import dataclass

from eval.errors import InputError
from eval.variants import IDS
from eval.vote import MODES, PARENT_PAIRS


@dataclass(frozen=True)
class Setup:
    """What the four answers are made with."""

    adapter: str
    index: str
    passages: int = 3
    temperature: float = 0.0
    top_p: float = 0.95
    max_tokens: int = 160
    seed: int = 0
    mode: str = "best"
    """One of `MODES`: what is asked of the rater."""
    pair: tuple[str, ...] = ()
    """In the mode `pair`, the two variants, in the mode `parent` one of `PARENT_PAIRS`; drawn where none are named."""
    floor: bool = True
    """Let the variants with documents say so where nothing found comes near, if the index has a floor."""
    rewrite: bool = False
    """Have the base model word a follow-up anew for the search; else the earlier question is put in front of it."""


def shown(setup: Setup) -> tuple[str, ...]:
    """The variants from left to right, in an order drawn anew where the comparison is blind."""
    if setup.mode not in MODES:
        raise InputError(f"{setup.mode!r} is no way to vote; choose one of {', '.join(MODES)}.")
    if setup.mode == "open":
        return IDS
    chance = secrets.SystemRandom()
    if setup.mode == "parent":
        return tuple(chance.sample(_with_or_without(setup.pair) or chance.choice(PARENT_PAIRS), 2))
    if setup.mode != "pair":
        return tuple(chance.sample(IDS, len(IDS)))
    if setup.pair and (len(set(setup.pair)) != 2 or not set(setup.pair) <= set(IDS)):
        raise InputError(f"{' and '.join(setup.pair)} are no pair; choose two of {', '.join(IDS)}.")
    return tuple(chance.sample(setup.pair or IDS, 2))


def _with_or_without(pair: tuple[str, ...]) -> tuple[str, ...]:
    """The pair of an adapter and its parent, both with the documents or both without."""
    if pair and pair not in PARENT_PAIRS:
        raise InputError(f"{' and '.join(pair)} are no adapter and its parent; choose with or without the documents.")
    return pair
