import json

import numpy as np
import pytest

from rag.__main__ import main
from rag.index import Index
from rag.refining import PLAIN, REFINED, Refining, refine
from rag.rerank import Reranked

from .conftest import HOURS, WARRANTY

TEXTS = ["a b c", "A, B, C.", "d e f", "g h i"]
SCORES = np.array([0.9, 0.8, 0.7, 0.1])
VECTORS = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], np.float32)


class Backwards:
    """Stands for a reranker that likes the last best, and reads three."""

    name = "backwards"

    def order(self, question: str, passages: list[str], seconds: float) -> Reranked:
        read = list(range(len(passages)))[:3]
        return Reranked([*read[::-1], *range(3, len(passages))], [float(place) for place in read[::-1]])


def chosen(how: Refining, k: int = 4) -> list[tuple[int, tuple[int, ...], float | None]]:
    found = refine("q", TEXTS, SCORES, VECTORS, k, how)
    return [(one.place, one.same, one.rerank) for one in found.passages]


def test_each_step_alone_and_all_together() -> None:
    reader: Refining = Refining(merge=False, reranker=Backwards())  # type: ignore[arg-type]
    assert chosen(PLAIN, 2) == [(0, (), None), (1, (), None)]
    assert chosen(REFINED) == [(0, (1,), None), (2, (), None), (3, (), None)]
    assert chosen(Refining(diverse=True, balance=0.5)) == [(0, (1,), None), (3, (), None), (2, (), None)]
    assert chosen(reader) == [(2, (), 2.0), (1, (), 1.0), (0, (), 0.0), (3, (), None)]
    both = Refining(reranker=Backwards(), diverse=True, balance=0.4)  # type: ignore[arg-type]
    assert chosen(both) == [(3, (), 2.0), (2, (), 1.0), (0, (1,), 0.0)]
    found = refine("q", TEXTS, SCORES, VECTORS, 1, reader)
    assert (len(found.passages), found.read) == (1, 3)
    assert found.seconds > 0
    assert refine("q", [], np.empty(0), np.empty((0, 2)), 3, both).passages == []


def test_a_hit_carries_the_scores_of_each_method_and_what_was_merged(shop: Index) -> None:
    shop.add([("copy.txt", WARRANTY.upper().encode())])
    question = "How long is the warranty of the drill?"
    first, *others = shop.search(question, 4)
    (words,) = [hit for hit in shop.search(question, 4, "bm25") if hit.chunk == first.chunk]
    assert {first.document, *first.same} == {"warranty.txt", "copy.txt"}
    assert all(not {"warranty.txt", "copy.txt"} & {hit.document} for hit in others)
    assert (first.fused, first.bm25) == (first.score, pytest.approx(words.score))
    assert (words.bm25, words.fused, first.rerank) == (words.score, None, None)
    assert shop.search(question, 1, "dense")[0].bm25 is None
    assert len(shop.search(question, 4, refining=PLAIN)) == 4


def test_the_result_says_what_the_reranker_took(shop: Index) -> None:
    found = shop.find("When is the shop open?", 3, refining=Refining(reranker=Backwards()))  # type: ignore[arg-type]
    assert [hit.rerank for hit in found.hits] == [2.0, 1.0, 0.0]
    assert found.hits[-1].text == HOURS, "the best until it was read"
    assert found.read == 3
    assert 0 < found.rerank_seconds < found.seconds


def test_the_command_shows_scores_and_what_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path_factory.mktemp("files")
    for name, text in (("one.txt", WARRANTY), ("two.txt", WARRANTY.upper()), ("hours.txt", HOURS)):
        (folder / name).write_text(text)
    assert main(["add", str(folder)]) == 0
    capsys.readouterr()
    assert main(["search", "How long is the warranty?", "--diverse", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert len(result["hits"]) == 2
    assert len(result["hits"][0]["same"]) == 1
    assert result["reranked"] == 0
    assert main(["search", "How long is the warranty?"]) == 0
    assert "says the same: " in capsys.readouterr().out
    assert main(["search", "How long is the warranty?", "--all", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["hits"]) == 3
    assert main(["search", "warranty", "--rerank", "/no/such/folder"]) == 2
    assert "No reranker '/no/such/folder' was found" in capsys.readouterr().err
