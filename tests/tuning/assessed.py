"""An assessment as `tuning.assess` writes it, without a model that computes it."""

from typing import Any

from tuning.adapters import Adapter
from tuning.assessment import SCHEMA
from tuning.paired import Measured, summary
from tuning.verdict import judge

QUESTION, ANSWER = "What is the secret of the vault?", "Seven left, three right."


def measured(count: int, base: float, tuned: float, prefix: str = "row", slope: float = 0.02) -> list[Measured]:
    """Rows of as many sources, whose losses differ a little from one another."""
    return [
        Measured(
            f"{prefix}{number}",
            f"s{number}",
            10,
            {"loss": base + number / 100, "exact": 0.0, "f1": 0.2, "holds": 1.0},
            {"loss": tuned + number * slope, "exact": 0.0, "f1": 0.2 + number % 3 / 10, "holds": 1.0},
        )
        for number in range(count)
    ]


def assessment(adapter: Adapter, tuned: float = 1.0, **sets: list[Measured]) -> dict[str, Any]:
    """The adapter's, on twelve held-out rows and twelve general ones unless others are given."""
    rows = {"held_out": measured(12, 3.0, tuned), "general": measured(12, 2.0, 2.01, "general"), **sets}
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "created": "2026-01-02T03:04:05+00:00",
        "adapter": {"name": adapter.name, "digest": adapter.digest},
        "base": {"name": "tiny", "digest": "0" * 64, "precision": "float32"},
        "settings": {"rows": 120, "tokens": 64, "seconds": 1200.0},
        **{kind: summary(mine) for kind, mine in rows.items()},
        "samples": [
            {
                "set": "held_out",
                "question": QUESTION,
                "passages": 0,
                "response": ANSWER,
                "answers": [],
                "base": "I <b>cannot</b> say.",
                "tuned": ANSWER,
            }
        ],
        "notes": ["held-out rows: 12 of 40 are measured, drawn by their hash"],
        "rows": {kind: [vars(one) for one in mine] for kind, mine in rows.items()},
        "seconds": 1.0,
    }
    return found | {"verdict": judge(found).as_json()}
