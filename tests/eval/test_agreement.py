"""Who agrees with whom, and who clicks without reading."""

import random

import pytest

from eval.agreement import agreements, rater_reports, unit_of, value_of
from eval.ballot import Ballot, ballot_of
from eval.judgement import Judgement
from eval.variants import IDS
from tests.eval.making import make_vote


def ballot(prompt: int, rater: str, choice: str, order: tuple[str, ...] = IDS, **changes: object) -> Ballot:
    return ballot_of(
        make_vote(
            f"{prompt} {rater} {changes.get('time', '')}", order, choice=choice, rater=rater, campaign="k",
            prompt_id=f"p{prompt}", dwell_seconds=20.0, **changes,
        )
    )  # fmt: skip


def readers(prompts: int, seed: int = 1, raters: str = "abc") -> list[Ballot]:
    """Raters who find the best answer, the same for all, in four of five prompts."""
    draw = random.Random(seed)
    votes = []
    for prompt in range(prompts):
        best = draw.choice(IDS)
        for rater in raters:
            order = tuple(draw.sample(IDS, 4))
            votes.append(ballot(prompt, rater, best if draw.random() < 0.8 else draw.choice(IDS), order))
    return votes


def test_raters_who_read_agree_and_nothing_is_said_against_them() -> None:
    votes = readers(40)
    found = agreements(votes)["best"]
    assert found.value is not None
    assert 0.5 < found.low < found.value < found.high < 1
    assert found.units == 40
    for report in rater_reports(votes):
        assert report.remarks == ()
        assert report.accord is not None
        assert report.accord.p < 0.01
        assert report.accord.chance == pytest.approx(0.25, abs=0.08)


def test_who_always_picks_the_same_pane_is_named() -> None:
    draw = random.Random(2)
    votes = readers(20)
    for prompt in range(20):
        order = tuple(draw.sample(IDS, 4))
        votes.append(ballot(prompt, "x", order[0 if prompt else 2], order))
    first, *others = rater_reports(votes)
    assert first.rater == "x"
    assert first.remarks[0] == "picks pane A in 19 of 20: probably not reading"
    assert first.favourite is not None
    assert first.favourite.p < 1e-9
    assert all(report.remarks == () for report in others)


def test_of_two_panes_left_and_right_are_named() -> None:
    draw = random.Random(3)
    orders = [tuple(draw.sample(("base", "rag"), 2)) for _ in range(20)]
    votes = [ballot(number, "x", order[0], order) for number, order in enumerate(orders)]
    assert rater_reports(votes)[0].remarks[0].startswith("picks the left pane in 20 of 20")


def test_who_clicks_at_random_is_named_where_others_agree() -> None:
    draw = random.Random(5)
    votes = readers(60)
    votes += [ballot(prompt, "x", draw.choice(IDS), tuple(draw.sample(IDS, 4))) for prompt in range(60)]
    first, *others = rater_reports(votes)
    assert first.rater == "x"
    assert "where clicking at random would agree in" in first.remarks[0]
    assert all(report.remarks == () for report in others)


def test_who_reads_is_seldom_accused() -> None:
    """All accusations at once err in about one campaign of a hundred; these are twelve with three readers each."""
    accused = [report for seed in range(12) for report in rater_reports(readers(25, seed)) if report.remarks]
    assert len(accused) <= 1


def test_who_votes_faster_than_anybody_reads_is_named() -> None:
    long = {name: f"{name} " + "word " * 100 for name in IDS}
    votes = [
        ballot_of(
            make_vote(
                f"c{n}", answers=long, choice=IDS[n % 4], rater="x", campaign="k", prompt_id=str(n), dwell_seconds=2.0
            )
        )
        for n in range(12)
    ]
    (report,) = rater_reports(votes)
    assert report.words_a_minute == pytest.approx(60 * (2000 + 4 + sum(map(len, IDS))) / 6 / 2)
    assert "too fast to have read the answers" in report.remarks[0]


def test_few_votes_say_nothing_of_a_rater() -> None:
    (report,) = rater_reports([ballot(number, "x", IDS[0]) for number in range(5)])
    assert report.remarks == ()
    assert report.accord is None


def test_judges_open_votes_and_skips_are_no_evidence() -> None:
    votes = readers(20)
    more = [ballot(n, "llm", IDS[0], rater_kind="judge") for n in range(20)]
    more += [ballot(n, "o", IDS[0], blind=False) for n in range(20)]
    more += [ballot(n, "s", "skip") for n in range(20)]
    assert agreements(votes + more) == agreements(votes)
    assert {report.rater for report in rater_reports(votes + more)} == set("abc")


def test_variants_with_the_same_text_are_one_choice() -> None:
    same = {"base": "x", "tuned": "x", "rag": "y", "combined": "z"}
    vote = ballot_of(make_vote(answers=same, identical=(("base", "tuned"),), choice="tuned"))
    assert value_of(vote) == "base"
    assert unit_of(vote) == vote.comparison


def test_every_judgement_that_was_asked_for_has_its_agreement() -> None:
    form = "f" * 64
    votes = []
    for prompt in range(12):
        for rater in "ab":
            points = 1 + (prompt + (rater == "b" and prompt % 4 == 0)) % 5
            given = {"base": Judgement(scores={"helpful": points})}
            votes.append(ballot(prompt, rater, IDS[0], judgements=given, form=form, acceptable=prompt % 2 == 0))
    found = agreements(votes)
    assert list(found) == ["best", "acceptable", "helpful"]
    assert found["best"].value is None
    assert found["acceptable"].value == 1
    assert found["helpful"].metric == "ordinal"
    assert 0 < found["helpful"].value < 1  # type: ignore[operator]


def test_who_sees_a_prompt_twice_is_compared_with_themselves() -> None:
    votes = [ballot(n, "a", IDS[0]) for n in range(4)]
    votes += [ballot(n, "a", IDS[0] if n else IDS[1], time=f"2026-01-0{n + 1}T00:00:00+00:00") for n in range(3)]
    (report,) = rater_reports(votes)
    assert (report.repeated, report.repeated_alike) == (3, 2)
