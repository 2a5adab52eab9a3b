"""The commands over the documents of an index: add, sync, list, tag and remove them."""

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .chunking import CHUNKING
from .commands import (
    chunking_of,
    chunking_options,
    command,
    filter_of,
    filter_options,
    find,
    library,
    opened,
    progress,
    show,
)
from .errors import InputError

if TYPE_CHECKING:
    from .adding import AddReport
    from .snapshot import StoredDocument

OUTCOMES = ("added", "updated", "unchanged", "removed", "failed")


def add(commands: Any) -> None:
    """Add the commands to those of `python -m rag`."""
    sub = command(
        commands, "add", add_files, "add or update files, folders, zips", "handbook.pdf notes/ --index support"
    )
    sub.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    sub.add_argument("--tag", action="append", default=[], metavar="TAG", help="put on all of them; can be repeated")
    chunking_options(sub)
    words = "add, update and remove documents as the files of a folder were; without one, of all synced before"
    sub = command(commands, "sync", sync, words, "~/notes --index support")
    sub.add_argument("folder", nargs="?", type=Path, metavar="FOLDER")
    sub.add_argument("--allow-empty", action="store_true", help="remove documents although nothing is left of them all")
    sub.add_argument("--forget", action="store_true", help="sync the folder no longer; its documents stay")
    sub = command(commands, "remove", remove, "remove documents", "handbook.pdf --index support")
    sub.add_argument("documents", nargs="+", metavar="DOC")
    sub = command(commands, "tag", tag, "tag documents, or take tags off", "handbook.pdf --add 2026 --remove draft")
    sub.add_argument("documents", nargs="+", metavar="DOC")
    sub.add_argument("--add", action="append", default=[], metavar="TAG", help="can be repeated")
    sub.add_argument("--remove", action="append", default=[], metavar="TAG", help="can be repeated")
    sub = command(commands, "list", list_documents, "list the documents", "--index support --tag 2026")
    filter_options(sub)


def add_files(options: argparse.Namespace) -> int:
    """Add files and folders; 2 only where none of them could be added."""
    from .folders import files_under

    missing = [path for path in options.paths if not path.exists()]
    if len(missing) == len(options.paths):
        raise InputError(f"{missing[0]} does not exist; give files or folders.")
    left_out: Counter[str] = Counter()
    files = list(files_under(options.paths, left_out))
    if not files:
        raise InputError(f"{options.paths[0]} holds no file that is read; give documents, tables, books or e-mails.")
    index = opened(options, make=True, chunking=_chunking(options))
    report = index.add(files, *progress(len(files)), options.tag)
    left_out.update(report.left_out)
    show(options, {**asdict(report), "left_out": left_out}, [*_outcomes(report), *_left_out(left_out), _size(report)])
    if not (report.added or report.updated or report.unchanged):
        raise InputError(report.failed[0]["reason"])
    return 0


def sync(options: argparse.Namespace) -> int:
    """Bring folders and index to agree; 2 where a folder could not be looked into."""
    from .folders import Folder

    if options.forget:
        return _forget(options)
    if options.folder:
        Folder(options.folder)  # one that is not there makes no index
    index = opened(options, make=options.folder is not None)
    folders = [options.folder] if options.folder else list(map(Path, index.folders()))
    if not folders:
        raise InputError(f"The index {options.index!r} follows no folder yet; give one.")
    reports, refused = {}, []
    for folder in folders:
        try:
            reports[str(folder.resolve())] = index.sync(folder, *progress(0), options.allow_empty)
        except InputError as error:
            refused.append({"path": str(folder), "reason": str(error)})
    lines = [line for report in reports.values() for line in (*_outcomes(report, "unchanged"), _summary(report))]
    together = {key: [entry for r in reports.values() for entry in getattr(r, key)] for key in OUTCOMES}
    left_out = sum((Counter(report.left_out) for report in reports.values()), Counter[str]())
    sums = {"chunks": sum(r.chunks for r in reports.values()), "seconds": sum(r.seconds for r in reports.values())}
    result = {"folders": list(reports), "refused": refused, **together, "left_out": left_out, **sums}
    show(options, result, [*lines, *_left_out(left_out)])
    if refused:
        raise InputError("\n".join(entry["reason"] for entry in refused))
    return 0


def remove(options: argparse.Namespace) -> int:
    """Remove documents by name, by path or by the end of a name that no other has."""
    index = opened(options)
    names = [find(index, wanted) for wanted in options.documents]
    for name in names:
        index.remove(name)
    show(options, {"removed": names}, [f"removed  {name}" for name in names])
    return 0


def tag(options: argparse.Namespace) -> int:
    """Put tags on documents and take tags off them."""
    if not options.add and not options.remove:
        raise InputError("No tag is given; say --add TAG or --remove TAG.")
    index = opened(options)
    names = [find(index, wanted) for wanted in options.documents]
    for name in names:
        index.tag(name, options.add, options.remove)
    entries = {entry.name: entry for document in index.documents() for entry in document.entries}
    lines = [f"{name}  {', '.join(entries[name].tags) or 'no tags'}" for name in names]
    show(options, {"documents": [asdict(entries[name]) for name in names]}, lines)
    return 0


def list_documents(options: argparse.Namespace) -> int:
    """Print the documents of an index."""
    index = opened(options)
    documents = index.documents(filter_of(options, index))
    rows = [asdict(document) for document in documents]
    result = {"index": options.index, "generation": index.generation, "documents": rows}
    lines = [line for document in documents for line in _described(document)]
    show(options, result, lines or [f"the index {options.index!r} holds no such document"])
    return 0


def _described(document: "StoredDocument") -> Iterator[str]:
    size = f"{document.pages} pages" if document.pages else f"{document.characters} characters"
    for entry in document.entries:
        label = ", ".join((entry.date, *entry.tags))
        same = f"the same as {document.name}" if entry.name != document.name else f"{size}, {document.chunks} chunks"
        yield f"{entry.name}  {same}; {label}"


def _chunking(options: argparse.Namespace) -> Any:
    """The chunking that is asked for, or None where it is the index's own."""
    if options.chunk_size is None and options.overlap is None:
        return None
    return chunking_of(options, CHUNKING)


def _forget(options: argparse.Namespace) -> int:
    if not options.folder:
        raise InputError("No folder is given; say which one is no longer to be synced.")
    folder = str(options.folder.resolve())
    if not library(options).store(options.index).forget(folder):
        raise InputError(f"The index {options.index!r} does not follow {folder}; `rag indexes` prints what it does.")
    show(options, {"forgotten": folder}, [f"{folder} is synced no longer; its documents stay"])
    return 0


def _outcomes(report: "AddReport", *but: str) -> Iterator[str]:
    for outcome in OUTCOMES:
        for entry in getattr(report, outcome, []) if outcome not in but else []:
            yield f"{outcome:9}  {entry['path']}" + (f"  ({entry['reason']})" if "reason" in entry else "")


def _summary(report: "AddReport") -> str:
    counts = ((outcome, len(getattr(report, outcome, []))) for outcome in OUTCOMES)
    return ", ".join(f"{count} {outcome}" for outcome, count in counts if count) + f"; {_size(report)}"


def _size(report: "AddReport") -> str:
    return f"{report.chunks} chunks in {report.seconds:.1f} s"


def _left_out(left_out: Counter[str]) -> list[str]:
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(left_out.items()))
    return [f"left out   {kinds}"] if kinds else []
