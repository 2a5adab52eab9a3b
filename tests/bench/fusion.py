"""Which way of cutting and which fusion of meaning and words: chosen on two sets, then told on a third once.

nDCG@10 (best chunk of a document) of every mode on SciFact's training queries and on SQuAD's questions over its 240
paragraphs. The choice is the cutting and the fusion with the best mean of both; SciFact's test queries have no part in
it and are measured with that choice and with the program's defaults. Nothing is random here: rounds do nothing.
"""

import json
import statistics
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.chunking import CHUNKING, Chunking
from rag.embedder import Embedder
from rag.evaluation import Judgements, ranked_documents, read_corpus, read_qrels, read_queries, score
from rag.folders import Source
from rag.fusion import WEIGHT, Fusion
from rag.index import Index
from rag.refining import PLAIN
from tests.bench.loading import log
from tests.bench.squad import DATA
from tests.conftest import REPO

SCIFACT = REPO.parent / "shared" / "data" / "scifact"
CUTS = (CHUNKING, Chunking(even=False), Chunking(180), Chunking(220))
WEIGHTS = (0.4, 0.5, 0.6, 0.7, 0.8)
DEEP = 100
"""Chunks that a question finds: those of ten documents for sure, and the fusion sees what it sees in the app."""
MODES = {
    "dense": ("dense", Fusion()),
    "bm25": ("bm25", Fusion()),
    "ranks": ("hybrid", Fusion("ranks")),
    **{f"scores {weight}": ("hybrid", Fusion(weight=weight)) for weight in WEIGHTS},
}


@dataclass(frozen=True)
class Judged:
    """Documents, and questions with what answers each."""

    corpus: list[Source]
    questions: Mapping[str, Mapping[str, str]]
    """By part, such as training and test: query id to text."""
    judgements: Mapping[str, Judgements]


def measure(rounds: int) -> dict[str, Any]:
    """nDCG@10 by set, cutting and mode, and what they choose."""
    embedder = Embedder()
    found: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        indexes: dict[str, Index] = {}
        for name, judged in {"squad": squad(), "scifact": scifact()}.items():
            for chunking in CUTS:
                cut = chunking.identity
                indexes[cut] = Index(Path(folder) / f"{name}-{cut}", embedder, chunking)
                indexes[cut].add(judged.corpus)
                figures = {mode: chooses(indexes[cut], judged, mode) for mode in MODES}
                found.setdefault(name, {})[cut] = figures
                log(json.dumps({"set": name, "cut": cut, **figures}))
        means = {
            (cut, mode): statistics.mean(of_set[cut][mode] for of_set in found.values())
            for cut in indexes
            for mode in MODES
        }
        usual = (CHUNKING.identity, f"scores {WEIGHT}")
        cut, mode = max(means, key=lambda one: means[one])
        told = [(cut, mode), (cut, "dense"), (cut, "bm25"), usual]
        return {
            "ratio": means[cut, mode] / means[usual],
            "chosen": {"cut": cut, "fusion": mode, "mean": means[cut, mode]},
            "test": [{"cut": cut, "fusion": mode, **tells(indexes[cut], judged, mode)} for cut, mode in told],
            "ndcg@10": found,
            "rounds": rounds,
        }


def chooses(index: Index, judged: Judged, mode: str) -> float:
    """nDCG@10 on the questions that choose."""
    rankings = {}
    for query, text in judged.questions["train"].items():
        hits = index.search(text, DEEP, *MODES[mode], PLAIN)
        rankings[query] = list(dict.fromkeys(hit.document.removesuffix(".md") for hit in hits))
    return score(rankings, judged.judgements["train"])["ndcg@10"]


def tells(index: Index, judged: Judged, mode: str) -> dict[str, float]:
    """All figures on the test's questions, as `python -m rag evaluate` measures them."""
    rankings = {query: ranked_documents(index, text, *MODES[mode]) for query, text in judged.questions["test"].items()}
    return score(rankings, judged.judgements["test"])


def scifact() -> Judged:
    queries = dict(read_queries(SCIFACT / "queries.jsonl"))
    judgements = {part: read_qrels(SCIFACT / "qrels" / f"{part}.tsv") for part in ("train", "test")}
    questions = {part: {query: queries[query] for query in judged} for part, judged in judgements.items()}
    return Judged(list(read_corpus(SCIFACT / "corpus.jsonl")), questions, judgements)


def squad() -> Judged:
    """Each paragraph a document; its own questions are the ones that it answers."""
    articles = json.loads(DATA.read_text(encoding="utf-8"))["data"]
    paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
    asked = [(str(number), row) for number, paragraph in enumerate(paragraphs) for row in paragraph["qas"]]
    return Judged(
        [(f"{number}.md", paragraph["context"].encode()) for number, paragraph in enumerate(paragraphs)],
        {"train": {row["id"]: row["question"] for _, row in asked}},
        {"train": {row["id"]: {number: 1} for number, row in asked}},
    )
