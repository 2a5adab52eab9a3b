"""Who rates which prompt next. Knows only numbers: of each prompt how many ratings it needs, and who has had it.

Prompts with the fewest ratings come first, and of equals one at random, differently for each rater and the same after
a restart. A prompt that all raters share goes to each of them; the others are dealt out in equal parts, one rater each.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True)
class Turn:
    """A prompt in a rater's hands, or rated."""

    number: int
    """Of the prompt."""
    rater: str
    done: bool
    live: bool
    """Not rated, and not yet taken back from a rater who is away."""
    retest: bool = False
    """Shown to the same rater again, to see whether the answer is the same; counts for nothing else."""

    @property
    def holds(self) -> bool:
        """Whether nobody else may have its place."""
        return not self.retest and (self.done or self.live)


@dataclass(frozen=True)
class Plan:
    """What a campaign asks for."""

    quotas: Sequence[int]
    """By prompt, how many raters it needs."""
    raters: int
    retest: int
    """Prompts that each rater sees again at the end."""
    seed: int

    @property
    def part(self) -> int:
        """How many of the prompts that one rater each suffices for are one rater's."""
        return ceil(self.quotas.count(1) / self.raters) if self.raters > 1 else len(self.quotas)


@dataclass(frozen=True)
class Next:
    """What to show a rater."""

    number: int | None
    """The prompt; None where there is nothing to show now."""
    retest: bool = False
    done: int = 0
    total: int = 0
    """Of this rater, as far as can be told now: others may take what is left."""
    beyond: int = 0
    """Prompts past this rater's part that still need somebody."""
    held: int = 0
    """Of those that the campaign still needs, those in others' hands."""


def choose(plan: Plan, turns: Sequence[Turn], rater: str, beyond: bool = False) -> Next:
    """The next prompt of `rater`; with `beyond` also one past the part that is theirs."""
    mine = [turn for turn in turns if turn.rater == rater]
    taken = Counter(turn.number for turn in turns if turn.holds)
    seen = {turn.number for turn in mine if turn.holds}
    done = sum(turn.done for turn in mine)
    open_to_me = [n for n, quota in enumerate(plan.quotas) if taken[n] < quota and n not in seen]
    had = sum(plan.quotas[number] == 1 for number in seen)
    room = max(0, plan.part - had)
    shared = [n for n in open_to_me if plan.quotas[n] > 1 or plan.raters == 1]
    single = [n for n in open_to_me if n not in set(shared)]
    candidates = shared + (single if room or beyond else [])
    again = _again(plan, mine)
    first = len(seen) + len(shared) + min(room, len(single))
    total = first + min(plan.retest, first)
    held = sum(turn.live and turn.rater != rater for turn in turns)
    past = len(single) - min(room, len(single))
    if candidates:
        number = min(candidates, key=lambda n: (taken[n], random.Random(f"{plan.seed} {rater} {n}").random()))
        return Next(number, False, done, max(total, done + 1), past, held)
    if again:
        return Next(again[0], True, done, total, past, held)
    return Next(None, False, done, total, past, held)


def _again(plan: Plan, mine: Sequence[Turn]) -> list[int]:
    """Prompts to be shown again, the earliest rated first."""
    repeated = {turn.number for turn in mine if turn.retest}
    first = [turn.number for turn in mine if turn.done and not turn.retest and turn.number not in repeated]
    due = min(plan.retest, len({turn.number for turn in mine if not turn.retest})) - len(repeated)
    return first[: max(0, due)]
