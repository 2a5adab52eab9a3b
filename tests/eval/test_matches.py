"""An adapter against its parent: a table of its own, and not a word of it in the results of the four variants."""

import json
from pathlib import Path

import pytest

from eval.__main__ import main
from eval.advice import Question, advise
from eval.ballot import ballot_of, decode, encode
from eval.figures import as_csv
from eval.findings import find
from eval.judging import open_pairs
from eval.lessons import preferences
from eval.matches import matches, sentence
from eval.ranking import rank_votes
from eval.references import votes_with
from eval.results import report
from eval.vote import from_text, to_text
from eval.vote_rules import check
from eval.votes import Votes, database_url
from tests.eval.making import make_vote, parent_vote


def cast(won: int, lost: int, tied: int = 0, **changes: object) -> list:
    choices = ["adapter"] * won + ["parent"] * lost + ["tie"] * tied
    return [parent_vote(n, choice, documents=n % 3 == 0, **changes) for n, choice in enumerate(choices)]


def test_the_vote_says_who_was_compared() -> None:
    vote = parent_vote(1)
    check(vote)
    assert from_text(to_text(vote)) == vote
    ballot = ballot_of(vote)
    assert ballot.adapter == "c" * 64
    assert ballot.match == ("child", "house", "d" * 64)
    assert decode(encode(ballot)) == ballot


def test_a_ballot_of_an_earlier_version_has_neither_task_nor_match() -> None:
    ballot = ballot_of(make_vote())
    older = json.dumps(json.loads(encode(ballot))[:-2])
    assert decode(older) == ballot
    for broken in ("[]", json.dumps([*json.loads(encode(ballot)), 1])):
        with pytest.raises(ValueError, match="a ballot has"):
            decode(broken)


def test_the_win_rate_is_that_of_any_two_by_the_same_model() -> None:
    """As votes on the better of two they would say the same: the two questions differ in what is compared alone."""
    votes = cast(30, 12, 6)
    (row,) = matches(map(ballot_of, votes))
    ordinary = [make_vote(v.comparison, v.order, choice=v.choice, rater=v.rater) for v in votes if v.order[0] in
                ("base", "tuned")]  # fmt: skip
    (same,) = matches(ballot_of(v) for v in votes if v.order[0] in ("base", "tuned"))
    contrast = next(c for c in rank_votes(ordinary).contrasts if {c.left, c.right} == {"base", "tuned"})
    assert (row.won, row.lost, row.tied, row.all_bad) == (30, 12, 6, 0)
    assert contrast.left == "tuned"
    # The weak prior pulls four strengths about their mean a little less than two.
    assert same.win_rate == pytest.approx(contrast.win_rate, abs=0.01)
    assert same.se == pytest.approx(contrast.se, rel=0.05)
    assert row.win_low < 0.5 + (row.win_rate - 0.5) < row.win_high


def test_swapped_choices_turn_the_result_around() -> None:
    (there,) = matches(map(ballot_of, cast(20, 5)))
    (back,) = matches(map(ballot_of, cast(5, 20)))
    assert there.value > 0
    swapped = [parent_vote(n, "parent" if n < 20 else "adapter", documents=n % 3 == 0) for n in range(25)]
    (mirrored,) = matches(map(ballot_of, swapped))
    assert mirrored.value == pytest.approx(-there.value)
    assert (back.won, back.lost) == (5, 20)


def test_the_same_text_twice_is_a_tie_that_tells_nothing() -> None:
    same = {"answers": {"base": "one", "tuned": "one"}, "identical": (("base", "tuned"),)}
    (row,) = matches(map(ballot_of, cast(12, 3)))
    (with_same,) = matches(
        map(ballot_of, [*cast(12, 3), *(parent_vote(100 + n, "adapter", **same) for n in range(9))])  # type: ignore[arg-type]
    )
    assert with_same.tied == 9
    assert with_same.value == pytest.approx(row.value)


def test_each_adapter_has_a_row_and_judges_and_skips_have_none() -> None:
    other = {"adapter": {"name": "older", "digest": "e" * 64}, "parent": {"name": "tiny", "digest": "f" * 64}}
    votes = [
        *cast(3, 1),
        parent_vote(20, "skip"),
        parent_vote(21, "all_bad"),
        parent_vote(22, rater_kind="judge"),
        *(parent_vote(30 + n, configuration=other) for n in range(2)),
    ]
    first, second = matches(map(ballot_of, votes))
    assert (first.adapter, first.parent, first.telling, first.all_bad) == ("child", "house", 4, 1)
    assert (second.adapter, second.parent, second.won) == ("older", "tiny", 2)
    (bad,) = matches([ballot_of(parent_vote(0, "all_bad"))])
    assert bad.telling == 0
    assert 0 < bad.win_low < 0.5 < bad.win_high < 1
    assert matches([]) == ()


@pytest.mark.parametrize(
    ("votes", "words"),
    [
        (cast(3, 1), "too few votes to say anything yet; cast 6 more"),
        (cast(12, 10), "cannot be told yet: ties apart, it wins an estimated"),
        (cast(12, 10), "more votes would settle it"),
        (cast(90, 10), "child is better than its parent house: ties apart, it wins an estimated"),
        (cast(10, 90), "child is worse than its parent house"),
    ],
)
def test_the_verdict_in_words(votes: list, words: str) -> None:
    (row,) = matches(map(ballot_of, votes))
    assert words in sentence(row)


def test_nothing_of_it_is_in_the_results_of_the_four_variants() -> None:
    ordinary = [make_vote(f"c{n}", choice=("base", "rag", "combined")[n % 3]) for n in range(20)]
    with_parents = [*ordinary, *cast(30, 2)]
    assert rank_votes(with_parents) == rank_votes(ordinary)
    found, plain = (find(list(map(ballot_of, votes))) for votes in (with_parents, ordinary))
    assert [f for f in found.figures if f.id != "parents"] == list(plain.figures)
    assert (found.rates, found.positions, found.accepted) == (plain.rates, plain.positions, plain.accepted)
    assert (found.counts.blind, found.counts.parent) == (20, 32)
    about = [advise(votes, None, [], Question()).to_json() for votes in (with_parents, ordinary)]
    assert about[0] | {"created": ""} == about[1] | {"created": ""}
    assert len(open_pairs(with_parents, "judge")) == len(open_pairs(ordinary, "judge"))
    assert list(preferences(cast(3, 1))), "they teach all the same: one prompt, two answers, one chosen"


def test_the_results_page_shows_them_apart() -> None:
    page = report([ballot_of(vote) for vote in [make_vote(), *cast(9, 1)]])
    assert page.index("Adapters against their parents") > page.index("What each ingredient adds")
    assert "child over house" in page
    assert "on a parent, apart</dt><dd>10" in page
    alone = report([ballot_of(vote) for vote in cast(9, 1)])
    assert "No blind votes yet" in alone
    assert "child over house" in alone
    evil = {"adapter": {"name": "<b>", "digest": "c" * 64}, "parent": {"name": "<i>", "digest": "d" * 64}}
    assert "<b> over" not in report([ballot_of(parent_vote(1, configuration=evil))])
    (figure,) = (one for one in find([ballot_of(vote) for vote in cast(9, 1)]).figures if one.id == "parents")
    assert as_csv(figure).splitlines()[1].startswith("child over house,0.")


def test_the_command_says_it_too_and_both_adapters_are_in_use(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = Votes(database_url(home))
    for vote in cast(9, 3):
        log.append(vote)
    log.close()
    assert main(["rank", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["votes"] == 0
    assert told["counts"]["parent"] == 12
    (row,) = told["parents"]
    assert (row["adapter"], row["parent"], row["won"], row["lost"]) == ("child", "house", 9, 3)
    assert 0.5 < row["win_low"] + (row["win_rate"] - row["win_low"]) < row["win_high"]
    assert main(["rank"]) == 0
    assert "child" in capsys.readouterr().out
    for digest in ("c" * 64, "d" * 64):
        assert votes_with(digest, home) == 12
