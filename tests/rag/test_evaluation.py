import json
import math
from pathlib import Path

import pytest

from rag.errors import InputError
from rag.evaluation import evaluate, read_qrels, score
from rag.index import Index


def test_figures_worked_by_hand() -> None:
    figures = score({"q": ["x", "a", "y", "b"]}, {"q": {"a": 2, "b": 1, "c": 1, "z": 0}})
    gained = 2 / math.log2(3) + 1 / math.log2(5)
    ideal = 2 + 1 / math.log2(3) + 1 / math.log2(4)
    assert figures["ndcg@10"] == pytest.approx(gained / ideal, abs=1e-5)
    assert figures["recall@10"] == figures["recall@100"] == pytest.approx(2 / 3, abs=1e-5)
    assert figures["mrr@10"] == 0.5


def test_nothing_found_scores_zero_and_depth_counts() -> None:
    ranking = [str(n) for n in range(200)]
    assert score({"q": []}, {"q": {"a": 1}}) == {"ndcg@10": 0, "recall@10": 0, "recall@100": 0, "mrr@10": 0}
    eleventh = score({"q": ranking}, {"q": {"10": 1}})
    assert (eleventh["ndcg@10"], eleventh["recall@10"], eleventh["recall@100"], eleventh["mrr@10"]) == (0, 0, 1, 0)


def _lines(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_a_small_data_set_end_to_end(tmp_path: Path, index: Index) -> None:
    corpus = _lines(
        tmp_path / "c.jsonl",
        {"_id": "d/1", "title": "Bees", "text": "They make honey.\u2028And wax."},
        {"_id": "2", "title": "", "text": "Whales are mammals that live in the sea."},
    )
    queries = _lines(
        tmp_path / "q.jsonl",
        {"_id": "q1", "text": "who makes honey"},
        {"_id": "q2", "text": "sea mammals"},
        {"_id": "q3", "text": "-"},
    )
    qrels = tmp_path / "qrels.tsv"
    qrels.write_text("query-id\tcorpus-id\tscore\nq1\td/1\t1\nq2\t2\t1\nq3\t2\t0\n")
    figures = evaluate(index, corpus, queries, qrels, "hybrid")
    assert figures["ndcg@10"] == figures["mrr@10"] == figures["recall@100"] == 1
    assert (figures["queries"], figures["mode"], figures["embedder"]) == (2, "hybrid", index.embedder.identity)


@pytest.mark.parametrize(
    ("line", "place"), [("q1 d1 1", "qrels.tsv:2 is not"), ("q1\td1\tyes", "qrels.tsv:2 is not"), ("q1", "qrels.tsv:2")]
)
def test_a_bad_judgement_is_named(tmp_path: Path, line: str, place: str) -> None:
    path = tmp_path / "qrels.tsv"
    path.write_text(f"query-id\tcorpus-id\tscore\n{line}\n")
    with pytest.raises(InputError, match=place):
        read_qrels(path)


@pytest.mark.parametrize("text", ["{", "[1]", '{"text": "no id"}'])
def test_a_bad_corpus_row_is_named(tmp_path: Path, index: Index, text: str) -> None:
    corpus, queries, qrels = tmp_path / "c.jsonl", tmp_path / "q.jsonl", tmp_path / "r.tsv"
    corpus.write_text(text)
    _lines(queries, {"_id": "q", "text": "t"})
    qrels.write_text("q\td\t1\n")
    with pytest.raises(InputError, match=r"c\.jsonl:1"):
        evaluate(index, corpus, queries, qrels, "dense")


@pytest.mark.slow
def test_a_tenth_of_scifact_ranks_well_in_every_mode(shared_data: Path, tmp_path: Path, index: Index) -> None:
    """60 queries over their judged abstracts and 200 more: small enough to run, and a broken ranking would show."""
    folder = shared_data / "scifact"
    judged = dict(list(read_qrels(folder / "qrels" / "test.tsv").items())[:60])
    wanted = {document for rows in judged.values() for document in rows}
    rows = [json.loads(line) for line in (folder / "corpus.jsonl").read_text().split("\n") if line]
    others = [row for row in rows if row["_id"] not in wanted][:200]
    corpus = _lines(tmp_path / "corpus.jsonl", *(row for row in rows if row["_id"] in wanted), *others)
    qrels = tmp_path / "qrels.tsv"
    qrels.write_text("".join(f"{q}\t{d}\t{gain}\n" for q, found in judged.items() for d, gain in found.items()))
    for mode in ("dense", "bm25", "hybrid"):
        figures = evaluate(index, corpus, folder / "queries.jsonl", qrels, mode)
        assert figures["queries"] == 60
        assert 0.85 < float(str(figures["ndcg@10"])) < 1, figures
