"""Figures of the check of citations: by hand on a small corpus, and on SciFact's own claims where those are at hand."""

import json
from pathlib import Path

import pytest

from rag.citation_figures import choose, evaluate, read_claims
from rag.citations import WORDS
from rag.errors import InputError

SENTENCES = ["Bees make honey in summer.", "They live in hives.", "The queen lays eggs."]


def corpus(folder: Path) -> Path:
    rows = []
    for identity, sentences in (
        ("1", SENTENCES),
        ("2", ["Whales live in the sea.", "They sing."]),
        ("3", ["Rain is wet."]),
    ):
        text = " ".join(sentences)
        ends = [text.index(sentence) + len(sentence) for sentence in sentences]
        rows.append({"_id": identity, "title": "Nature", "text": text, "metadata": {"sent_ends": ends}})
    path = folder / "corpus.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def claims(folder: Path, *rows: dict[str, object]) -> Path:
    path = folder / "claims.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def support(claim: str, sentence: int, label: str = "SUPPORT") -> dict[str, object]:
    return {"claim": claim, "evidence": {"1": [{"label": label, "sentences": [sentence]}]}, "cited_doc_ids": [1]}


def test_figures_worked_by_hand(tmp_path: Path) -> None:
    path = claims(
        tmp_path,
        support("In summer bees make honey.", 0),  # found, and where it stands
        support("Bees make honey.", 2),  # found elsewhere than people marked it
        support("Royalty reproduces.", 2),  # missed
        support("Bees make no honey in summer.", 0, "CONTRADICT"),
        {"claim": "Bees sting.", "evidence": {}, "cited_doc_ids": [1]},
        {"claim": "Whales sing in the sea and live.", "evidence": {}, "cited_doc_ids": [1]},
    )
    found = read_claims(path, corpus(tmp_path))
    assert [claim.label for claim in found] == ["support"] * 3 + ["contradict"] + ["none"] * 2
    figures = evaluate(found, None)
    values = {key: (figure["value"], figure["of"]) for key, figure in figures.items() if isinstance(figure, dict)}
    assert values == {
        "precision": (0.6667, 3),
        "recall": (0.6667, 3),
        "span_precision": (0.3333, 3),
        "span_recall": (0.3333, 3),
        "supported_without_evidence": (0.5, 2),
        "supported_by_other_abstracts": (0.0, 3),
        "supported_though_contradicted": (1.0, 1),
    }


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"claim": "Bees.", "evidence": {}}, "claims.jsonl:1 is no claim"),
        ({"claim": "Bees.", "evidence": {}, "cited_doc_ids": [9]}, "claims.jsonl:1 is no claim"),
        (support("Bees.", 7), "claims.jsonl:1 is no claim"),
    ],
)
def test_a_bad_claim_is_named(tmp_path: Path, row: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_claims(claims(tmp_path, row), corpus(tmp_path))
    path = corpus(tmp_path)
    path.write_text('{"_id": 1, "text": "Bees."}')
    with pytest.raises(InputError, match=r"corpus\.jsonl:1 has no"):
        read_claims(claims(tmp_path, row), path)


@pytest.mark.slow
def test_the_built_in_measure_is_what_the_training_claims_choose(shared_data: Path) -> None:
    """Without meaning, which takes seconds; docs/benchmarks.md has the figures with it."""
    folder = shared_data / "scifact"
    assert choose(read_claims(folder / "claims_train.jsonl", folder / "corpus.jsonl"), None) == WORDS
    figures = evaluate(read_claims(folder / "claims_dev.jsonl", folder / "corpus.jsonl"), None)
    assert figures["claims"] == 300
    assert figures["precision"]["value"] > 0.75
    assert 0.3 < figures["recall"]["value"] < 0.5, "docs/benchmarks.md says .37"
    assert figures["span_precision"]["value"] > 0.45
    assert figures["supported_by_other_abstracts"]["value"] < 0.12
