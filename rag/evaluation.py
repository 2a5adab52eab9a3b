"""Retrieval figures on a BEIR data set: judged queries over a corpus, without a judge at run time."""

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import InputError
from .folders import Source
from .fusion import Fusion
from .index import FUSION, Index
from .refining import PLAIN

_DOCUMENTS = 100  # depth of recall@100
_CHUNKS = 500  # enough passages that 100 documents are among them, each having a few
_SUFFIX = ".md"

Judgements = dict[str, dict[str, int]]
"""Query id to document id to relevance."""


def evaluate(
    index: Index, corpus: Path, queries: Path, qrels: Path, mode: str, fusion: Fusion = FUSION
) -> dict[str, object]:
    """Figures over the judged queries: nDCG@10 with linear gain, recall@10, recall@100, MRR@10 (as trec_eval).

    The corpus is added to the index first; the best chunk of a document is its rank. Raises InputError for a file
    that is not in the BEIR layout.
    """
    started = time.perf_counter()
    judged = read_qrels(qrels)
    texts = {query: text for query, text in read_queries(queries) if query in judged}
    if not texts:
        raise InputError(f"No query of {queries} is judged in {qrels}; give files of the same data set.")
    index.add(read_corpus(corpus))
    rankings = {query: ranked_documents(index, text, mode, fusion) for query, text in texts.items()}
    figures = score(rankings, judged)
    return {
        **figures,
        "queries": len(rankings),
        "mode": mode,
        "embedder": index.embedder.identity,
        "seconds": round(time.perf_counter() - started, 2),
    }


def score(rankings: Mapping[str, Sequence[str]], judged: Judgements) -> dict[str, float]:
    """Means over the queries of `rankings` of their document ids, best first."""
    rows = [_scores(ranking, judged[query]) for query, ranking in rankings.items()]
    return {key: round(math.fsum(row[key] for row in rows) / len(rows), 5) for key in rows[0]}


def _scores(ranking: Sequence[str], judgements: Mapping[str, int]) -> dict[str, float]:
    gains = [max(judgements.get(document, 0), 0) for document in ranking]
    ideal = sorted((gain for gain in judgements.values() if gain > 0), reverse=True)
    first = next((rank for rank, gain in enumerate(gains[:10], 1) if gain > 0), math.inf)
    found = [sum(gain > 0 for gain in gains[:depth]) / len(ideal) for depth in (10, _DOCUMENTS)]
    return {
        "ndcg@10": _discounted(gains[:10]) / _discounted(ideal[:10]),
        "recall@10": found[0],
        "recall@100": found[1],
        "mrr@10": 1 / first,
    }


def _discounted(gains: Sequence[int]) -> float:
    """Cumulated gain, each discounted by the binary logarithm of its rank + 1 (Järvelin and Kekäläinen, 2002)."""
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def ranked_documents(index: Index, query: str, mode: str, fusion: Fusion) -> list[str]:
    """Ids of the 100 documents with the best chunks, best first."""
    hits = index.search(query, _CHUNKS, mode, fusion, PLAIN)
    return list(dict.fromkeys(hit.document.removesuffix(_SUFFIX) for hit in hits))[:_DOCUMENTS]


def read_corpus(path: Path) -> Iterator[Source]:
    """Each row as a Markdown file, its title a heading, named by its `_id`."""
    for place, row in read_rows(path):
        text = str(_field(place, row, "text"))
        title = " ".join(str(row.get("title") or "").split())
        whole = f"# {title}\n\n{text}" if title else text
        yield str(_field(place, row, "_id")) + _SUFFIX, whole.encode()


def read_queries(path: Path) -> Iterator[tuple[str, str]]:
    """Id and text of each query."""
    for place, row in read_rows(path):
        yield str(_field(place, row, "_id")), str(_field(place, row, "text"))


def read_qrels(path: Path) -> Judgements:
    """Judgements of the queries that have a relevant document; tab-separated query, document, relevance."""
    judged: Judgements = {}
    for number, line in enumerate(_lines(path), 1):
        cells = line.split("\t")
        if number == 1 and cells[-1].strip() == "score":
            continue
        try:
            query, document, relevance = cells[0], cells[-2], int(cells[-1])
        except (ValueError, IndexError) as error:
            raise InputError(f"{path}:{number} is not `query<TAB>document<TAB>relevance`; correct the line.") from error
        judged.setdefault(query, {})[document] = relevance
    return {query: rows for query, rows in judged.items() if max(rows.values()) > 0}


def read_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Place and object of each line of a JSONL file. Raises InputError for a line that is none."""
    for number, line in enumerate(_lines(path), 1):
        place = f"{path}:{number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{place} is not JSON ({error}); give one JSON object a line.") from error
        if not isinstance(row, dict):
            raise InputError(f"{place} is not a JSON object; give one a line.")
        yield place, row


def _field(place: str, row: Mapping[str, object], key: str) -> object:
    if key not in row:
        raise InputError(f"{place} has no {key!r}; rows of the BEIR layout have `_id` and `text`.")
    return row[key]


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text("utf-8").split("\n") if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); give a UTF-8 file.") from error
