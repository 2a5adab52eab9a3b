"""transformers' own processors are the oracle; the order of the filters is theirs too."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch import Tensor
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from tuning.request import Sampling
from tuning.sampling import CANDIDATES, Sampler, kept, penalised

NO_IDS = torch.zeros((1, 1), dtype=torch.long)


def oracle(logits: Tensor, sampling: Sampling) -> tuple[list[int], Tensor]:
    """The tokens that transformers keeps, and the probabilities of all after top_k."""
    limited = TopKLogitsWarper(sampling.top_k)(NO_IDS, logits[None]) if sampling.top_k else logits[None]
    warpers = LogitsProcessorList()
    if sampling.top_p < 1:
        warpers.append(TopPLogitsWarper(sampling.top_p))
    if sampling.min_p:
        warpers.append(MinPLogitsWarper(sampling.min_p))
    left = warpers(NO_IDS, limited)[0]
    return left.isfinite().nonzero()[:, 0].tolist(), limited[0].double().softmax(0)


def at_a_border(probabilities: Tensor, sampling: Sampling) -> bool:
    """Whether rounding decides if some token is in: two right implementations may differ there."""
    ranked = probabilities.sort(descending=True).values
    before = ranked.cumsum(0) - ranked
    shares = ranked / ranked[0]
    return bool(((before - sampling.top_p).abs() < 1e-5).any() or ((shares / sampling.min_p - 1).abs() < 1e-5).any())


def logits_of(size: int, scale: float = 2.0, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(0, scale, size)).float()


# ---- which tokens may be drawn

SCORES = st.lists(st.integers(-80, 80), min_size=1, max_size=40, unique=True).map(
    lambda values: torch.tensor(values).float() / 8
)


@settings(max_examples=200)
@given(SCORES, st.integers(0, 45), st.integers(1, 100), st.integers(0, 100))
def test_the_tokens_kept_are_those_transformers_keeps(logits: Tensor, top_k: int, top_p: int, min_p: int) -> None:
    sampling = Sampling(1.0, top_p / 100, top_k=top_k, min_p=min_p / 100)
    expected, probabilities = oracle(logits, sampling)
    assume(not at_a_border(probabilities, sampling))
    tokens, shares = kept(logits, sampling)
    assert tokens.tolist() == expected, "and by ascending id"
    torch.testing.assert_close(shares.double(), probabilities[tokens], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("scale", [0.01, 0.5, 3.0])
@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"top_p": 0.1},
        {"top_p": 0.9},
        {"top_p": 0.999},
        {"min_p": 0.3},
        {"top_p": 0.9, "min_p": 0.3},
        {"top_k": 50},
        {"top_k": CANDIDATES + 1},
        {"top_k": 3000},
        {"top_k": 3000, "top_p": 0.3},
        {"top_k": 3000, "top_p": 0.9},
        {"top_k": 3000, "top_p": 0.9, "min_p": 0.9},
        {"top_k": 9000, "top_p": 0.9},
    ],
    ids=str,
)
def test_a_vocabulary_beyond_the_ranked_candidates_changes_nothing(scale: float, filters: dict[str, Any]) -> None:
    """With a top_k above `CANDIDATES`, top_p was taken of the first `CANDIDATES` tokens instead of the first top_k."""
    logits, sampling = logits_of(5 * CANDIDATES, scale), Sampling(1.0, **filters)
    expected, probabilities = oracle(logits, sampling)
    tokens, shares = kept(logits, sampling)
    different = set(tokens.tolist()) ^ set(expected)
    assert len(different) <= 2, "more than rounding at the border explains"
    common = [token for token in expected if token not in different]
    torch.testing.assert_close(
        shares[torch.isin(tokens, torch.tensor(common))].double(), probabilities[common], atol=1e-7, rtol=1e-4
    )


def test_equals_at_the_border_are_kept_as_far_as_they_are_needed() -> None:
    equal = torch.zeros(8)
    assert len(kept(equal, Sampling(1.0, 0.5))[0]) == 4
    assert len(kept(equal, Sampling(1.0, 0.51))[0]) == 5
    assert len(kept(equal, Sampling(1.0, top_k=3))[0]) == 3
    assert len(kept(equal, Sampling(1.0, min_p=1.0))[0]) == 8
    assert len(kept(equal, Sampling(1.0, 0.5, top_k=2))[0]) == 1


@given(SCORES, st.integers(0, 45), st.floats(0, 1, exclude_min=True), st.floats(0, 1))
def test_the_likeliest_is_always_kept(logits: Tensor, top_k: int, top_p: float, min_p: float) -> None:
    tokens, shares = kept(logits, Sampling(1.0, top_p, top_k=top_k, min_p=min_p))
    assert int(logits.argmax()) in tokens.tolist()
    assert float(shares.sum()) <= 1 + 1e-5


# ---- the penalty


@given(SCORES, st.sets(st.integers(0, 39)), st.floats(0.1, 10))
def test_the_penalty_is_that_of_transformers_and_leaves_the_models_scores_alone(
    logits: Tensor, seen: set[int], penalty: float
) -> None:
    tokens = [token for token in seen if token < len(logits)]
    before = logits.clone()
    expected = RepetitionPenaltyLogitsProcessor(penalty)(torch.tensor([tokens], dtype=torch.long), before[None].clone())
    torch.testing.assert_close(penalised(logits, tokens, penalty), expected[0])
    assert torch.equal(logits, before), "log-probabilities are read from them afterwards"


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_tokens_of_the_prompt_and_of_the_answer_are_penalised(temperature: float) -> None:
    prompt, penalty = [3, 7, 3, 11], 1.7
    sampler = Sampler(Sampling(temperature, top_k=1, repetition_penalty=penalty), prompt)
    ids = list(prompt)
    warpers = LogitsProcessorList([RepetitionPenaltyLogitsProcessor(penalty)])
    if temperature:
        warpers.append(TemperatureLogitsWarper(temperature))
    for step in range(40):
        logits = logits_of(12, 1.0, step // 8)  # the same scores again and again: only the penalty moves the choice
        expected = int(warpers(torch.tensor([ids]), logits[None].clone())[0].argmax())
        assert sampler.choose(logits) == expected
        ids.append(expected)
    assert len(set(ids[len(prompt) :])) > 5


def test_only_what_needs_nothing_of_the_row_is_plain() -> None:
    assert Sampler(Sampling(), [1]).plain
    assert Sampler(Sampling(top_k=3, top_p=0.5, min_p=0.1), [1]).plain
    assert not Sampler(Sampling(0.5), [1]).plain
    assert not Sampler(Sampling(repetition_penalty=1.1), [1]).plain


# ---- the draw


def test_greedy_takes_the_likeliest() -> None:
    assert Sampler(Sampling(), []).choose(torch.tensor([0.1, 3.0, -1.0])) == 1
    assert Sampler(Sampling(top_k=2, top_p=0.1, min_p=1), []).choose(torch.tensor([0.1, 3.0, -1.0])) == 1


@pytest.mark.parametrize("temperature", [1e-3, 1e-9, 1e-38, 1e-50, 5e-324])
@pytest.mark.parametrize("filters", [{}, {"top_p": 0.9}, {"top_k": 2}], ids=str)
def test_a_temperature_near_zero_is_greedy(temperature: float, filters: dict[str, Any]) -> None:
    """Dividing by such a temperature gave infinities, and then no token at all."""
    sampler = Sampler(Sampling(temperature, **filters), [])
    assert {sampler.choose(torch.tensor([-2.0, 3.0, 30.5, 30.0, 0.0])) for _ in range(20)} == {2}


CASES = [
    Sampling(1.0, seed=1),
    Sampling(0.5, seed=2),
    Sampling(2.5, seed=3),
    Sampling(1.0, 0.8, seed=4),
    Sampling(1.3, top_k=7, seed=5),
    Sampling(1.0, min_p=0.1, seed=6),
    Sampling(1.5, 0.9, top_k=12, min_p=0.05, seed=7),
]


def expected_frequencies(logits: Tensor, sampling: Sampling) -> np.ndarray:
    warm = TemperatureLogitsWarper(sampling.temperature)(NO_IDS, logits[None])[0]
    tokens, probabilities = oracle(warm, sampling)
    frequencies = np.zeros(len(logits))
    frequencies[tokens] = probabilities[tokens]
    return frequencies / frequencies.sum()


def likelihood(draws: list[int], frequencies: np.ndarray) -> float:
    """Of draws as odd as these, if they follow these frequencies (chi-squared; rare tokens count as one)."""
    counts = np.bincount(draws, minlength=len(frequencies))
    assert not counts[frequencies == 0].any(), "drew what a filter removed"
    often = frequencies * len(draws) >= 5
    observed, expected = [*counts[often]], [*(frequencies[often] * len(draws))]
    if rest := float(frequencies[~often].sum()):
        observed.append(counts[~often].sum())
        expected.append(rest * len(draws))
    return float(chisquare(observed, expected).pvalue)


@pytest.mark.parametrize("sampling", CASES, ids=str)
def test_draws_are_as_frequent_as_their_probabilities_say(sampling: Sampling) -> None:
    logits, sampler = logits_of(30, 1.5), Sampler(sampling, [])
    draws = [sampler.choose(logits) for _ in range(3000)]
    assert likelihood(draws, expected_frequencies(logits, sampling)) > 1e-3


def test_the_first_draws_of_neighbouring_seeds_are_as_good() -> None:
    """Users count seeds up from 0 to see other answers."""
    logits = logits_of(30, 1.5)
    draws = [Sampler(Sampling(1.0, seed=seed), []).choose(logits) for seed in range(3000)]
    assert likelihood(draws, expected_frequencies(logits, Sampling(1.0))) > 1e-3


@given(SCORES, st.floats(0.05, 1), st.floats(0.2, 2), st.integers(0, 2**63 - 1))
def test_a_draw_stays_inside_the_nucleus(logits: Tensor, top_p: float, temperature: float, seed: int) -> None:
    sampling = Sampling(temperature, top_p, seed=seed)
    sampler = Sampler(sampling, [])
    inside, probabilities = oracle(logits / temperature, sampling)
    least = probabilities[inside].min()
    for _ in range(5):
        token = sampler.choose(logits)
        assert token in inside or torch.isclose(probabilities[token], least, rtol=1e-3)


def test_impossible_tokens_are_never_drawn() -> None:
    logits = torch.full((50,), -torch.inf)
    logits[[4, 30]] = 0.0
    for filters in ({}, {"top_p": 0.99}, {"top_k": 10}, {"min_p": 0.1}):
        sampler = Sampler(Sampling(5.0, **filters), [])
        assert {sampler.choose(logits) for _ in range(100)} == {4, 30}


@pytest.mark.parametrize("number", [0.0, 1 - 2**-53])
@pytest.mark.parametrize("filters", [{}, {"top_p": 0.99}], ids=str)
def test_the_ends_of_the_range_of_random_numbers_draw_possible_tokens(
    monkeypatch: pytest.MonkeyPatch, number: float, filters: dict[str, Any]
) -> None:
    sampler = Sampler(Sampling(1.0, **filters), [])
    monkeypatch.setattr(sampler._random, "random", lambda: number)
    logits = torch.tensor([-torch.inf, -torch.inf, 1.0, 1.0, -torch.inf])
    assert sampler.choose(logits) == (3 if number else 2)


# ---- the seed


def draws(seed: int, count: int = 30) -> list[int]:
    sampler = Sampler(Sampling(1.0, seed=seed), [])
    return [sampler.choose(logits_of(1000, seed=step)) for step in range(count)]


def test_the_same_seed_draws_the_same_whatever_else_is_drawn() -> None:
    first = draws(5)
    torch.manual_seed(1)
    mixed = [Sampler(Sampling(1.0, seed=seed), []) for seed in (4, 5, 6)]
    steps = [[sampler.choose(logits_of(1000, seed=step)) for sampler in mixed] for step in range(30)]
    assert [step[1] for step in steps] == first


@pytest.mark.parametrize("seed", [0, 6, 5 + 2**32, 5 + 2**62, 2**63 - 1])
def test_another_seed_draws_others(seed: int) -> None:
    """torch's generator on the CPU knows only the lowest 32 bits of its seed: seeds 2^32 apart drew the same."""
    alike = sum(one == other for one, other in zip(draws(5), draws(seed), strict=True))
    assert alike < 10


@pytest.mark.parametrize("filters", [{}, {"top_p": 0.9}, {"top_k": 2000}, {"min_p": 0.02}], ids=str)
def test_rounding_seldom_changes_a_draw(filters: dict[str, Any]) -> None:
    """Another batch rounds the scores otherwise and so reorders equal tokens. Here each has its twin elsewhere in the
    vocabulary; a draw along the ranking would end at the other one half of the time."""
    noise = np.random.default_rng(1)
    changed = 0
    for seed in range(300):
        logits = torch.cat([scores := logits_of(1500, seed=seed % 5), scores.flip(0)])
        rounded = logits + torch.from_numpy(noise.normal(0, 1e-5, len(logits))).float()
        sampling = Sampling(1.0, seed=seed, **filters)
        changed += Sampler(sampling, []).choose(logits) != Sampler(sampling, []).choose(rounded)
    assert changed <= 3
