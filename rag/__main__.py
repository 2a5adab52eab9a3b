"""Commands over an index: add, remove, list, search, attach, evaluate. Run `python -m rag --help`."""

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError
from .fusion import KINDS, WEIGHT, Fusion
from .library import Library

if TYPE_CHECKING:
    from .index import Index

MODES = ("dense", "bm25", "hybrid")  # as in rag.index, whose import takes seconds that --help should not
_REPO = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> int:
    """Run a command; exit status 0, or 2 for what the user has to correct."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, say `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def add(options: argparse.Namespace) -> int:
    """Add files and folders; 2 only where none of them could be added."""
    from .adding import files_under

    missing = [path for path in options.paths if not path.exists()]
    if len(missing) == len(options.paths):
        raise InputError(f"{missing[0]} does not exist; give files or folders.")
    left_out: Counter[str] = Counter()
    files = list(files_under(options.paths, left_out))
    if not files:
        raise InputError(f"{options.paths[0]} holds no file that is read; give documents, tables, books or e-mails.")
    report = _index(options).add(files, *_progress(len(files)))
    left_out.update(report.left_out)
    if options.json:
        print(json.dumps({**asdict(report), "left_out": left_out}))
    else:
        for outcome in ("added", "updated", "unchanged", "failed"):
            for entry in getattr(report, outcome):
                print(f"{outcome:9}  {entry['path']}" + (f"  ({entry['reason']})" if "reason" in entry else ""))
        if left_out:
            print("left out   " + ", ".join(f"{count} {kind}" for kind, count in sorted(left_out.items())))
        print(f"{report.chunks} chunks in {report.seconds:.1f} s")
    if not (report.added or report.updated or report.unchanged):
        raise InputError(report.failed[0]["reason"])
    return 0


def remove(options: argparse.Namespace) -> int:
    """Remove documents by name, by path or by the end of a name that no other has."""
    index = _index(options, make=False)
    names = [_find(index, wanted) for wanted in options.documents]
    for name in names:
        index.remove(name)
    if options.json:
        print(json.dumps({"removed": names}))
    else:
        print("\n".join(f"removed  {name}" for name in names))
    return 0


def list_documents(options: argparse.Namespace) -> int:
    """Print the documents of an index."""
    index = _index(options, make=False)
    documents = index.documents()
    if options.json:
        rows = [asdict(document) for document in documents]
        print(json.dumps({"index": options.index, "generation": index.generation, "documents": rows}))
        return 0
    for document in documents:
        size = f"{document.pages} pages" if document.pages else f"{document.characters} characters"
        print(f"{document.name}  {size}, {document.chunks} chunks, added {document.added}")
        for name in document.names[1:]:
            print(f"  = {name}")
    return 0


def search(options: argparse.Namespace) -> int:
    """Print the best passages for a question."""
    hits = _index(options, make=False).search(options.question, options.k, options.mode, _fusion(options))
    if options.json:
        rows = [asdict(hit) for hit in hits]
        print(json.dumps({"query": options.question, "mode": options.mode, "hits": rows}))
        return 0
    for number, hit in enumerate(hits, 1):
        place = f"page {hit.page}" if hit.page else f"character {hit.start}"
        print(f"[{number}] {hit.document}, {place}, score {hit.score:.3f}, cosine {hit.cosine:.3f}")
        print(f"    {' '.join(hit.text.split())}\n")
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """Print retrieval figures on a data set in the BEIR layout."""
    from .embedder import Embedder
    from .evaluation import evaluate as figures_of
    from .index import Index

    with ExitStack() as stack:
        if options.index is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            index = Index(folder, Embedder(options.embedder))
        else:
            index = _index(options)
        figures = figures_of(index, options.corpus, options.queries, options.qrels, options.mode, _fusion(options))
    if options.json:
        print(json.dumps(figures))
    else:
        print("\n".join(f"{key:12} {value}" for key, value in figures.items()))
    return 0


def attach(options: argparse.Namespace) -> int:
    """Write training rows with passages."""
    from .attaching import Attaching
    from .attaching import attach as attached

    how = Attaching(options.distractors, options.golden, options.seed)
    report = attached(_index(options, make=False), options.rows, options.out, how)
    if options.json:
        print(json.dumps(report))
    else:
        print(
            "{rows} rows with {passages} passages: {golden} keep that of their source, {left_out} go without it, "
            "{without_source} name no document of the index".format(**report)
        )
        for source, rows in report["unknown_sources"].items():
            print(f"not in the index: {source} ({rows} rows)")
        print(f"written to {options.out} in {report['seconds']:.1f} s")
    return 0


def _index(options: argparse.Namespace, make: bool = True) -> "Index":
    from .embedder import Embedder

    home = Path(os.environ.get("FOURFOLD_HOME") or _REPO / "data" / "local")
    return Library(home / "indexes", lambda: Embedder(options.embedder)).open(options.index, make)


def _ranking(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--mode", choices=MODES, default="hybrid", help="how to rank (default: hybrid)")
    sub.add_argument(
        "--fusion", choices=KINDS, default="scores", help="what hybrid joins of meaning and words (default: scores)"
    )
    sub.add_argument(
        "--weight", type=float, default=WEIGHT, metavar="W", help=f"share of meaning in the scores (default: {WEIGHT})"
    )


def _fusion(options: argparse.Namespace) -> Fusion:
    return Fusion(options.fusion, options.weight)


def _find(index: "Index", wanted: str) -> str:
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


def _progress(total: int) -> tuple[Callable[[str, str, str], None] | None, Callable[[int], None]]:
    """What shows each file that is done, if anyone looks; and what is told of further ones in archives."""
    done = 0

    def show(name: str, outcome: str, reason: str) -> None:
        nonlocal done
        done += 1
        print(f"\r\x1b[K{done}/{total} {outcome}: {Path(name).name}", end="" if done < total else "\n", file=sys.stderr)

    def found(more: int) -> None:
        nonlocal total
        total += more

    return show if sys.stderr.isatty() else None, found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rag",
        description="Documents to passages: an index of files, and search over it.",
        epilog='example: python -m rag add handbook.pdf notes/ && python -m rag search "How long is the warranty?"',
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], int], help_: str, example: str
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help_, description=help_ + ".", epilog=f"example: python -m rag {example}")
        sub.set_defaults(command=run)
        sub.add_argument("--index", default="default", metavar="NAME", help="index to use (default: default)")
        sub.add_argument("--embedder", metavar="MODEL", help="sentence-transformers folder or Hub id")
        sub.add_argument("--json", action="store_true", help="print one JSON object as the last line")
        return sub

    sub = command("add", add, "add or update files, folders, zips", "add handbook.pdf notes/ --index support")
    sub.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    sub = command("remove", remove, "remove documents", "remove handbook.pdf --index support")
    sub.add_argument("documents", nargs="+", metavar="DOC")
    command("list", list_documents, "list the documents", "list --index support")
    sub = command("search", search, "find passages for a question", 'search "How long is the warranty?" -k 3')
    sub.add_argument("question")
    sub.add_argument("-k", type=int, default=5, help="number of passages (default: 5)")
    _ranking(sub)
    sub = command(
        "attach",
        attach,
        "add passages to training rows: that of each row's source, and others that only resemble it",
        "attach rows.jsonl rows-with-passages.jsonl --index support --distractors 3 --golden 0.8",
    )
    sub.add_argument("rows", type=Path, metavar="ROWS", help="JSON lines; `source` names the document with the answer")
    sub.add_argument("out", type=Path, metavar="OUT", help="JSONL file to write")
    sub.add_argument("--distractors", type=int, default=3, metavar="N", help="other passages a row (default: 3)")
    sub.add_argument("--golden", type=float, default=0.8, metavar="SHARE", help="rows that keep theirs (default: 0.8)")
    sub.add_argument("--seed", type=int, default=0, metavar="N", help="draws which (default: 0)")
    sub = command(
        "evaluate",
        evaluate,
        "measure retrieval on a data set in the BEIR layout",
        "evaluate --corpus corpus.jsonl --queries queries.jsonl --qrels qrels/test.tsv --mode hybrid --json",
    )
    sub.set_defaults(index=None)
    for name in ("corpus", "queries", "qrels"):
        sub.add_argument(f"--{name}", type=Path, required=True, metavar="FILE")
    _ranking(sub)
    return parser


if __name__ == "__main__":
    sys.exit(main())
