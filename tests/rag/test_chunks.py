from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Encoding, Tokenizer

from rag.chunking import Chunking
from rag.chunks import Chunk, split
from rag.documents import Document, Heading, read_document
from rag.embedder import Embedder
from rag.errors import InputError
from rag.markdown import markdown_headings
from rag.units import BATCH, units

PIECES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["# One\n", "## Two\n", "\n\n", "A sentence of words. ", "supercalifragilistic", "word " * 300]),
    st.sampled_from(["日本語の文章。", "é" * 50, "x" * 900, "- item\n", "1.5 per cent. ", "\f", "\u2028"]),
    st.sampled_from(
        ["Short one. ", "Is it? ", "e\u0301" * 30, "\u200b" * 40, "\xa0\n", " " * 300, "e" + "\u0301" * 700]
    ),
)
CHUNKINGS = st.integers(16, 200).flatmap(
    lambda size: st.builds(Chunking, st.just(size), st.integers(0, (size - 1) // 2), st.booleans())
)


def _document(text: str) -> Document:
    return Document(
        "a.md", text, "0" * 64, "text/markdown", headings=tuple(Heading(*each) for each in markdown_headings(text))
    )


def _tokens(embedder: Embedder, text: str) -> int:
    return len(embedder.tokenizer.encode(text, add_special_tokens=False))


@settings(max_examples=60)
@given(pieces=st.lists(PIECES, max_size=14), chunking=CHUNKINGS, limit=st.sampled_from([40, 256]))
def test_chunks_cover_the_text_in_order_within_the_limit(
    embedder: Embedder, pieces: list[str], chunking: Chunking, limit: int
) -> None:
    text = "".join(pieces)
    chunks = split(_document(text), embedder.tokenizer, limit, chunking)
    covered = 0
    for chunk in chunks:
        assert chunk.text == text[chunk.start : chunk.end]
        assert chunk.text == chunk.text.strip() != ""
        assert chunk.end > covered
        assert not text[covered : chunk.start].strip()
        assert len(embedder.tokenizer.encode(chunk.embedded)) <= limit
        covered = chunk.end
    assert not text[covered:].strip()
    assert all(one.start < two.start for one, two in pairwise(chunks))
    assert all(one.end <= three.start for one, three in zip(chunks, chunks[2:], strict=False)), "twice, never thrice"
    if not chunking.overlap:
        assert all(one.end <= two.start for one, two in pairwise(chunks))


@settings(max_examples=60)
@given(pieces=st.lists(PIECES, max_size=14), chunking=CHUNKINGS)
def test_overlaps_are_whole_sentences_within_the_size(
    embedder: Embedder, pieces: list[str], chunking: Chunking
) -> None:
    document = _document("".join(pieces))
    sentences = {unit.span.start: unit.span for unit in units(document, embedder.tokenizer)}
    for one, two in pairwise(split(document, embedder.tokenizer, 256, chunking)):
        if two.start < one.end:
            repeated = [span for start, span in sentences.items() if two.start <= start < one.end]
            assert repeated[0].start == two.start
            assert repeated[-1].end == one.end
            assert all(span.whole for span in repeated)
            assert _tokens(embedder, document.text[two.start : one.end]) <= chunking.overlap
            assert one.heading == two.heading
        if sum(two.start <= start < two.end for start in sentences) > 1:
            assert _tokens(embedder, two.text) <= chunking.size


def test_overlap_repeats_the_end_of_the_chunk_before(embedder: Embedder) -> None:
    text = "# Tools\n\n" + " ".join(f"Tool number {n} has a handle of wood." for n in range(40))
    chunks = split(_document(text), embedder.tokenizer, 256, Chunking(60, 20))
    assert len(chunks) > 6
    for one, two in pairwise(chunks):
        assert two.text.startswith("Tool number")
        shared = text[two.start : one.end]
        assert one.text.endswith(shared)
        assert shared.count("Tool number") == 2, "two sentences of nine tokens are the most that twenty hold"
    separate = split(_document(f"{text}\n\n# Glue\n\nIt dries."), embedder.tokenizer, 256, Chunking(60, 20))
    assert separate[-1].text == "# Glue\n\nIt dries.", "another heading's end is not repeated"


def test_a_sentence_larger_than_what_is_left_pushes_the_overlap_out(embedder: Embedder) -> None:
    """An overlap that counted beside the size made chunks over it."""
    text = "One is here. Two is here. Three is here. " + "many words " * 24 + "end. Four is here."
    chunks = split(_document(text), embedder.tokenizer, 256, Chunking(50, 24))
    assert [_tokens(embedder, chunk.text) for chunk in chunks] == [12, 50, 4]
    assert chunks[1].text.startswith("many words"), "three sentences and fifty tokens would be over the size"


def test_a_paragraphs_short_end_is_evened_out(embedder: Embedder) -> None:
    """The last sentence or two of an abstract made a chunk that no question found, which lacked in the one before."""
    text = " ".join(f"Tool number {n} has a handle of wood." for n in range(14))
    evened, filled = _both_ways(embedder, text)
    assert [_tokens(embedder, chunk.text) for chunk in filled] == [99, 27]
    assert [_tokens(embedder, chunk.text) for chunk in evened] == [63, 63]
    longer = split(_document(text + text), embedder.tokenizer, 256, Chunking(100, 30))
    assert [_tokens(embedder, chunk.text) for chunk in longer] == [99, 99, 63, 72], "with what they repeat"


def test_a_short_end_is_evened_out_between_paragraphs_where_one_begins(embedder: Embedder) -> None:
    first, second = "The drill has a motor. " * 7, "The saw has a guard. " * 14
    both = f"{first.strip()}\n\n{second.strip()}"
    evened, filled = _both_ways(embedder, both)
    assert filled[0].text.endswith("guard.")
    assert [chunk.text for chunk in evened] == [first.strip(), second.strip()]


def test_a_short_paragraph_stays_one(embedder: Embedder) -> None:
    text = "The drill has a motor. " * 16 + "\n\nGlue dries."
    assert split(_document(text), embedder.tokenizer, 256, Chunking(98))[-1].text == "Glue dries."


def _both_ways(embedder: Embedder, text: str) -> tuple[list[Chunk], list[Chunk]]:
    """Chunks of a hundred tokens, with ends that are evened out and without."""
    evened, filled = Chunking(100), Chunking(100, even=False)
    return tuple(split(_document(text), embedder.tokenizer, 256, each) for each in (evened, filled))  # type: ignore[return-value]


def test_chunks_are_cut_between_paragraphs_and_know_their_headings(embedder: Embedder) -> None:
    first, second = "The drill has a brushless motor. " * 12, "The saw has a guard. " * 20
    text = f"# Tools\n\n## Drill\n\n{first}\n\n{second}\n\n## Glue\n\nIt dries in an hour."
    chunks = split(_document(text), embedder.tokenizer, 256, Chunking(120))
    assert [chunk.heading for chunk in chunks] == ["Tools > Drill", "Tools > Drill", "Tools > Glue"]
    assert chunks[0].text.startswith("# Tools\n\n## Drill\n\nThe drill")
    assert chunks[1].text == second.strip()
    assert chunks[1].embedded == f"Tools > Drill\n{second.strip()}"
    assert chunks[0].prefix == "", "its own text begins with both headings"
    assert chunks[2].embedded == "Tools\n## Glue\n\nIt dries in an hour."


def test_a_heading_that_would_not_fit_is_kept_but_not_embedded(embedder: Embedder) -> None:
    title = "long " * 60
    chunks = split(_document(f"# {title}\n\n" + "Some words here. " * 60), embedder.tokenizer, 100, Chunking(90))
    assert len(chunks) > 2
    assert {chunk.heading for chunk in chunks} == {title.strip()}
    assert [chunk.prefix for chunk in chunks[1:-1]] == [""] * (len(chunks) - 2)


def test_long_text_fills_its_chunks(embedder: Embedder) -> None:
    """A cut that leaves many slivers makes every search worse; the mean must stay near the size asked for."""
    text = "\n\n".join(f"Sentence number {i} says a little about nothing much. " * (i % 7 + 1) for i in range(80))
    chunks = split(read_document("a.txt", text.encode()), embedder.tokenizer, embedder.limit)
    tokens = [_tokens(embedder, chunk.text) for chunk in chunks]
    assert sum(tokens) / len(tokens) > 120
    assert max(tokens) <= 254


@pytest.mark.parametrize("text", ["", "  \n "])
def test_no_text_no_chunks(embedder: Embedder, text: str) -> None:
    assert split(_document(text), embedder.tokenizer, 256) == []


def test_embedded_is_prefix_and_text() -> None:
    assert Chunk(0, 2, "ab", "H", "H\n").embedded == "H\nab"


@pytest.mark.parametrize(
    ("size", "overlap", "reason"),
    [(15, 0, "at least 16 tokens"), (100, 50, "give 0 to 49"), (101, 51, "give 0 to 50"), (100, -1, "give 0 to 49")],
)
def test_sizes_that_cannot_be_are_refused(size: int, overlap: int, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        Chunking(size, overlap)


def test_a_size_over_what_the_embedder_reads_is_refused() -> None:
    assert Chunking(256).within(256) == Chunking(256)
    with pytest.raises(InputError, match="give 16 to 256"):
        Chunking(257).within(256)


def test_an_index_knows_its_chunking_by_what_it_noted() -> None:
    assert Chunking.of("size 200") == Chunking(even=False), "that of every index made before sizes could be chosen"
    for chunking in (Chunking(), Chunking(64), Chunking(120, 30), Chunking(120, 30, even=False)):
        assert Chunking.of(chunking.identity) == chunking
    with pytest.raises(InputError, match="not known here"):
        Chunking.of("size 200 overlap")


class Counting:
    """A tokenizer that notes how much it was given."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.characters = self.most = 0
        self._tokenizer = tokenizer

    def num_special_tokens_to_add(self, is_pair: bool) -> int:
        return self._tokenizer.num_special_tokens_to_add(is_pair)

    def encode_batch_fast(self, texts: list[str], add_special_tokens: bool) -> list[Encoding]:
        self.characters += sum(map(len, texts))
        self.most = max(self.most, len(texts))
        return self._tokenizer.encode_batch_fast(texts, add_special_tokens=add_special_tokens)


@pytest.mark.parametrize(
    "text",
    [
        "# " + "title " * 10_000 + "\n\n" + "Some words here. " * 3_000,
        "word " * 20_000,
        "a. " * 20_000,
        "a\n\n" * 20_000,
        "x" * 100_000,
        "a" + "\n" * 100_000 + "b",
        "a" + " " * 100_000 + "b",
        "a" + "\n\xa0" * 100_000 + "b",
        "e" + "\u0301" * 100_000,
        "\u200b\n\n" * 30_000,
        "日本語の文章" * 5_000,
        "".join("#" * (n % 6 + 1) + f" h{n}\nx\n" for n in range(5_000)),
    ],
    ids=[
        "title",
        "words",
        "sentences",
        "paragraphs",
        "word",
        "lines",
        "blanks",
        "odd",
        "marks",
        "void",
        "cjk",
        "headings",
    ],
)
def test_no_shape_of_text_costs_more_than_its_length(embedder: Embedder, text: str) -> None:
    """A heading of a million characters was counted with each chunk below it; lines of non-breaking spaces were
    searched from each to the end; what the tokenizer does not see went into one chunk of any length."""
    counting = Counting(embedder.tokenizer)
    chunks = split(_document(text), counting, 256)  # type: ignore[arg-type]
    assert counting.characters <= 10 * len(text)
    assert counting.most <= BATCH
    assert max(len(chunk.embedded) + len(chunk.heading) for chunk in chunks) < 10_000
    assert sum(len(chunk.text) for chunk in chunks) <= len(text)
