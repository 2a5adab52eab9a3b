"""The rule, case by case: what counts as help, what as forgetting, and when nothing can be said."""

from typing import Any

import numpy as np
import pytest

from tuning.bootstrap import mean_interval
from tuning.paired import as_json
from tuning.verdict import DROP, KEEP, UNKNOWN, judge

NONE: dict[str, Any] = {"rows": 0, "sources": 0, "answer_tokens": 0, "short_answers": 0}


def figure(base: float, low: float | None, high: float | None, note: str = "") -> dict[str, Any]:
    value = (low + high) / 2 if low is not None and high is not None else 0.1
    floor = (high - low) / 2 if low is not None and high is not None else None
    difference = {"value": value, "low": low, "high": high, "rows": 40, "sources": 20, "note": note, "floor": floor}
    return {"base": base, "tuned": base + value, "difference": difference}


def part(**figures: dict[str, Any]) -> dict[str, Any]:
    return NONE | {"rows": 40, "sources": 20} | figures


BETTER_LOSS, WORSE_LOSS, SAME_LOSS = figure(2, -0.8, -0.4), figure(2, 0.4, 0.8), figure(2, -0.2, 0.3)
BETTER_F1, WORSE_F1, SAME_F1 = figure(0.3, 0.1, 0.3), figure(0.3, -0.2, -0.1), figure(0.3, -0.1, 0.1)
REMEMBERS = part(holds=figure(0.6, -0.1, 0.1), loss=figure(2, -0.1, 0.1))


@pytest.mark.parametrize(
    ("held_out", "verdict", "words"),
    [
        (
            part(loss=BETTER_LOSS),
            KEEP,
            "It helped: the loss of the answers went from 2.000 to 1.400 (-0.800 to -0.400)",
        ),
        (part(loss=SAME_LOSS), DROP, "No gain to be seen: the loss"),
        (part(loss=WORSE_LOSS), DROP, "It did harm: the loss"),
        (part(loss=BETTER_LOSS, f1=SAME_F1), KEEP, "It helped: the loss"),
        (part(loss=SAME_LOSS, f1=BETTER_F1), KEEP, "It helped: token F1 went from 30% to 50% (+10 to +30 points)"),
        (part(loss=BETTER_LOSS, f1=WORSE_F1), DROP, "It did harm: token F1"),
        (part(loss=WORSE_LOSS, f1=BETTER_F1), KEEP, "It helped: token F1"),
        (part(loss=SAME_LOSS, f1=SAME_F1), DROP, "less than 10 points would not show"),
        (part(loss=WORSE_LOSS, margin=figure(-1, 2, 4)), KEEP, "It helped: the lead of preferred answers"),
        (part(loss=BETTER_LOSS, margin=figure(-1, -4, -2)), DROP, "It did harm: the lead of preferred answers"),
        (part(loss=BETTER_LOSS, margin=figure(-1, -1, 1)), DROP, "No gain to be seen: the lead"),
        (NONE, UNKNOWN, "No rows that it never saw"),
        (
            part(loss=figure(2, None, None, "3 sources, fewer than 8")),
            UNKNOWN,
            "Held-out rows: 3 sources, fewer than 8",
        ),
        (part(loss=figure(2, 0.0, 0.0)), DROP, "It changes nothing"),
    ],
)
def test_what_counts_as_help(held_out: dict[str, Any], verdict: str, words: str) -> None:
    found = judge({"held_out": held_out, "general": REMEMBERS})
    assert found.verdict == verdict
    assert words in found.reasons[0]
    assert all(reason.endswith(".") for reason in found.reasons)


@pytest.mark.parametrize(
    ("general", "verdict", "words"),
    [
        (REMEMBERS, KEEP, "No forgetting beyond what is tolerated: answers that hold an accepted one went from 60%"),
        (
            part(holds=figure(0.6, -0.3, -0.1)),
            DROP,
            "It forgot: answers that hold an accepted one went from 60% to 40%",
        ),
        (part(holds=figure(0.6, -0.06, -0.02)), KEEP, "5% of the answers may be lost"),
        (part(holds=figure(0.6, -0.3, 0.1)), KEEP, "less than 20 points would not show"),
        (part(loss=figure(2, 0.5, 0.7)), DROP, "It forgot: the loss of the answers"),
        (part(loss=figure(2, 0.02, 0.04)), KEEP, "5% of the loss may be lost"),
        (NONE, UNKNOWN, "No general rows that can be measured"),
        (part(loss=figure(2, None, None, "too few")), UNKNOWN, "General rows: too few; what it forgot cannot be told."),
    ],
)
def test_what_counts_as_forgetting(general: dict[str, Any], verdict: str, words: str) -> None:
    found = judge({"held_out": part(loss=BETTER_LOSS), "general": general})
    assert found.verdict == verdict
    assert words in found.reasons[1]


def test_another_voice_is_told_and_is_no_forgetting() -> None:
    general = part(holds=figure(0.6, -0.1, 0.1), loss=figure(2, 0.5, 0.7))
    found = judge({"held_out": part(loss=BETTER_LOSS), "general": general})
    assert found.verdict == KEEP
    assert "General rows are answered in another way than before" in found.reasons[2]


def test_rows_of_the_users_choice_can_show_forgetting_too() -> None:
    own = part(holds=figure(0.6, -0.3, -0.1))
    found = judge({"held_out": part(loss=BETTER_LOSS), "general": REMEMBERS, "own": own})
    assert found.verdict == DROP
    assert "rows of your choice" in found.reasons[2]
    assert found.noise_floor == pytest.approx({"held_out": 0.2, "general": 0.1, "own": 0.1})


def test_what_neither_set_shows_alone_both_may_show_together() -> None:
    vague, clear = part(holds=figure(0.6, -0.3, 0.05)), part(holds=figure(0.6, -0.2, -0.05))
    found = judge({"held_out": part(loss=BETTER_LOSS), "general": vague, "own": vague, "both": clear})
    assert found.verdict == DROP
    assert found.reasons[3].startswith("It forgot: ")


def test_noise_is_kept_in_at_most_one_case_of_twenty() -> None:
    """What an adapter that changes answers without making them better or worse gets, 400 times over."""
    random = np.random.default_rng(7)
    kept = 0
    for seed in range(400):
        loss, f1 = random.normal(0, 0.3, 40), random.choice([-1.0, 0.0, 1.0], 40, p=[0.1, 0.8, 0.1])
        measured = {}
        for name, values, most in (("loss", loss, None), ("f1", f1, 1.0)):
            interval = mean_interval(list(values), range(40), None, most, draws=400, seed=seed)
            measured[name] = {"base": 1.0, "tuned": 1.0, "difference": as_json(interval)}
        kept += judge({"held_out": part(**measured), "general": REMEMBERS}).verdict == KEEP
    assert 0 < kept <= 26  # 20 expected at most; 26 is 1.4 standard deviations more
