"""What passages support of an answer, and which citations are right."""

import math
from dataclasses import dataclass

import pytest

from eval.grounding import grounding
from rag.citations import Evidence


@dataclass
class Shown:
    document: str
    text: str


PASSAGES = [
    Shown("lighthouse.md", "The keeper of the lighthouse is called Orla. The lamp is lit at six."),
    Shown("harbour.txt", "The harbour master weighs every herring twice."),
]
EVIDENCE = Evidence(PASSAGES)


def test_half_of_what_is_said_stands_in_the_passages() -> None:
    found = grounding("The keeper of the lighthouse is called Orla. Her brother sells umbrellas.", EVIDENCE, True)
    assert found["groundedness"] == 0.5
    assert math.isnan(found["citation_precision"])


def test_a_citation_is_right_where_its_passage_says_so() -> None:
    answer = "The lamp is lit at six [1]. The keeper of the lighthouse is called Orla [2]. The lamp is lit at six [7]."
    assert grounding(answer, EVIDENCE, True)["citation_precision"] == pytest.approx(1 / 3)
    assert math.isnan(grounding(answer, EVIDENCE, False)["citation_precision"])


@pytest.mark.parametrize("answer", ["", "Our documents do not say.", "[1]"])
def test_what_claims_nothing_is_neither_grounded_nor_not(answer: str) -> None:
    assert math.isnan(grounding(answer, EVIDENCE, True)["groundedness"])
