"""The real default embedder, loaded once, and files of every kind that is read."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from rag.embedder import Embedder
from rag.index import Index

WARRANTY = "The warranty of the drill lasts three years from the day of purchase."
HOURS = "The shop opens at nine and closes at five on weekdays."
RETURNS = "Goods may be sent back within thirty days for a full refund."


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    """The default model: 90 MB, installed with the project, half a second to load."""
    return Embedder()


@pytest.fixture
def index(tmp_path: Path, embedder: Embedder) -> Index:
    """An empty index."""
    return Index(tmp_path / "indexes" / "shop", embedder)


@pytest.fixture
def shop(index: Index) -> Index:
    """An index of three short documents."""
    index.add([("warranty.txt", WARRANTY.encode()), ("hours.md", HOURS.encode()), ("returns.txt", RETURNS.encode())])
    return index


@pytest.fixture(scope="session")
def make_pdf() -> Callable[..., bytes]:
    """Pages of text to a PDF; an empty page has a drawing and no text."""

    def make(*pages: str, password: str | None = None) -> bytes:
        file = BytesIO()
        canvas = Canvas(file, encrypt=password)
        for page in pages:
            canvas.rect(10, 10, 20, 20)
            for line, text in enumerate(page.splitlines()):
                canvas.drawString(72, 720 - 14 * line, text)
            canvas.showPage()
        canvas.save()
        return file.getvalue()

    return make
