"""The commands over the documents of an index: add, list and remove them."""

import argparse
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .commands import command, find, opened, progress, show
from .errors import InputError


def add(commands: Any) -> None:
    """Add the commands to those of `python -m rag`."""
    sub = command(
        commands, "add", add_files, "add or update files, folders, zips", "handbook.pdf notes/ --index support"
    )
    sub.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    sub = command(commands, "remove", remove, "remove documents", "handbook.pdf --index support")
    sub.add_argument("documents", nargs="+", metavar="DOC")
    command(commands, "list", list_documents, "list the documents", "--index support")


def add_files(options: argparse.Namespace) -> int:
    """Add files and folders; 2 only where none of them could be added."""
    from .adding import files_under

    missing = [path for path in options.paths if not path.exists()]
    if len(missing) == len(options.paths):
        raise InputError(f"{missing[0]} does not exist; give files or folders.")
    left_out: Counter[str] = Counter()
    files = list(files_under(options.paths, left_out))
    if not files:
        raise InputError(f"{options.paths[0]} holds no file that is read; give documents, tables, books or e-mails.")
    report = opened(options, make=True).add(files, *progress(len(files)))
    left_out.update(report.left_out)
    lines = [
        f"{outcome:9}  {entry['path']}" + (f"  ({entry['reason']})" if "reason" in entry else "")
        for outcome in ("added", "updated", "unchanged", "failed")
        for entry in getattr(report, outcome)
    ]
    if left_out:
        lines.append("left out   " + ", ".join(f"{count} {kind}" for kind, count in sorted(left_out.items())))
    lines.append(f"{report.chunks} chunks in {report.seconds:.1f} s")
    show(options, {**asdict(report), "left_out": left_out}, lines)
    if not (report.added or report.updated or report.unchanged):
        raise InputError(report.failed[0]["reason"])
    return 0


def remove(options: argparse.Namespace) -> int:
    """Remove documents by name, by path or by the end of a name that no other has."""
    index = opened(options)
    names = [find(index, wanted) for wanted in options.documents]
    for name in names:
        index.remove(name)
    show(options, {"removed": names}, [f"removed  {name}" for name in names])
    return 0


def list_documents(options: argparse.Namespace) -> int:
    """Print the documents of an index."""
    index = opened(options)
    documents = index.documents()
    lines = []
    for document in documents:
        size = f"{document.pages} pages" if document.pages else f"{document.characters} characters"
        lines.append(f"{document.name}  {size}, {document.chunks} chunks, added {document.added}")
        lines += [f"  = {name}" for name in document.names[1:]]
    rows = [asdict(document) for document in documents]
    result = {"index": options.index, "generation": index.generation, "documents": rows}
    show(options, result, lines or [f"the index {options.index!r} is empty"])
    return 0
