"""What the commands of `python -m rag` share: a command's frame, the index that it is about, progress on a terminal."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .chunking import SIZE, Chunking
from .errors import InputError
from .labels import Filter
from .library import Library

if TYPE_CHECKING:
    from .embedder import Embedder
    from .index import Index

_REPO = Path(__file__).resolve().parent.parent


def command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str, example: str
) -> argparse.ArgumentParser:
    """A command with its help and the options of all. `example` is what follows `python -m rag NAME`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + ".", epilog=f"example: python -m rag {name} {example}"
    )
    parser.set_defaults(command=run)
    parser.add_argument("--index", default="default", metavar="NAME", help="index to use (default: default)")
    parser.add_argument("--embedder", metavar="MODEL", help="sentence-transformers folder or Hub id")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    return parser


def show(options: argparse.Namespace, result: Mapping[str, Any], lines: Sequence[str]) -> None:
    """The result: for machines or for readers."""
    print(json.dumps(result) if options.json else "\n".join(lines))


def home() -> Path:
    """Where everything that is written at run time lives."""
    return Path(os.environ.get("FOURFOLD_HOME") or _REPO / "data" / "local").expanduser()


def library(options: argparse.Namespace) -> Library:
    """The indexes. An index keeps its embedder; one that is named on the command line must be that one."""
    return Library(home() / "indexes", lambda: embedder(options), strict=True)


def embedder(options: argparse.Namespace) -> "Embedder":
    """The embedder that is named, or that of the index, or that of new indexes. Raises InputError."""
    from .embedder import Embedder

    return Embedder(options.embedder or _own(options) or os.environ.get("FOURFOLD_EMBEDDER") or None)


def _own(options: argparse.Namespace) -> str:
    """What the embedder of an index that holds documents was loaded by, "" where there is none."""
    shelf = Library(home() / "indexes", lambda: embedder(options))
    if options.index not in shelf.names():
        return ""
    with shelf.store(options.index).snapshot() as snapshot:
        return "" if snapshot.empty else snapshot.edition.source


def opened(options: argparse.Namespace, make: bool = False, chunking: Chunking | None = None) -> "Index":
    """The index that the command is about. Raises InputError where there is none and `make` is not set."""
    return library(options).open(options.index, make, chunking)


def chunking_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--chunk-size", type=int, metavar="N", help=f"tokens of a chunk (new indexes: {SIZE})")
    parser.add_argument("--overlap", type=int, metavar="N", help="tokens that it repeats of the one before (0)")


def chunking_of(options: argparse.Namespace, held: Chunking) -> Chunking:
    """The chunking that the options ask for; size and overlap are as `held` where not said. Raises InputError."""
    size, overlap = options.chunk_size, options.overlap
    return Chunking(held.size if size is None else size, held.overlap if overlap is None else overlap)


def filter_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--document", action="append", default=[], metavar="DOC", help="look only in this one; can be repeated"
    )
    parser.add_argument("--folder", metavar="FOLDER", help="look only in documents below this folder or archive")
    parser.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="TAG",
        help="look only where this tag is; can be repeated",
    )
    parser.add_argument(
        "--since", default="", metavar="DAY", help="look only in documents of this day (2026-01-31) or later"
    )
    parser.add_argument("--until", default="", metavar="DAY", help="look only in documents of this day or earlier")


def filter_of(options: argparse.Namespace, index: "Index") -> Filter:
    """The documents that the options ask for. Raises InputError where there is none of that name or folder."""
    return Filter(
        tuple(find(index, wanted) for wanted in options.document),
        _folder(index, options.folder) if options.folder else "",
        tuple(options.tag),
        options.since,
        options.until,
    )


def _folder(index: "Index", wanted: str) -> str:
    with index.store.snapshot() as snapshot:
        for folder in (wanted.rstrip("/"), str(Path(wanted).resolve())):
            if snapshot.names(Filter(folder=folder)):
                return folder
    raise InputError(f"The index holds nothing below {wanted!r}; `python -m rag list` prints what it holds.")


def find(index: "Index", wanted: str) -> str:
    """The document meant: by its name, by its path, or by the end of a name that no other has. Raises InputError."""
    names = [name for document in index.documents() for name in document.names]
    for exact in (wanted, str(Path(wanted).resolve())):
        if exact in names:
            return exact
    found = [name for name in names if name.endswith(f"/{wanted}")]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"{len(found)} documents end in {wanted!r}; give the whole name: {', '.join(found)}.")
    raise InputError(f"The index holds no document {wanted!r}; `python -m rag list` prints those that it holds.")


def progress(total: int) -> tuple[Callable[[str, str, str], None] | None, Callable[[int], None]]:
    """What shows each file that is done, if anyone looks; and what is told of further ones in archives."""
    done = 0

    def tell(name: str, outcome: str, reason: str) -> None:
        nonlocal done
        done += 1
        print(f"\r\x1b[K{done}/{total} {outcome}: {Path(name).name}", end="" if done < total else "\n", file=sys.stderr)

    def found(more: int) -> None:
        nonlocal total
        total += more

    return tell if sys.stderr.isatty() else None, found


def agreed(question: str, otherwise: str) -> None:
    """Raise InputError, `otherwise` and why, unless the user says yes."""
    if not sys.stdin.isatty():
        raise InputError(f"{otherwise}: nobody is here to be asked; say --yes.")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise InputError(f"{otherwise}; answer y to do so.")
