"""Votes -> the pairs of answers that an AI judge has not seen yet -> its votes; and how far it agrees with people."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import combinations
from typing import Any
from uuid import uuid4

from eval.agreement import unit_of
from eval.alpha import Alpha, Rating, alpha
from eval.ballot import Ballot, ballot_of
from eval.judge import Judge, JudgeError, Opinion
from eval.outcomes import wilson
from eval.variants import IDS, VARIANTS
from eval.vote import SCHEMA, Vote, is_evidence
from eval.votes import Votes

WORDING = 1
"""Which version of the judge's instructions."""


@dataclass(frozen=True)
class Pair:
    """Two answers to one question, out of a vote of a person."""

    vote: Vote
    names: tuple[str, str]
    comparison: str
    """The id of the judge's vote on it: the same pair and judge have the same one, so that nothing is judged twice."""


@dataclass
class Tally:
    """How far the judging is."""

    pairs: int
    done: int = 0
    judged: int = 0
    inconsistent: int = 0
    """Judged otherwise once the answers changed places, and so called a tie."""
    failed: int = 0
    """Not judged: no reply, or none that could be read. They are asked again in the next run."""
    reason: str = ""
    """Of the last failure."""


def open_pairs(votes: Sequence[Vote], rater: str, limit: int | None = None) -> list[Pair]:
    """Pairs of different answers that people voted on and the judge `rater` has not judged, the oldest first."""
    known = {vote.comparison for vote in votes if vote.rater == rater}
    found: dict[str, Pair] = {}
    for vote in votes:
        if vote.rater_kind != "person" or vote.mode == "parent":  # a judge is asked about the four variants
            continue
        for names in combinations([name for name in IDS if name in vote.order], 2):
            one, other = (vote.answers[name] for name in names)
            comparison = _comparison(rater, unit_of(ballot_of(vote)), names, vote)
            if one != other and comparison not in known:
                found.setdefault(comparison, Pair(vote, (names[0], names[1]), comparison))
    return list(found.values())[:limit]


def judge_pairs(judge: Judge, pairs: Sequence[Pair], log: Votes, at_once: int = 4) -> Iterator[Tally]:
    """Put every pair to the judge and each opinion into the log at once; yields after each. Closing it ends it."""
    tally = Tally(len(pairs))
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="judge")
    try:
        asked = {pool.submit(_ask, judge, pair): pair for pair in pairs}
        for done in as_completed(asked):
            tally.done += 1
            try:
                opinion = done.result()
            except JudgeError as error:
                tally.failed += 1
                tally.reason = str(error)
            else:
                log.append(_vote(judge, asked[done], opinion))
                tally.judged += 1
                tally.inconsistent += not opinion.consistent
            yield tally
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ask(judge: Judge, pair: Pair) -> Opinion:
    answers = (pair.vote.answers[pair.names[0]], pair.vote.answers[pair.names[1]])
    return judge.compare(pair.vote.question, answers, _documents(pair.vote))


def _documents(vote: Vote) -> str:
    """The grounded prompt of the vote, which holds the passages; nothing where no variant was given any."""
    grounded = [variant.id for variant in VARIANTS if variant.documents and variant.id in vote.prompts]
    return "\n".join(str(message["content"]) for message in vote.prompts[grounded[0]]) if grounded else ""


def _comparison(rater: str, unit: str, names: Sequence[str], vote: Vote) -> str:
    said = json.dumps([WORDING, rater, unit, list(names), [vote.answers[name] for name in names], vote.question])
    return f"judged-{hashlib.sha256(said.encode()).hexdigest()[:32]}"


def _vote(judge: Judge, pair: Pair, opinion: Opinion) -> Vote:
    def mine(table: Mapping[str, Any]) -> dict[str, Any]:
        return {name: table[name] for name in pair.names if name in table}

    vote = pair.vote
    asked = {"model": judge.settings.model, "wording": WORDING, "orders": [opinion.straight, opinion.swapped]}
    chosen = {"first": pair.names[0], "second": pair.names[1]}
    return replace(
        vote,
        comparison=pair.comparison,
        prompts=mine(vote.prompts),
        answers=mine(vote.answers),
        order=pair.names,
        choice=chosen.get(opinion.verdict, "tie"),
        ranking=(),
        acceptable=None,
        identical=(),
        rater=judge.settings.rater,
        rater_kind="judge",
        mode="pair",
        blind=True,
        judgements={},
        form="",
        prompt_id=vote.prompt_id if vote.campaign else vote.comparison,
        configuration={**vote.configuration, "judge": asked},
        tokens=mine(vote.tokens),
        first_token_seconds=mine(vote.first_token_seconds),
        seconds=mine(vote.seconds),
        dwell_seconds=None,
        id=uuid4().hex,
        schema=SCHEMA,
        time=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )


@dataclass(frozen=True)
class JudgeReport:
    """How far a judge says what people say of the same two answers."""

    rater: str
    votes: int
    ties: int
    shared: int
    """Pairs that both the judge and, by more voices than any other outcome, people decided."""
    value: float | None
    """Share of them with the same outcome. Its interval counts questions: the pairs of one are not independent."""
    low: float
    high: float
    alpha: Alpha
    """Judge against people; the interval resamples questions."""
    people: Alpha
    """People among themselves on pairs, above which no judge can be expected to come."""


def judge_reports(votes: Iterable[Ballot]) -> list[JudgeReport]:
    """One report for each judge that has voted, by name."""
    people: list[Rating] = []
    judges: dict[str, list[Rating]] = defaultdict(list)
    for vote in votes:
        kept = people if is_evidence(vote) else judges[vote.rater] if vote.rater_kind == "judge" else []
        kept += [(f"{_judged_unit(vote)}\n{pair}", vote.rater, value) for pair, value in pair_outcomes_of(vote)]
    majority = _majority(people)
    among = alpha(people, cluster=_question)
    return [_judge_report(rater, given, majority, among) for rater, given in sorted(judges.items())]


def _judge_report(rater: str, given: Sequence[Rating], majority: Mapping[str, str], among: Alpha) -> JudgeReport:
    both = [(unit, value, majority[unit]) for unit, _, value in given if unit in majority]
    same = sum(mine == theirs for _, mine, theirs in both)
    share = same / len(both) if both else None
    questions = len({_question(unit) for unit, _, _ in both})
    low, high = wilson(questions * (share or 0), questions, 0.95)
    ratings = [(unit, "judge", mine) for unit, mine, _ in both] + [(unit, "people", theirs) for unit, _, theirs in both]
    ties = sum(value == "tie" for _, _, value in given)
    return JudgeReport(rater, len(given), ties, len(both), share, low, high, alpha(ratings, cluster=_question), among)


def pair_outcomes_of(vote: Ballot) -> list[tuple[str, str]]:
    """Of each pair of variants that the vote decides, its name and the winner or `tie`. Pairs of one text are none."""
    places = {name: place for place, group in enumerate(vote.ranking) for name in group}
    if not places:
        if vote.choice in ("all_bad", "skip"):
            return []
        tied = vote.choice in ("tie", "all_good")
        group = next((group for group in vote.identical if vote.choice in group), (vote.choice,))
        best = vote.order if tied else group
        places = {name: 0 if name in best else 1 for name in vote.order}
    found = []
    for one, other in combinations([name for name in IDS if name in vote.order], 2):
        same_text = any(one in group and other in group for group in vote.identical)
        undecided = not vote.ranking and places[one] == places[other] == 1
        if not same_text and not undecided:
            winner = "tie" if places[one] == places[other] else one if places[one] < places[other] else other
            found.append((f"{one}/{other}", winner))
    return found


def _judged_unit(vote: Ballot) -> str:
    return vote.prompt_id if vote.rater_kind == "judge" and not vote.campaign else unit_of(vote)


def _question(unit: str) -> str:
    return unit.split("\n")[0]


def _majority(ratings: Iterable[Rating]) -> dict[str, str]:
    """The most frequent value of each unit where no other is as frequent."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for unit, _, value in ratings:
        counts[unit][value] += 1
    found = {}
    for unit, values in counts.items():
        first, *rest = values.most_common(2)
        if not rest or rest[0][1] < first[1]:
            found[unit] = first[0]
    return found
