"""Embedding passages: ours against `SentenceTransformer.encode` with its defaults, and what each precision costs.

Chunks a second on the same chunks of SciFact's abstracts, each way in a process of its own and in turns; the least and
the mean cosine of our vectors with theirs, which are float32. What a precision costs in nDCG@10 is measured on the
abstracts that are judged for the first 60 test queries and 200 others, by the cosine alone, best chunk of a document.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from rag.chunks import split
from rag.documents import read_document
from rag.embedder import Embedder, default_folder
from rag.evaluation import read_corpus, read_qrels, read_queries, score
from tests.bench.apart import Way, apart, in_turns, medians
from tests.conftest import REPO

CHUNKS = 256
SCIFACT = REPO.parent / "shared" / "data" / "scifact"


def measure(rounds: int) -> dict[str, Any]:
    """Ratio of chunks a second, cosines with float32, and nDCG@10 of both."""
    judged = dict(list(read_qrels(SCIFACT / "qrels" / "test.tsv").items())[:60])
    names, texts = passages({document for rows in judged.values() for document in rows}, 200)
    some = texts[:CHUNKS]
    ways = {"theirs": (theirs, (some,)), "ours": (ours, (some,))}
    seconds = medians(in_turns(ways, rounds))
    whole = {
        name: found[0] for name, found in apart({"float32": (theirs, (texts,)), "ours": (ours, (texts,))}, 1).items()
    }
    cosines = (whole["float32"] * whole["ours"]).sum(1)
    queries = {query: text for query, text in read_queries(SCIFACT / "queries.jsonl") if query in judged}
    asked = Embedder().encode(list(queries.values()), query=True)
    return {
        "ratio": seconds["theirs"] / seconds["ours"],
        "chunks_per_second": {name: len(some) / taken for name, taken in seconds.items()},
        "cosine_with_float32": {"least": float(cosines.min()), "mean": float(cosines.mean())},
        "ndcg@10": {name: ndcg(asked @ vectors.T, list(queries), names, judged) for name, vectors in whole.items()},
        "chunks": len(some),
        "threads": torch.get_num_threads(),
        "rounds": rounds,
    }


def passages(wanted: set[str], others: int) -> tuple[list[str], list[str]]:
    """Documents' names and texts of all chunks of these documents and of so many others."""
    embedder = Embedder()
    names: list[str] = []
    texts: list[str] = []
    for file, data in read_corpus(SCIFACT / "corpus.jsonl"):
        name = file.rpartition(".")[0]
        others -= name not in wanted
        if name in wanted or others >= 0:
            chunks = split(read_document(file, data), embedder.tokenizer, embedder.limit)
            names += [name] * len(chunks)
            texts += [chunk.embedded for chunk in chunks]
    return names, texts


def ndcg(cosines: np.ndarray, queries: Sequence[str], names: Sequence[str], judged: Any) -> float:
    order = np.argsort(-cosines, axis=1)
    rankings = {
        query: list(dict.fromkeys(names[place] for place in row))[:100]
        for query, row in zip(queries, order, strict=True)
    }
    return score(rankings, judged)["ndcg@10"]


def theirs(texts: Sequence[str]) -> Way:
    model = SentenceTransformer(str(default_folder()), device="cpu")
    return lambda number: model.encode(list(texts), show_progress_bar=False)


def ours(texts: Sequence[str]) -> Way:
    embedder = Embedder()
    return lambda number: embedder.encode(texts)
