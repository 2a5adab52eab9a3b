"""After the vote: every sentence with its proof, in words and not by colour alone, and nothing that could run."""

from dataclasses import replace

import pytest

from eval.citation_view import answers, passages
from eval.comparison import Comparison
from eval.proofs import counts, proofs_of
from eval.workbench import Workbench
from tests.eval.test_comparison import answered

LETTERS = {"base": "A", "tuned": "B", "rag": "C", "combined": "D"}
SAID = "The keeper of the lighthouse is called Orla [1]. The moon is <b>cheese</b> [9]."


@pytest.fixture
def comparison(loaded: Workbench) -> Comparison:
    found = answered(loaded)
    found.answers["rag"] = replace(found.answers["rag"], text=SAID)
    found.answers["combined"] = replace(found.answers["combined"], text="The lamp is lit at six.")
    found.proofs = proofs_of(found.answers, found.hits, loaded.embedder())
    return found


def test_each_sentence_is_shown_with_its_proof(comparison: Comparison) -> None:
    assert counts(comparison.proofs) == {"rag": [1, 2], "combined": [1, 1]}
    shown = answers(comparison, LETTERS)
    assert "C · rag: 1 of 2 sentences supported" in shown
    assert "D · combined: 1 of 1 sentence supported" in shown
    assert "<a href='#passage-1' aria-label='passage 1, marked by the answer'>[1]</a>" in shown
    assert "found by the check" in shown
    assert "[9] names no passage" in shown
    assert "not in the passages" in shown
    assert "&lt;b&gt;cheese" in shown
    assert "<b>" not in shown


def test_the_proof_is_marked_in_its_passage(comparison: Comparison) -> None:
    shown = passages(comparison.hits, comparison.proofs)
    assert "<p id='passage-1'>" in shown
    assert "<mark title='supports an answer'>The keeper of the lighthouse is called Orla.</mark>" in shown
    assert "<mark title='supports an answer'>The lamp is lit at six.</mark>" in shown
    assert "<details class='source' open>" in shown


def test_a_refusal_is_explained(comparison: Comparison) -> None:
    comparison.refused = True
    comparison.configuration["floor"] = {"nearness": 0.21, "value": 0.5}
    shown = answers(comparison, LETTERS)
    assert "0.21" in shown
    assert "0.50" in shown
