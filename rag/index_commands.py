"""The commands over whole indexes: list them, embed one anew, delete one."""

import argparse
from dataclasses import asdict
from typing import Any

from .chunking import Chunking
from .commands import agreed, chunking_of, chunking_options, command, embedder, library, progress, show


def add(commands: Any) -> None:
    """Add the commands to those of `python -m rag`."""
    command(commands, "indexes", list_indexes, "list the indexes", "")
    words = "embed what an index holds anew: with another embedder, or in chunks of another size"
    sub = command(commands, "reembed", reembed, words, "--chunk-size 120 --overlap 20 --index support")
    chunking_options(sub)
    sub = command(
        commands, "drop", drop, "delete an index, not the files that it was made from", "--index support --yes"
    )
    sub.add_argument("--yes", action="store_true", help="do not ask")


def list_indexes(options: argparse.Namespace) -> int:
    """Print what each index holds."""
    from .summary import summary

    shelf = library(options)
    found = [summary(shelf.store(name)) for name in shelf.names()]
    lines = []
    for each in found:
        size = f"{each.documents} documents, {each.chunks} chunks, {each.bytes / 1e6:.1f} MB"
        lines.append(f"{each.name}  {size}; {each.embedder or 'no embedder yet'}, {each.chunking}")
        if behind := max(each.lacking.values()):
            lines.append(f"  generation {each.generation}: the next search builds its caches for {behind} chunks")
        if each.tags:
            lines.append("  tags: " + ", ".join(f"{tag} ({count})" for tag, count in each.tags.items()))
        lines += [f"  synced with {folder}" for folder in each.folders]
        if filling := each.filling:
            lines.append(
                f"  {filling.documents} of {each.documents} documents re-embedded with {filling.embedder}, "
                f"{filling.chunking}; `python -m rag reembed` with the same goes on"
            )
    show(options, {"indexes": [asdict(each) for each in found]}, lines or ["no indexes yet"])
    return 0


def reembed(options: argparse.Namespace) -> int:
    """Cut and embed anew what an index holds, while it goes on to serve."""
    from .reembedding import Reembedding

    store = library(options).store(options.index)
    with store.snapshot() as snapshot:
        held = snapshot.edition.chunking
    chunking = chunking_of(options, Chunking.of(held) if held else Chunking())
    wanted = embedder(options)
    if options.chunk_size:
        chunking.within(wanted.limit)
    report = Reembedding(store, wanted, chunking, *progress(0)).run()
    if report.changed:
        resumed = f", after {report.resumed} of an earlier run" if report.resumed else ""
        line = (
            f"{report.documents} documents{resumed} in {report.chunks} chunks of {report.embedder}, {report.chunking}, "
        )
        line += f"in {report.seconds:.1f} s"
    else:
        line = f"nothing to do: the index {options.index!r} has {report.embedder}, {report.chunking}"
    show(options, asdict(report), [line])
    return 0


def drop(options: argparse.Namespace) -> int:
    """Delete an index after asking."""
    from .summary import summary

    shelf = library(options)
    held = summary(shelf.store(options.index))
    if not options.yes:
        size = f"{held.documents} documents, {held.bytes / 1e6:.1f} MB"
        agreed(f"Delete the index {held.name} ({size}) for good?", f"The index {held.name!r} was not deleted")
    shelf.drop(options.index)
    show(options, {"dropped": held.name, "documents": held.documents}, [f"dropped {held.name}"])
    return 0
