"""What the Compare page shows, as text, Markdown and HTML. Words of a model or a document are made harmless here."""

import re
from typing import TYPE_CHECKING

from eval.citation_view import answers, passages
from eval.comparison import Comparison
from eval.variants import VARIANTS

if TYPE_CHECKING:  # importing these loads torch, which must not hold up the page
    from tuning.request import Answer

LETTERS = "ABCD"
CODE = re.compile(r"(?<!\\)(```.*?(?:```|\Z)|`[^`\n]*`)", re.DOTALL)


def pane_labels(comparison: Comparison, revealed: bool) -> list[str]:
    """Letters alone while it is blind; then each with its variant, short enough for a phone."""
    if not revealed:
        return list(LETTERS[: len(comparison.order)])
    if comparison.mode == "parent":
        named = comparison.configuration
        return [
            f"{letter} · {role}: {named[role]['name']}"
            for letter, role in zip(LETTERS, comparison.roles.values(), strict=False)
        ]
    made_of = {
        variant.id: " + ".join(["adapter"] * variant.tuned + ["documents"] * variant.documents) or "model alone"
        for variant in VARIANTS
    }
    return [
        f"{letter} · {variant}: {made_of[variant]}" for letter, variant in zip(LETTERS, comparison.order, strict=False)
    ]


def panes(comparison: Comparison) -> list[list[dict[str, str]]]:
    """The messages of the four panes; of a pair the last two stay empty."""
    filled = [
        [{"role": "assistant", "content": harmless(given.text)}] if given and given.text else []
        for given in comparison.shown()
    ]
    return filled + [[]] * (len(LETTERS) - len(filled))


def harmless(text: str) -> str:
    """Model text as Markdown that can load nothing and post nowhere: no HTML, no images, code left as it is."""
    pieces = CODE.split(text)
    pieces[::2] = [piece.replace("<", "&lt;").replace("![", "!\\[") for piece in pieces[::2]]
    return "".join(pieces)


def evidence(comparison: Comparison) -> str:
    """What was hidden until the vote, as HTML: how long each variant took, and what supports its answer."""
    rows = "".join(timing(role, comparison.answers[variant]) for variant, role in comparison.roles.items())
    table = f"<table class='timings'><tr><th>Variant</th><th>Tokens</th><th>Seconds</th></tr>{rows}</table>"
    letters = dict(zip(comparison.order, LETTERS, strict=False))
    said, found = answers(comparison, letters), passages(comparison.hits, comparison.proofs)
    return (
        f"<h3>What the answers were made of</h3>{table}<h4>Do the passages say so?</h4>{said}"
        f"<h4>Passages given to {_readers(comparison)}</h4>{found}"
    )


def _readers(comparison: Comparison) -> str:
    """Who saw the passages."""
    if comparison.mode != "parent":
        return "rag and combined"
    return "both" if "rag" in comparison.order else "neither"


def timing(variant: str, given: "Answer") -> str:
    return f"<tr><td>{variant}</td><td>{given.tokens}</td><td>{given.seconds:.1f}</td></tr>"
