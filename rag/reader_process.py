"""What the confined process of `rag.reading` runs: a file in, its text out, or an archive in, its members out."""

import os
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import psutil

from .archive import Archive
from .confined import serve
from .documents import Document, read_document
from .errors import InputError

_SWOLLEN = 512 << 20  # bytes that the process may keep between two files; what was freed seldom goes back


def read(header: dict[str, Any], data: bytes, reply: Callable[..., None]) -> None:
    """Answer with a document, or with the sentence that says why there is none; of an archive, with its members."""
    name = header["name"]
    try:
        if header.get("unpack"):
            _unpack(Archive(name, data), reply)
            return
        document = read_document(name, data)
    except InputError as error:
        reply({"error": str(error), "last": _swollen()})
    except MemoryError:
        raise
    except Exception as error:  # a parser's own mistake about one file must not end the run over all of them
        reason = f"{name} cannot be read ({type(error).__name__}); it may be damaged: save it anew."
        reply({"error": reason, "last": _swollen()})
    else:
        reply({"document": _structure(document), "last": _swollen()}, document.text.encode())


def _unpack(archive: Archive, reply: Callable[..., None]) -> None:
    """First how many members there are, then each, under "name" with its bytes or under "name" and "error"."""
    reply({"members": len(archive), "left_out": archive.left_out})
    for member in archive.members():
        reply({"name": member.name, "error": member.error}, member.data)


def _structure(document: Document) -> dict[str, Any]:
    return {
        "sha256": document.sha256,
        "media_type": document.media_type,
        "pages": document.pages,
        "headings": [astuple(heading) for heading in document.headings],
        "remarks": document.remarks,
        "dated": document.dated,
    }


def _swollen() -> bool:
    return bool(psutil.Process().memory_info().rss > _SWOLLEN)


if __name__ == "__main__":
    serve(read)
    os._exit(0)  # at once: nothing here needs an orderly end
