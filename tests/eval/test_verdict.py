"""The rule, case by case; that it seldom settles wrongly; and that votes and benchmarks are read alike."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from eval.advice import Question, advise
from eval.benchmark import plain
from eval.cells import cells
from eval.costs import examples_voted
from eval.errors import InputError
from eval.evidence import Evidence, by_cost, default_metric, of_benchmark, of_votes
from eval.metrics import METRICS
from eval.scoreboard import Figures, summary
from eval.simultaneous import Gap, gaps
from eval.variants import IDS
from eval.verdict import OPEN, check_margin, decide, judge, name_of
from tests.eval.making import make_vote

ORDER = ["base", "rag", "tuned", "combined"]


def evidence(values: dict[str, float], half: float, **changes: Any) -> Evidence:
    """Gaps of these values, each plus or minus `half`."""
    ids = [id for id in ORDER if id in values]
    found = {
        (one, other): Gap(values[one] - values[other], half / 2.6, values[one] - values[other] - half,
                          values[one] - values[other] + half)
        for one in ids for other in ids if one != other
    }  # fmt: skip
    shown = {id: {"value": values[id], "low": None, "high": None} for id in ids}
    told: dict[str, Any] = {
        "kind": "benchmark", "words": "100 rows", "measure": "token F1", "count": 100, "level": 0.95, "margin": 0.05,
        "values": shown, "gaps": found,
    }  # fmt: skip
    return Evidence(**(told | changes))


@pytest.mark.parametrize(
    ("values", "recommendation"),
    [
        ({"base": 0.5, "rag": 0.5, "tuned": 0.5, "combined": 0.5}, "base"),
        ({"base": 0.2, "rag": 0.6, "tuned": 0.3, "combined": 0.6}, "retrieve"),
        ({"base": 0.2, "rag": 0.3, "tuned": 0.6, "combined": 0.62}, "tune"),
        ({"base": 0.2, "rag": 0.4, "tuned": 0.4, "combined": 0.8}, "both"),
    ],
)
def test_the_cheapest_that_is_good_enough_is_recommended(values: dict[str, float], recommendation: str) -> None:
    verdict = decide([evidence(values, 0.01)], 0.05)
    assert (verdict.recommendation, verdict.settled, verdict.votes_needed) == (recommendation, True, 0)
    assert verdict.candidate is not None
    assert verdict.candidate in verdict.reason


def test_wide_intervals_settle_nothing_and_say_how_much_is_missing() -> None:
    """rag leads base by 0.4 and equals combined: to be sure, 0.2 must shrink to 0.05, some sixteen times the rows."""
    verdict = decide([evidence({"base": 0.2, "rag": 0.6, "tuned": 0.3, "combined": 0.6}, 0.2)], 0.05)
    assert (verdict.recommendation, verdict.settled, verdict.candidate) == (OPEN, False, "rag")
    assert verdict.rows_needed is not None
    assert 1500 <= verdict.rows_needed <= 3500
    assert "not settled" in verdict.reason


def test_whether_examples_help_may_stay_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """145 rows told surely that nothing but the two together would do, and the page said "not settled yet"."""
    monkeypatch.setattr(f"{__name__}.ORDER", ["base", "base+3", "rag", "rag+3", "combined", "combined+3"])
    values = {"base": 0.1, "base+3": 0.2, "rag": 0.4, "rag+3": 0.4, "combined": 0.63, "combined+3": 0.6}
    verdict = decide([evidence(values, 0.1)], 0.05)
    assert (verdict.recommendation, verdict.settled, verdict.candidate) == ("both", True, "combined")
    assert "all but combined and combined+3 are worse" in verdict.reason
    assert decide([evidence(values, 0.2)], 0.05).recommendation == OPEN, "rag could be within the margin of the best"
    few = {"base": 0.6, "base+3": 0.63, "rag": 0.2, "rag+3": 0.2, "combined": 0.2, "combined+3": 0.2}
    assert decide([evidence(few, 0.1)], 0.05).recommendation == OPEN, "base or few-shot is a question of its own"


def test_a_cheaper_one_that_could_be_good_enough_keeps_it_open() -> None:
    """base is behind by 0.08 ± 0.04: rag is surely good enough, but so may be base."""
    values = {"base": 0.52, "rag": 0.6, "tuned": 0.58, "combined": 0.6}
    assert not judge(evidence(values, 0.04)).settled
    assert judge(evidence(values, 0.02)).settled


def test_a_gap_as_wide_as_the_margin_is_never_settled_and_no_number_is_made_up() -> None:
    opinion = judge(evidence({"base": 0.5, "rag": 0.55, "tuned": 0.3, "combined": 0.3}, 0.01))
    assert (opinion.settled, opinion.needed) == (False, None)
    assert "choose another margin" in opinion.reason


def test_evidence_that_disagrees_settles_nothing() -> None:
    one = evidence({"base": 0.2, "rag": 0.6, "tuned": 0.3, "combined": 0.6}, 0.01)
    other = replace(evidence({"base": 0.2, "rag": 0.2, "tuned": 0.6, "combined": 0.6}, 0.01), kind="votes")
    verdict = decide([one, other], 0.05)
    assert (verdict.recommendation, verdict.settled) == (OPEN, False)
    assert verdict.reason.startswith("The evidence disagrees.")
    wide = replace(evidence({"base": 0.2, "rag": 0.6, "tuned": 0.3, "combined": 0.6}, 0.5), kind="votes")
    assert decide([one, wide], 0.05).recommendation == "retrieve"


def test_no_votes_are_no_verdict() -> None:
    verdict = decide([of_votes([], 0.05, 0.95)], 0.05)
    assert (verdict.recommendation, verdict.candidate, verdict.votes_needed) == (OPEN, None, None)
    assert "no votes" in verdict.reason


def test_it_seldom_settles_on_what_the_rule_would_not_recommend() -> None:
    """Simulated benchmarks of 60 rows in which base is behind by just more than the margin: to settle on base is
    wrong, and so is anything but rag."""
    generator, wrong, settled = np.random.default_rng(7), 0, 0
    means = {"base": 0.50, "rag": 0.56, "tuned": 0.5, "combined": 0.56}
    for _ in range(150):
        values = {id: mean + generator.normal(scale=0.08, size=60) for id, mean in means.items()}
        opinion = judge(replace(evidence(means, 1), gaps=gaps(values, range(60), 0.95)))
        settled += opinion.settled
        wrong += opinion.settled and opinion.leaning != "rag"
    assert wrong <= 0.05 * 150
    assert settled < 150


def votes(winners: dict[str, int]) -> list[Any]:
    return [
        make_vote(f"{winner}{number}", choice=winner, rater=f"rater-{number % 7}")
        for winner, count in winners.items()
        for number in range(count)
    ]


def test_many_clear_votes_settle_it() -> None:
    verdict = decide([of_votes(votes({"rag": 400, "base": 4, "tuned": 4, "combined": 4}), 0.05, 0.95)], 0.05)
    assert (verdict.recommendation, verdict.settled) == ("retrieve", True)
    few = decide([of_votes(votes({"rag": 9, "base": 2, "tuned": 2, "combined": 3}), 0.05, 0.95)], 0.05)
    assert few.recommendation == OPEN
    assert few.votes_needed
    assert few.votes_needed > 10


def test_only_blind_votes_of_people_count() -> None:
    cast = votes({"rag": 40})
    judged = [replace(vote, rater_kind="judge") for vote in cast]
    assert of_votes(judged, 0.05, 0.95).count == 0


def test_candidates_come_in_the_order_of_their_cost() -> None:
    ids = [cell.id for cell in cells([0, 3])]
    assert by_cost(ids)[:4] == ["base", "base+3", "rag", "rag+3"]
    assert by_cost(IDS, ["tuned"]) == ["tuned", "base", "rag", "combined"]
    with pytest.raises(InputError, match="names lora"):
        by_cost(IDS, ["lora"])
    assert [name_of(id) for id in ("base+3", "tuned", "rag+1")] == ["few-shot", "tune", "retrieve, with examples"]


@pytest.mark.parametrize("margin", [0, -1, 0.5, math.nan])
def test_a_margin_without_meaning_is_refused(margin: float) -> None:
    with pytest.raises(InputError, match="margin"):
        check_margin(margin)


def result(means: dict[str, float], rows: int = 60, metric: str = "f1", hostile: str = "") -> dict[str, Any]:
    """A benchmark's result with those means."""
    generator = np.random.default_rng(9)
    compared = cells(sorted({int(id.partition("+")[2] or 0) for id in means}))
    figures = []
    for number in range(rows):
        mine = {
            id: {**dict.fromkeys(METRICS, math.nan), metric: means[id] + generator.normal(scale=0.02)} for id in means
        }
        texts = {id: f"{id} says {number} {hostile}" for id in means}
        figures.append(Figures(f"d{number}", f"s{number}", "", f"q{number} {hostile}", "right", (), (), 3, texts, mine))
    made: dict[str, Any] = plain({
        "name": "b", "base": {"name": "tiny"}, "adapter": {"name": "mine", "digest": "x"}, "index": None,
        **summary(figures, compared), "figures": [vars(one) for one in figures],
    })  # fmt: skip
    return made


def test_examples_in_the_prompt_may_be_all_that_is_needed() -> None:
    """Three examples bring base to where tuning is: few-shot costs less."""
    means = {"base": 0.2, "rag": 0.2, "tuned": 0.7, "combined": 0.7}
    shots = {f"{id}+3": 0.7 for id in IDS}
    advice = advise([], result(means | shots), [], Question())
    assert advice.verdict.recommendation == "few-shot"
    assert advise([], result(means), [], Question()).verdict.recommendation == "tune"


def test_a_metric_that_is_better_where_lower_is_turned_round() -> None:
    made = result({"base": 2.0, "rag": 3.0, "tuned": 1.0, "combined": 3.0}, metric="seconds")
    assert judge(of_benchmark(made, 0.05, 0.95, "seconds")).leaning == "tuned"
    with pytest.raises(InputError, match="No row of b has exact match"):
        of_benchmark(made, 0.05, 0.95, "exact")
    with pytest.raises(InputError, match="--metric one of"):
        of_benchmark(made, 0.05, 0.95, "tokens")


def test_the_metric_suits_the_rows() -> None:
    """Of a sentence around a right answer F1 punished every word of the sentence, so that bare wrong ones won."""
    values = {**dict.fromkeys(METRICS, math.nan), "f1": 0.5}
    row = Figures("d", "s", "", "q", "Nine.", ("nine",), (), 3, {"base": ""}, {"base": values})
    assert default_metric([row], "base") == "f1"
    assert default_metric([replace(row, response="Ollerquist here: it is nine. Grow well!")], "base") == "holds"
    unscored = replace(row, answers=(), cells={"base": dict.fromkeys(METRICS, math.nan)})
    assert default_metric([unscored, unscored, row], "base") == "rouge_l"


def test_too_few_rows_are_called_that() -> None:
    made = result({"base": 0.2, "rag": 0.7, "tuned": 0.3, "combined": 0.7}, rows=5)
    opinion = judge(of_benchmark(made, 0.05, 0.95))
    assert not opinion.settled
    assert "it takes at least 8" in opinion.reason


def test_raters_of_the_same_answers_are_one_example() -> None:
    votes = [make_vote(f"c{n}", choice="rag", question="Who?", rater=f"r{n}") for n in range(4)]
    (example,) = examples_voted([*votes, make_vote("tie", choice="tie")], "rag")
    assert (example.question, example.rival, example.favours) == ("Who?", "combined", True)


def test_ten_telling_examples() -> None:
    made = result({"base": 0.5, "rag": 0.5, "tuned": 0.5, "combined": 0.5})
    examples = advise([], made, [], Question()).examples
    assert [example.favours for example in examples] == [True] * 5 + [False] * 5
    assert len({example.question for example in examples[:5]}) == 5
    cast = votes({"rag": 8, "base": 8})
    told = advise(cast, None, [], Question()).examples
    assert {example.favours for example in told} == {True, False}
