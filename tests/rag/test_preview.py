"""The cuts as they are shown before a document is added."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from rag.__main__ import main
from rag.chunking import Chunking
from rag.documents import read_document
from rag.embedder import Embedder
from rag.index import Index
from rag.preview import preview

SENTENCES = " ".join(f"Tool number {n} has a handle of wood." for n in range(30))
HANDBOOK = f"# Tools\n\n{SENTENCES}\n\n## Glue\n\nIt dries in an hour.\n"


def test_preview_tells_tokens_and_repeats(embedder: Embedder) -> None:
    document = read_document("a.md", HANDBOOK.encode())
    cuts = preview(document, embedder.tokenizer, embedder.limit, Chunking(60, 20))
    assert len(cuts) > 4
    assert cuts[0].repeated == cuts[-1].repeated == 0
    for before, cut in pairwise(cuts[:-1]):
        again = cut.chunk.text[: cut.repeated]
        assert again
        assert before.chunk.text.endswith(again)
        assert cut.tokens <= 60 < embedder.limit
        assert cut.embedded == cut.tokens + 3, "the heading and two special tokens come on top"
        assert cut.embedded == len(embedder.tokenizer.encode(cut.chunk.embedded))


def test_what_is_previewed_is_what_is_added(embedder: Embedder, index: Index) -> None:
    index.add([("a.md", HANDBOOK.encode())])
    document = read_document("a.md", HANDBOOK.encode())
    cuts = preview(document, embedder.tokenizer, embedder.limit, Chunking())
    assert index.documents()[0].chunks == len(cuts)
    hits = index.search("tool handle wood glue dries", 20, "bm25")
    assert {hit.text for hit in hits} <= {cut.chunk.text for cut in cuts}


@pytest.fixture
def handbook(tmp_path: Path, embedder: Embedder, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("rag.embedder.Embedder", lambda name=None: embedder)
    path = tmp_path / "handbook.md"
    path.write_text(HANDBOOK)
    return str(path)


def test_the_command_prints_the_cuts(handbook: str, capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert main(["chunks", handbook, "--chunk-size", "60", "--overlap", "20"]) == 0
    text = capsys.readouterr().out
    assert "[[Tool number" in text
    assert "Tools > Glue" in text
    assert "the embedder reads 256" in text
    assert main(["chunks", handbook, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["chunking"] == "size 200 even ends"
    assert result["chunks"][0]["text"] == HANDBOOK[result["chunks"][0]["start"] : result["chunks"][0]["end"]]
    assert not (home / "indexes").exists(), "nothing is added"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--chunk-size", "257"], "give 16 to 256"),
        (["--chunk-size", "8"], "at least 16 tokens"),
        (["--overlap", "100"], "less than half of the size"),
    ],
)
def test_the_command_refuses_sizes_that_cannot_be(
    handbook: str, capsys: pytest.CaptureFixture[str], options: list[str], reason: str
) -> None:
    assert main(["chunks", handbook, *options]) == 2
    assert reason in capsys.readouterr().err
