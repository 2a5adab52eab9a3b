"""Which size of chunks and which fusion of meaning and words: chosen on two sets, then told on a third once.

nDCG@10 (best chunk of a document) of every mode on SciFact's training queries and on SQuAD's questions over its 240
paragraphs. The choice is the size and the fusion with the best mean of both; SciFact's test queries have no part in it
and are measured with that choice and with the program's defaults. There is nothing random here, so rounds do nothing.
"""

import json
import statistics
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.chunking import SIZE, Chunking
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
SIZES = (200, 220, 240)
WEIGHTS = (0.4, 0.5, 0.6, 0.7, 0.8)
EVERY = 4
"""One in so many questions chooses: 200 and 300 are enough."""
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
    """nDCG@10 by set, size and mode, and what they choose."""
    embedder = Embedder()
    found: dict[str, dict[int, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        indexes: dict[int, Index] = {}
        for name, judged in {"squad": squad(), "scifact": scifact()}.items():
            for size in SIZES:
                indexes[size] = Index(Path(folder) / f"{name}-{size}", embedder, Chunking(size))
                indexes[size].add(judged.corpus)
                figures = {mode: chooses(indexes[size], judged, mode) for mode in MODES}
                found.setdefault(name, {})[size] = figures
                log(json.dumps({"set": name, "size": size, **figures}))
        means = {
            (size, mode): statistics.mean(of_set[size][mode] for of_set in found.values())
            for size in SIZES
            for mode in MODES
        }
        size, mode = max(means, key=lambda one: means[one])
        told = [(size, mode), *((size, usual) for usual in ("dense", "bm25")), (SIZE, f"scores {WEIGHT}")]
        return {
            "ratio": means[size, mode] / means[SIZE, f"scores {WEIGHT}"],
            "chosen": {"size": size, "fusion": mode, "mean": means[size, mode]},
            "test": [{"size": size, "fusion": mode, **tells(indexes[size], judged, mode)} for size, mode in told],
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
    questions["train"] = dict(list(questions["train"].items())[::EVERY])
    return Judged(list(read_corpus(SCIFACT / "corpus.jsonl")), questions, judgements)


def squad() -> Judged:
    """Each paragraph a document; its own questions are the ones that it answers."""
    articles = json.loads(DATA.read_text(encoding="utf-8"))["data"]
    paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
    asked = [(str(number), row) for number, paragraph in enumerate(paragraphs) for row in paragraph["qas"]][::EVERY]
    return Judged(
        [(f"{number}.md", paragraph["context"].encode()) for number, paragraph in enumerate(paragraphs)],
        {"train": {row["id"]: row["question"] for _, row in asked}},
        {"train": {row["id"]: {number: 1} for number, row in asked}},
    )
