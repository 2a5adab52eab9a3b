"""Votes -> how far raters agree, and which raters do not seem to read. Only what people said is looked at.

Raters agree on a unit, which is a prompt of a campaign with its stored answers; outside a campaign each set of answers
has one rater, and there is nothing to agree on.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from scipy.stats import binomtest

from eval.alpha import Alpha, Rating, alpha
from eval.ballot import Ballot
from eval.outcomes import wilson
from eval.variants import IDS
from eval.vote import is_evidence

SUSPICIOUS = 0.01
"""Chance, over all raters together, that one who reads is said not to."""
FEWEST = 10
"""Votes below which nothing is said of a rater."""
SKIMMING = 1000.0
"""Words a minute that nobody reads; 240 are usual (Brysbaert 2019, 190 studies)."""
LETTERS_A_WORD = 6.0
"""Of English text, the space included."""
SHUFFLES = 2000


@dataclass(frozen=True)
class Favourite:
    """The pane that a rater picks most. Panes are shuffled, so who reads picks each as often, whatever stands there."""

    pane: str
    picks: int
    votes: int
    """Picks of one pane, of so many panes."""
    panes: int
    p: float
    """Exact binomial, multiplied by the number of panes that could have been the favourite (Bonferroni)."""


@dataclass(frozen=True)
class Accord:
    """How often a rater says what others say of the same answers."""

    value: float
    low: float
    high: float
    units: int
    chance: float
    """What the same answers would give if they were handed out among the units at random."""
    p: float
    """Share of such shuffles that agree at least as well."""


@dataclass(frozen=True)
class RaterReport:
    """What can be said of one rater."""

    rater: str
    votes: int
    favourite: Favourite | None
    accord: Accord | None
    words_a_minute: float | None
    """Median over the votes: words of all answers shown, in the time from the question to the vote."""
    repeated: int
    """Units that were shown to this rater twice,"""
    repeated_alike: int
    """and of them those with the same choice both times."""
    remarks: tuple[str, ...] = ()
    """Why the votes may not be worth counting, in sentences; empty where nothing speaks against them."""


def unit_of(vote: Ballot) -> str:
    """What all raters of the same answers share; the prompt of a campaign, or else the comparison."""
    return f"{vote.campaign}/{vote.prompt_id}" if vote.campaign and vote.prompt_id else vote.comparison


def value_of(vote: Ballot) -> str:
    """The choice, where variants that gave the same text are one."""
    group = next((group for group in vote.identical if vote.choice in group), (vote.choice,))
    return min(group, key=lambda name: IDS.index(name) if name in IDS else len(IDS))


def agreements(votes: Iterable[Ballot]) -> dict[str, Alpha]:
    """Krippendorff's alpha of each judgement that was asked for: `best`, `acceptable`, and each scale of the form."""
    seen = [vote for vote in votes if is_evidence(vote) and vote.choice != "skip"]
    best = [(unit_of(vote), vote.rater, value_of(vote)) for vote in seen]
    accepted = [(unit_of(vote), vote.rater, vote.acceptable) for vote in seen if vote.acceptable is not None]
    scales: dict[str, list[Rating]] = defaultdict(list)
    for vote in seen:
        for variant, given in vote.judgements.items():
            for scale, points in given.scores.items():
                scales[scale].append((f"{unit_of(vote)}\n{variant}", vote.rater, points))
    found = {"best": alpha(best)} | ({"acceptable": alpha(accepted)} if accepted else {})
    for scale, ratings in sorted(scales.items()):
        found[scale] = alpha(ratings, "ordinal", cluster=lambda unit: unit.split("\n")[0])
    return found


def rater_reports(votes: Iterable[Ballot]) -> list[RaterReport]:
    """One report for each person, those with remarks first, then by number of votes."""
    seen = [vote for vote in votes if is_evidence(vote) and vote.choice != "skip"]
    by_rater: dict[str, list[Ballot]] = defaultdict(list)
    said: dict[str, dict[str, str]] = defaultdict(dict)
    for vote in seen:
        by_rater[vote.rater].append(vote)
        said[unit_of(vote)].setdefault(vote.rater, value_of(vote))
    accords = {rater: _accord(rater, said) for rater in by_rater}
    reports = [_report(rater, mine, accords) for rater, mine in by_rater.items()]
    return sorted(reports, key=lambda report: (not report.remarks, -report.votes, report.rater))


def _report(rater: str, mine: Sequence[Ballot], accords: Mapping[str, Accord | None]) -> RaterReport:
    favourite, accord = _favourite(mine), accords[rater]
    speeds = [speed for vote in mine if (speed := _words_a_minute(vote)) is not None]
    speed = median(speeds) if speeds else None
    twice = defaultdict(list)
    for vote in mine:
        twice[unit_of(vote)].append(value_of(vote))
    repeated = [values for values in twice.values() if len(values) > 1]
    alike = sum(values[0] == values[1] for values in repeated)
    remarks = []
    if len(mine) >= FEWEST:
        if favourite and favourite.p * len(accords) < SUSPICIOUS:
            remarks.append(f"picks {favourite.pane} in {favourite.picks} of {favourite.votes}: probably not reading")
        if accord and _stands_apart(accord, [other for name, other in accords.items() if name != rater]):
            remarks.append(
                f"agrees with others in {accord.value:.0%} of {accord.units}, where clicking at random would agree in"
                f" {accord.chance:.0%}: perhaps not reading"
            )
        if speed and speed > SKIMMING:
            remarks.append(f"votes as if reading {speed:.0f} words a minute: too fast to have read the answers")
    return RaterReport(rater, len(mine), favourite, accord, speed, len(repeated), alike, tuple(remarks))


def _stands_apart(accord: Accord, others: Sequence[Accord | None]) -> bool:
    """No better than chance, though the other raters are: where all disagree the answers are to blame."""
    typical = [other.value for other in others if other and other.p < SUSPICIOUS]
    return bool(accord.units >= 2 * FEWEST and accord.p > 0.05 and typical and accord.high < median(typical))


def _favourite(votes: Sequence[Ballot]) -> Favourite | None:
    picks: dict[int, list[int]] = defaultdict(list)
    for vote in votes:
        if vote.choice in vote.order and not any(vote.choice in group for group in vote.identical):
            picks[len(vote.order)].append(vote.order.index(vote.choice))
    found = []
    for panes, places in picks.items():
        place, count = Counter(places).most_common(1)[0]
        p = binomtest(count, len(places), 1 / panes, alternative="greater").pvalue
        pane = ("the left pane", "the right pane")[place] if panes == 2 else f"pane {'ABCD'[place]}"
        found.append(Favourite(pane, count, len(places), panes, min(1.0, panes * float(p))))
    return min(found, key=lambda favourite: favourite.p, default=None)


def _accord(rater: str, said: dict[str, dict[str, str]]) -> Accord | None:
    shared = [unit for unit in said.values() if rater in unit and len(unit) > 1]
    if not shared:
        return None
    values = sorted({value for unit in shared for value in unit.values()})
    others = np.zeros((len(shared), len(values)))
    for number, unit in enumerate(shared):
        for name, value in unit.items():
            others[number, values.index(value)] += (name != rater) / (len(unit) - 1)
    mine = np.array([values.index(unit[rater]) for unit in shared])
    rows = np.arange(len(shared))
    agreed = float(others[rows, mine].mean())
    random = np.random.default_rng(0)
    shuffled = np.array([others[rows, random.permutation(mine)].mean() for _ in range(SHUFFLES)])
    low, high = wilson(agreed * len(shared), len(shared), 0.95)
    p = (1 + int((shuffled >= agreed - 1e-12).sum())) / (1 + SHUFFLES)
    return Accord(agreed, low, high, len(shared), float(shuffled.mean()), p)


def _words_a_minute(vote: Ballot) -> float | None:
    if not vote.dwell_seconds or not vote.style:
        return None
    written = 0.0 if vote.campaign else max(vote.seconds.values(), default=0.0)  # one reads along while they grow
    words = sum(style.characters for style in vote.style.values()) / LETTERS_A_WORD
    return 60 * words / (vote.dwell_seconds + written)
