import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.chunks import Chunk, split
from rag.documents import Document, Heading, read_document
from rag.embedder import Embedder
from rag.markdown import markdown_headings

PIECES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["# One\n", "## Two\n", "\n\n", "A sentence of words. ", "supercalifragilistic", "word " * 300]),
    st.sampled_from(["日本語の文章。", "é" * 50, "x" * 900, "- item\n", "1.5 per cent. ", "\f", "\u2028"]),
)


def _document(text: str) -> Document:
    return Document(
        "a.md", text, "0" * 64, "text/markdown", headings=tuple(Heading(*each) for each in markdown_headings(text))
    )


@settings(max_examples=150, deadline=None)
@given(pieces=st.lists(PIECES, max_size=12), size=st.integers(5, 200), limit=st.sampled_from([40, 256]))
def test_chunks_cover_the_text_in_order_within_the_limit(
    embedder: Embedder, pieces: list[str], size: int, limit: int
) -> None:
    text = "".join(pieces)
    chunks = split(_document(text), embedder.tokenizer, limit, size)
    covered = 0
    for chunk in chunks:
        assert chunk.text == text[chunk.start : chunk.end]
        assert chunk.text == chunk.text.strip() != ""
        assert chunk.start >= covered
        assert not text[covered : chunk.start].strip()
        assert len(embedder.tokenizer.encode(chunk.embedded)) <= limit
        covered = chunk.end
    assert not text[covered:].strip()


def test_chunks_are_cut_between_paragraphs_and_know_their_headings(embedder: Embedder) -> None:
    first, second = "The drill has a brushless motor. " * 12, "The saw has a guard. " * 20
    text = f"# Tools\n\n## Drill\n\n{first}\n\n{second}\n\n## Glue\n\nIt dries in an hour."
    chunks = split(_document(text), embedder.tokenizer, 256, 120)
    assert [chunk.heading for chunk in chunks] == ["Tools > Drill", "Tools > Drill", "Tools > Glue"]
    assert chunks[0].text.startswith("# Tools\n\n## Drill\n\nThe drill")
    assert chunks[1].text == second.strip()
    assert chunks[1].embedded == f"Tools > Drill\n{second.strip()}"
    assert chunks[0].prefix == "", "its own text begins with both headings"
    assert chunks[2].embedded == "Tools\n## Glue\n\nIt dries in an hour."


def test_a_heading_that_would_not_fit_is_kept_but_not_embedded(embedder: Embedder) -> None:
    title = "long " * 60
    chunks = split(_document(f"# {title}\n\n" + "Some words here. " * 60), embedder.tokenizer, 100, 90)
    assert len(chunks) > 2
    assert {chunk.heading for chunk in chunks} == {title.strip()}
    assert [chunk.prefix for chunk in chunks[1:-1]] == [""] * (len(chunks) - 2)


def test_long_text_fills_its_chunks(embedder: Embedder) -> None:
    """A cut that leaves many slivers makes every search worse; the mean must stay near the size asked for."""
    text = "\n\n".join(f"Sentence number {i} says a little about nothing much. " * (i % 7 + 1) for i in range(80))
    chunks = split(read_document("a.txt", text.encode()), embedder.tokenizer, embedder.limit)
    tokens = [len(embedder.tokenizer.encode(chunk.text, add_special_tokens=False)) for chunk in chunks]
    assert sum(tokens) / len(tokens) > 120
    assert max(tokens) <= 254


@pytest.mark.parametrize("text", ["", "  \n "])
def test_no_text_no_chunks(embedder: Embedder, text: str) -> None:
    assert split(_document(text), embedder.tokenizer, 256) == []


def test_embedded_is_prefix_and_text() -> None:
    assert Chunk(0, 2, "ab", "H", "H\n").embedded == "H\nab"
