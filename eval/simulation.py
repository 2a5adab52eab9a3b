"""Votes made up from a known truth, to see whether the intervals hold what they promise.

Every prompt and every rater has a taste of its own, normal around the truth; raters pick the best of four, or tie, as
the model says. The truth of strengths over all prompts and raters is what the same fit makes of very many votes, each
on a prompt of its own by a rater of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations

import numpy as np

from eval.choice_model import fit, lay_out, subsets
from eval.choices import Booleans, Choices, Floats, Integers
from eval.factorial import EFFECTS
from eval.ranking import Contrast, Effect, differences
from eval.variants import IDS

MANY = 150_000
"""Votes that stand for all."""


@dataclass(frozen=True)
class World:
    """How votes come about."""

    strengths: tuple[float, ...] = (-0.6, -0.2, 0.3, 0.5)
    """Log strengths of the four variants on an average prompt for an average rater."""
    prompts_differ: float = 0.8
    """Standard deviation of what a prompt adds to each variant, in nats."""
    raters_differ: float = 0.0
    """Of what a rater adds."""
    votes_a_prompt: int = 2
    raters: int = 1
    mode: str = "best"
    """`best`: a pick of four or a tie. `pair`: of two drawn at random. `ranking`: of all four with ties."""
    ties: float = -0.5
    """Log odds of a tie against a win among equals."""

    def votes(self, number: int, random: np.random.Generator, alone: bool = False) -> Choices:
        """So many votes; `alone`: none shares a prompt or a rater with another."""
        prompts = number if alone else max(1, -(-number // self.votes_a_prompt))
        raters = number if alone and self.raters_differ else self.raters
        prompt, rater = (random.permutation(np.arange(number) % count) for count in (prompts, raters))
        worth = np.array(self.strengths)
        worth = worth + self.prompts_differ * random.standard_normal((prompts, 4))[prompt]
        worth = worth + self.raters_differ * random.standard_normal((raters, 4))[rater]
        order = random.permuted(np.tile(np.arange(4), (number, 1)), axis=1)
        worth = np.take_along_axis(worth, order, axis=1)
        if self.mode == "pair":
            order[:, 2:] = -1
        items, chosen, vote = self._cast(order, worth, random)
        return Choices(
            names=IDS,
            items=items,
            chosen=chosen,
            ranked=np.full(len(vote), self.mode == "ranking"),
            weight=np.ones(len(vote)),
            vote=vote,
            clusters=(("question", prompt[vote]), ("rater", rater[vote])),
        )

    def _cast(self, order: Integers, worth: Floats, random: np.random.Generator) -> tuple[Integers, Booleans, Integers]:
        """Items, chosen and vote of each choice, in the order of the votes."""
        vote, offered = np.arange(len(order)), order >= 0
        made: list[tuple[Integers, Booleans, Integers]] = []
        while len(vote):
            best = self._best(worth[vote], offered, random)
            made.append((np.where(offered, order[vote], -1), best, vote))
            offered = offered & ~best
            more = (offered.sum(axis=1) > 1) & (self.mode == "ranking")
            vote, offered = vote[more], offered[more]
        items, chosen, votes = (np.concatenate(parts) for parts in zip(*made, strict=True))
        in_turn = np.argsort(votes, kind="stable")
        return items[in_turn], chosen[in_turn], votes[in_turn]

    def _best(self, worth: Floats, offered: Booleans, random: np.random.Generator) -> Booleans:
        """(n, 4) Which of those offered are called best: the set with the highest worth and chance (Gumbel's)."""
        sets = subsets(4)
        size = sets.sum(axis=1)
        whole = size == offered.sum(axis=1)[:, None]
        allowed = ~(sets & ~offered[:, None, :]).any(axis=2) & ((size == 1) | whole | (self.mode == "ranking"))
        utility = worth @ (sets / size[:, None]).T + np.where(size > 1, self.ties, 0.0)
        drawn = np.where(allowed, utility + random.gumbel(size=utility.shape), -np.inf)
        return np.asarray(sets[drawn.argmax(axis=1)])


@lru_cache(maxsize=32)
def truth(world: World) -> dict[str, float]:
    """Every contrast and effect over all prompts and raters."""
    if len(set(world.strengths)) == 1:
        return dict.fromkeys(values_of(np.zeros(4)), 0.0)  # by symmetry, exactly
    choices, _ = world.votes(MANY, np.random.default_rng(0), alone=True).distinct()
    theta = fit(lay_out(choices, "davidson"), prior=0.0)[:4]
    return values_of(theta)


def values_of(theta: Floats) -> dict[str, float]:
    """Every contrast, both ways round, and every effect of the strengths (4,)."""
    pairs = permutations(range(4), 2)
    values = {f"{IDS[one]} - {IDS[other]}": float(theta[one] - theta[other]) for one, other in pairs}
    return values | {name: float(np.array(weights) @ theta) for name, weights in EFFECTS.items()}


def named(choices: Choices) -> list[tuple[str, str, Contrast | Effect]]:
    """Of each contrast and effect: the name that `truth` uses, one that is the same both ways round, and the figure."""
    contrasts, effects = differences(choices)
    rows: list[tuple[str, str, Contrast | Effect]] = [(row.name, row.name, row) for row in effects]
    for row in contrasts:
        rows.append((f"{row.left} - {row.right}", " and ".join(sorted((row.left, row.right))), row))
    return rows


@dataclass(frozen=True)
class Coverage:
    """How often intervals held the truth."""

    votes: int
    runs: int
    contrasts: float
    """Share of all contrasts in all runs."""
    effects: float
    lowest: float
    """Of the contrast or effect that was held least often."""
    highest: float
    width: float
    """Of a contrast's interval, the mean."""

    def __str__(self) -> str:
        return (
            f"{self.votes} votes: contrasts {self.contrasts:.1%}, effects {self.effects:.1%}"
            f" (each one {self.lowest:.1%} to {self.highest:.1%}), mean width {self.width:.2f}"
        )


def coverage(
    world: World, votes: int, runs: int, seed: int = 0, told: Callable[[int], None] = lambda run: None
) -> Coverage:
    """Let `runs` times so many votes be cast and look once at the intervals. `told` hears of each run."""
    expected, width = truth(world), []
    held: dict[str, list[bool]] = {}
    for run in range(runs):
        for name, key, row in named(world.votes(votes, np.random.default_rng([seed, votes, run]))):
            held.setdefault(key, []).append(row.low <= expected[name] <= row.high)
            width += [row.high - row.low] if isinstance(row, Contrast) else []
        told(run + 1)
    shares = {name: float(np.mean(hits)) for name, hits in held.items()}
    effects = [shares[name] for name in EFFECTS]
    contrasts = [share for name, share in shares.items() if name not in EFFECTS]
    return Coverage(
        votes, runs, float(np.mean(contrasts)), float(np.mean(effects)), min(shares.values()), max(shares.values()),
        float(np.mean(width)),
    )  # fmt: skip


@dataclass(frozen=True)
class Peeking:
    """What came of looking after every vote."""

    votes: int
    """The last look."""
    runs: int
    anytime: float
    """Share of runs in which the interval for every look excluded the truth at some look; of the worst difference."""
    any_settled: float
    """Share of runs in which any difference was called settled although it is zero; none where none is."""
    fixed: float
    """The same as `anytime`, of the intervals that are meant for one look."""

    def __str__(self) -> str:
        return (
            f"a look after each of {self.votes} votes, {self.runs} runs: intervals for every look wrong at some time in"
            f" {self.anytime:.1%} (those for one look: {self.fixed:.1%}), settled falsely in {self.any_settled:.1%}"
        )


def peeking(
    world: World, votes: int, runs: int, seed: int = 0, told: Callable[[int], None] = lambda run: None
) -> Peeking:
    """Let `runs` times votes be cast, and look at the intervals after each, from the first to the last."""
    expected = truth(world)
    wrong: dict[str, list[tuple[bool, bool]]] = {}
    false = []
    for run in range(runs):
        cast = world.votes(votes, np.random.default_rng([seed, votes, run]))
        seen: dict[str, tuple[bool, bool]] = {}
        settled = False
        for count in range(1, votes + 1):
            for name, key, row in named(cast.where(cast.vote < count)):
                value = expected[name]
                anytime, fixed = seen.get(key, (False, False))
                anytime |= not row.anytime_low <= value <= row.anytime_high
                seen[key] = anytime, fixed | (not row.low <= value <= row.high)
                settled |= row.settled and value == 0
        for key, found in seen.items():
            wrong.setdefault(key, []).append(found)
        false.append(settled)
        told(run + 1)
    rates = np.array([np.mean(rows, axis=0) for rows in wrong.values()])
    return Peeking(votes, runs, float(rates[:, 0].max()), float(np.mean(false)), float(rates[:, 1].max()))
