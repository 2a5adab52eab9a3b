"""The part of the Documents page that shows how a file would be cut, before it is added."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from .chunking import LEAST, SIZE, Chunking
from .cuts_view import preview_html
from .errors import InputError

if TYPE_CHECKING:
    from .embedder import Embedder


@dataclass(frozen=True)
class Cutting:
    """The handlers. Anyone can call them with anything, so each checks its input and speaks through gr.Error."""

    embedder: "Callable[[], Embedder]"

    def preview(self, files: Any, size: Any, overlap: Any) -> str:
        """The cuts of the first file that is chosen."""
        from .files import bytes_of
        from .preview import preview
        from .reading import READER

        if not files:
            raise gr.Error("No file is chosen; choose one above.", print_exception=False)
        path = Path(str(files[0]))
        try:
            embedder = self.embedder()
            chunking = chunking_of(size, overlap).within(embedder.limit)
            data, _ = bytes_of(path.name, path)
            document = READER.read(path.name, data)
            return preview_html(
                document, preview(document, embedder.tokenizer, embedder.limit, chunking), embedder.limit
            )
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error


def chunking_of(size: Any, overlap: Any) -> Chunking:
    """What is typed in. Raises InputError."""
    try:
        return Chunking(int(size), int(overlap or 0))
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{size!r} and {overlap!r} are no sizes; give whole numbers of tokens.") from error


def cutting_parts(cutting: Cutting, files: gr.File) -> tuple[gr.Number, gr.Number, gr.Button]:
    """Build the part; the size and overlap that are typed in, and the button that cuts an index anew."""
    gr.Markdown(
        "Documents are cut between paragraphs and sentences into chunks of at most so many tokens, as the embedder "
        "counts them. A chunk may begin with the last sentences of the one before it; a paragraph's short end is "
        "evened out with the chunk before. A new index is cut so; what an index holds already is embedded anew, and "
        "serves as it was meanwhile."
    )
    with gr.Row(equal_height=True):
        size = gr.Number(SIZE, label="Chunk size", minimum=LEAST, precision=0, min_width=120)
        overlap = gr.Number(0, label="Overlap", minimum=0, precision=0, min_width=120)
        look = gr.Button("Preview the cuts", min_width=140)
        recut = gr.Button("Embed the index anew", min_width=140)
    shown = gr.HTML(padding=False)
    look.click(cutting.preview, [files, size, overlap], shown, api_visibility="private")
    return size, overlap, recut
