"""What the commands of `python -m rag` share: a command's frame, the index that it is about, progress on a terminal."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import InputError
from .library import Library

if TYPE_CHECKING:
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


def opened(options: argparse.Namespace, make: bool = False) -> "Index":
    """The index that the command is about. Raises InputError where there is none and `make` is not set."""
    from .embedder import Embedder

    home = Path(os.environ.get("FOURFOLD_HOME") or _REPO / "data" / "local")
    return Library(home / "indexes", lambda: Embedder(options.embedder)).open(options.index, make)


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
