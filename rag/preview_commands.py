"""The command that shows how a file would be cut."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .chunking import SIZE, Chunking
from .commands import command, show

if TYPE_CHECKING:
    from .preview import Cut


def add(commands: Any) -> None:
    """Add the command to those of `python -m rag`."""
    words = "show how a file would be cut into chunks, without adding it"
    sub = command(commands, "chunks", chunks, words, "handbook.pdf --chunk-size 120 --overlap 30")
    sub.add_argument("file", type=Path, metavar="FILE")
    sub.add_argument("--chunk-size", type=int, default=SIZE, metavar="N", help=f"tokens of a chunk (default: {SIZE})")
    sub.add_argument("--overlap", type=int, default=0, metavar="N", help="tokens repeated of the one before (0)")


def chunks(options: argparse.Namespace) -> int:
    """Print the chunks of a file with their tokens; what the chunk before holds too stands in double brackets."""
    from .embedder import Embedder
    from .files import bytes_of
    from .preview import preview
    from .reading import READER

    chunking = Chunking(options.chunk_size, options.overlap)
    data, _ = bytes_of(str(options.file), options.file)
    document = READER.read(str(options.file), data)
    embedder = Embedder(options.embedder)
    cuts = preview(document, embedder.tokenizer, embedder.limit, chunking.within(embedder.limit))
    tokens = [cut.tokens for cut in cuts]
    figures = {"least": min(tokens), "mean": round(sum(tokens) / len(tokens), 1), "most": max(tokens)}
    rows = [
        {
            "start": cut.chunk.start,
            "end": cut.chunk.end,
            "page": cut.page,
            "heading": cut.chunk.heading,
            "repeated": cut.repeated,
            "tokens": cut.tokens,
            "embedded_tokens": cut.embedded,
            "text": cut.chunk.text,
        }
        for cut in cuts
    ]
    summary = "{} chunks of {least} to {most} tokens, {mean} on average; the embedder reads {}"
    lines = [*(line for number, cut in enumerate(cuts, 1) for line in _lines(number, cut))]
    lines.append(summary.format(len(cuts), embedder.limit, **figures))
    result = {"file": str(options.file), "chunking": chunking.identity, "limit": embedder.limit, "tokens": figures}
    show(options, {**result, "chunks": rows}, lines)
    return 0


def _lines(number: int, cut: "Cut") -> Iterator[str]:
    chunk = cut.chunk
    place = f"page {cut.page}, " if cut.page else ""
    heading = f", {chunk.heading}" if chunk.heading else ""
    more = f" ({cut.embedded} as embedded)" if chunk.prefix else ""
    yield f"[{number}] {place}characters {chunk.start} to {chunk.end}, {cut.tokens} tokens{more}{heading}"
    again, new = (" ".join(part.split()) for part in (chunk.text[: cut.repeated], chunk.text[cut.repeated :]))
    yield f"    [[{again}]] {new}\n" if again else f"    {new}\n"
