"""The fit and its errors: published figures, an independent implementation, and what must hold for any choices."""

import csv
import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eval.choice_model import Table, fit, lay_out, mean_log_loss
from eval.choices import Choices, Floats, Integers, pair_choices
from eval.errors import InputError
from eval.rao_kupper import lay_out_pairs
from eval.sandwich import Spread, spread

Row = tuple[int, int, float, int]
POINTS = {"left": 1.0, "right": 0.0, "tie": 0.5}


def pairs(rows: list[Row], players: int = 4) -> Choices:
    """Choices from (left, right, score, cluster)."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    left, right, cluster = (table[:, column].astype(np.int64) for column in (0, 1, 3))
    return pair_choices([str(n) for n in range(players)], left, right, table[:, 2], clusters=[("prompt", cluster)])


def random_pairs(seed: int, count: int, ties: float = 0.2) -> tuple[Integers, Integers, Floats]:
    random = np.random.default_rng(seed)
    left = random.integers(4, size=count)
    right = (left + random.integers(1, 4, size=count)) % 4
    return left, right, np.where(random.random(count) < ties, 0.5, random.integers(0, 2, size=count))


def fitted(choices: Choices, ties: str = "half", prior: float = 0.0, small: bool = False) -> tuple[Floats, Spread]:
    distinct, row = choices.distinct()
    table = lay_out(distinct, ties)
    parameters = fit(table, prior)
    clusters = [number for _, number in choices.clusters]
    return parameters, spread(table, parameters, row, choices.weight, clusters, prior, small)


def test_the_worked_example_of_the_bradley_terry_article(shared_data: Path) -> None:
    wins = {"AB": 2, "BA": 3, "AD": 1, "DA": 4, "BC": 5, "CB": 3, "CD": 1, "DC": 3}
    rows = [
        ("ABCD".index(pair[0]), "ABCD".index(pair[1]), 1.0, 0) for pair, count in wins.items() for _ in range(count)
    ]
    strengths = np.exp(fit(lay_out(pairs(rows), "half"), prior=0.0))
    np.testing.assert_allclose(strengths, [0.640, 1.043, 0.660, 2.270], atol=0.001)


@pytest.mark.parametrize(("model", "published"), [("half", 0.6554), ("rao-kupper", 1.0095), ("davidson", 1.0100)])
def test_the_published_likelihoods_of_the_chatbot_arena_votes(shared_data: Path, model: str, published: float) -> None:
    """leaderbot's three fits of 1,670,250 votes over 129 models, both-bad votes left out."""
    record = json.loads((shared_data / "votes" / "leaderbot_chatbotarena_20240814.json").read_text())
    met, counts = np.array(record["X"]), np.array(record["Y"], dtype=np.float64)[:, :3]  # win, loss, tie
    left, right = (np.repeat(met[:, side], 3) for side in (0, 1))
    score, times = np.tile([1.0, 0.0, 0.5], len(met)), counts.ravel()
    votes = pair_choices(record["models"], left, right, score, weight=times).where(times > 0)
    table = lay_out_pairs(votes) if model == "rao-kupper" else lay_out(votes, model)
    assert mean_log_loss(table, fit(table, prior=0.0)) == pytest.approx(published, abs=5e-5)


@pytest.mark.parametrize("name", ["food", "simple"])
@pytest.mark.parametrize(("model", "algorithm"), [("half", "bradley_terry"), ("davidson", "newman")])
def test_the_goldens_of_evalica(shared_data: Path, name: str, model: str, algorithm: str) -> None:
    """Newman's (2023) ties are Davidson's; his iteration stops a little short of the fit."""
    with (shared_data / "votes" / f"evalica_{name}.csv").open() as file:
        votes = list(csv.DictReader(file))
    with (shared_data / "votes" / f"evalica_{name}_golden.csv").open() as file:
        golden = {row["item"]: float(row["score"]) for row in csv.DictReader(file) if row["algorithm"] == algorithm}
    names = sorted(golden)
    rows = [(names.index(vote["left"]), names.index(vote["right"]), POINTS[vote["winner"]], 0) for vote in votes]
    strengths = np.exp(fit(lay_out(pairs(rows, len(names)), model), prior=0.0))[: len(names)]
    expected = np.array([golden[item] for item in names])
    np.testing.assert_allclose(
        strengths / strengths.sum(), expected / expected.sum(), rtol=1e-6 if model == "half" else 1e-3
    )


@pytest.mark.parametrize("ways", [0, 1, 2])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_standard_errors_equal_those_of_statsmodels(seed: int, ways: int) -> None:
    """Robust, clustered by prompt, and by prompt and rater, to a millionth."""
    left, right, score = random_pairs(seed, 150)
    random = np.random.default_rng(seed)
    prompt, rater = random.integers(37, size=150), random.integers(12, size=150)
    design = np.eye(4)[left] - np.eye(4)[right]
    model = sm.GLM(score, design[:, 1:], family=sm.families.Binomial())  # player 0 is the reference
    groups = [np.arange(150), prompt, np.stack([prompt, rater], axis=1)][ways]
    kind = {"cov_type": "cluster", "cov_kwds": {"groups": groups, "use_correction": False}}
    oracle = model.fit(tol=1e-12, **(kind if ways else {"cov_type": "HC0"}))
    clusters = [[("vote", np.arange(150))], [("prompt", prompt)], [("prompt", prompt), ("rater", rater)]][ways]
    strength, found = fitted(pair_choices("abcd", left, right, score, clusters=clusters))
    to_reference = np.eye(4)[1:] - np.eye(4)[0]
    np.testing.assert_allclose(to_reference @ strength, oracle.params, atol=1e-6)
    np.testing.assert_allclose(to_reference @ found.covariance @ to_reference.T, oracle.cov_params(), atol=1e-6)


def random_rankings(seed: int, count: int) -> Choices:
    """Rankings of four with ties, each as its choices, of nobody in particular."""
    random = np.random.default_rng(seed)
    items, chosen, vote = [], [], []
    for number in range(count):
        place = random.integers(0, 4, size=4)
        left = np.ones(4, dtype=bool)
        for best in np.unique(place):
            if left.sum() > 1:
                items.append(np.where(left, np.arange(4), -1))
                chosen.append(left & (place == best))
                vote.append(number)
            left &= place != best
    size, owner = len(vote), np.array(vote)
    return Choices(tuple("abcd"), np.array(items), np.array(chosen), np.ones(size, bool), np.ones(size), owner)


@pytest.mark.parametrize("ties", ["davidson", "half"])
@pytest.mark.parametrize("position", [False, True])
def test_score_and_information_are_the_derivatives_of_the_likelihood(ties: str, position: bool) -> None:
    table = lay_out(random_rankings(1, 40).distinct()[0], ties, position)
    check_derivatives(table, np.random.default_rng(2).normal(size=table.size))


def test_the_derivatives_of_rao_and_kupper() -> None:
    table = lay_out_pairs(pair_choices("abcd", *random_pairs(3, 60)))
    check_derivatives(table, np.array([0.4, -0.2, 0.1, -0.3, 0.7]))


def check_derivatives(table: Table, parameters: Floats) -> None:
    def total(at: Floats) -> float:
        return float(table.count @ table.log_likelihood(at))

    score, information = table.derivatives(parameters)
    gradient, step = table.total_score(score), 1e-5 * np.eye(table.size)
    numeric = [(total(parameters + move) - total(parameters - move)) / 2e-5 for move in step]
    np.testing.assert_allclose(gradient, numeric, atol=1e-5)
    slopes = [
        (
            table.total_score(table.derivatives(parameters - move)[0])
            - table.total_score(table.derivatives(parameters + move)[0])
        )
        / 2e-5
        for move in step
    ]
    np.testing.assert_allclose(table.total_information(information), slopes, atol=1e-4)


def test_plackett_and_luce_by_hand() -> None:
    """A pick among four, then among the three that are left: the product of two shares."""
    items = np.array([[0, 1, 2, 3], [-1, 1, 2, 3]])
    chosen = np.array([[1, 0, 0, 0], [0, 0, 1, 0]], dtype=bool)
    table = lay_out(Choices(tuple("abcd"), items, chosen, np.ones(2, bool), np.ones(2), np.zeros(2, int)), "davidson")
    strength = np.array([1.0, 2.0, 3.0, 4.0])
    assert np.exp(table.log_likelihood(np.log(strength))).tolist() == pytest.approx([1 / 10, 3 / 9])


def test_davidsons_tie_by_hand() -> None:
    table = lay_out(pair_choices("ab", [0, 0], [1, 1], [0.5, 1.0]), "davidson")
    assert table.terms == ("tie of 2",)
    chance = np.exp(table.log_likelihood(np.log([4.0, 1.0, 0.5])))
    assert chance.tolist() == pytest.approx([0.5 * 2 / (4 + 1 + 0.5 * 2), 4 / (4 + 1 + 0.5 * 2)])


@pytest.mark.parametrize(
    "rows",
    [
        [(0, 1, 1.0, 0)],  # 1 always wins; 2 never met anyone
        [(0, 1, 1.0, 0), (1, 0, 1.0, 0)],  # 2 never met anyone
        [(0, 1, 1.0, 0), (0, 2, 1.0, 0), (1, 2, 1.0, 0), (2, 1, 1.0, 0)],  # 0 never lost
        [],
    ],
)
@pytest.mark.parametrize("ties", ["half", "davidson"])
def test_no_finite_fit_without_a_prior_is_said(rows: list[Row], ties: str) -> None:
    """Other libraries print ratings with intervals of zero width, or zeros, for such votes."""
    with pytest.raises(InputError, match="prior above 0"):
        fit(lay_out(pairs(rows, 3), ties), prior=0.0)


@pytest.mark.parametrize("prior", [1e-6, 0.5, 10.0])
@pytest.mark.parametrize("count", [1, 30, 10_000])
def test_one_who_always_wins_stays_finite_with_a_prior(prior: float, count: int) -> None:
    strength, found = fitted(pairs([(0, 1, 1.0, n) for n in range(count)], 3), "davidson", prior, small=True)
    assert strength[0] > strength[2] > strength[1]
    assert np.isfinite(strength).all()
    assert (np.diag(found.covariance) > 0).all()


def test_without_choices_the_prior_is_what_remains() -> None:
    strength, found = fitted(pairs([]), "davidson", 0.5, small=True)
    np.testing.assert_array_equal(strength, np.zeros(4))
    variance, _ = found.of(np.array([1.0, -1.0, 0.0, 0.0]))
    assert variance == pytest.approx(2 / 0.5)  # two independent normals of variance 1/prior


def test_one_cluster_is_not_taken_for_many_votes() -> None:
    """The score of a single cluster sums to nearly zero at the fit, which reads as certainty if nobody looks."""
    scores = [1.0] * 40 + [0.0] * 10
    _, together = fitted(pairs([(0, 1, score, 0) for score in scores], 2), "half", 0.5, small=True)
    _, apart = fitted(pairs([(0, 1, score, number) for number, score in enumerate(scores)], 2), "half", 0.5, small=True)
    assert together.covariance[0, 0] > 10 * apart.covariance[0, 0]


def test_every_pair_is_weighed_alike() -> None:
    """A round robin that everyone wins at home: nobody is stronger, and all are known equally well."""
    games = [pair for met in combinations(range(4), 2) for pair in (met, met[::-1])]
    strength, found = fitted(
        pairs([(*game, 1.0, number) for number, game in enumerate(games)]), "half", 0.5, small=True
    )
    np.testing.assert_allclose(strength, 0, atol=1e-12)
    np.testing.assert_allclose(np.diag(found.covariance), found.covariance[0, 0])


outcome = st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 5))
outcomes = st.lists(outcome.filter(lambda row: row[0] != row[1]), min_size=1, max_size=40)
models = st.sampled_from(["half", "davidson"])


@settings(max_examples=60)
@given(rows=outcomes, ties=models, data=st.data())
def test_names_sides_and_order_do_not_matter(rows: list[Row], ties: str, data: st.DataObject) -> None:
    strength, found = fitted(pairs(rows), ties, 0.5, small=True)
    rename = np.array(data.draw(st.permutations(range(4))))
    swap = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    changed = [
        (int(rename[right]), int(rename[left]), 1 - score, 9 - cluster)
        if swapped
        else (int(rename[left]), int(rename[right]), score, 9 - cluster)
        for (left, right, score, cluster), swapped in zip(data.draw(st.permutations(rows)), swap, strict=True)
    ]
    other, other_found = fitted(pairs(changed), ties, 0.5, small=True)
    np.testing.assert_allclose(other[rename], strength[:4], atol=1e-8)
    np.testing.assert_allclose(other_found.covariance[np.ix_(rename, rename)], found.covariance[:4, :4], atol=1e-8)
    assert abs(strength[:4].sum()) < 1e-9
    assert np.linalg.eigvalsh(found.covariance[:4, :4])[1:].min() > 0  # every contrast has a variance


@settings(max_examples=60)
@given(rows=outcomes, ties=models)
def test_every_vote_again_with_twice_the_prior_changes_no_strength(rows: list[Row], ties: str) -> None:
    once, _ = fitted(pairs(rows), ties, 0.5)
    twice, _ = fitted(pairs(rows * 2), ties, 1.0)
    np.testing.assert_allclose(once, twice, atol=1e-8)


@settings(max_examples=60)
@given(seed=st.integers(0, 1000), ties=models)
def test_a_cluster_said_twice_is_not_more_evidence(seed: int, ties: str) -> None:
    """Rows repeated inside their cluster leave the clustered errors as they are; as new clusters they halve them."""
    data, cluster = random_pairs(seed, 60), np.random.default_rng(seed).integers(15, size=60)
    twice = tuple(np.tile(array, 2) for array in data)

    def covariance(votes: tuple[Integers, Integers, Floats], number: Integers) -> Floats:
        return fitted(pair_choices("abcd", *votes, clusters=[("prompt", number)]), ties)[1].covariance

    try:
        once = covariance(data, cluster)
    except InputError:
        assume(False)
    np.testing.assert_allclose(covariance(twice, np.tile(cluster, 2)), once, atol=1e-9)
    np.testing.assert_allclose(covariance(twice, np.concatenate([cluster, cluster + 100])), once / 2, atol=1e-9)
