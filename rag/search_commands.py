"""The commands that search an index: for a question, for the rows of a training file, for judged queries."""

import argparse
import os
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .commands import command, filter_of, filter_options, opened, show
from .diversity import BALANCE
from .fusion import KINDS, WEIGHT, Fusion

MODES = ("dense", "bm25", "hybrid")  # as in rag.index, whose import takes seconds that --help should not


def add(commands: Any) -> None:
    """Add the commands to those of `python -m rag`."""
    sub = command(commands, "search", search, "find passages for a question", '"How long is the warranty?" -k 3')
    sub.add_argument("question")
    sub.add_argument("-k", type=int, default=5, help="number of passages (default: 5)")
    filter_options(sub)
    _ranking(sub)
    _refining(sub)
    words = "add passages to training rows: that of each row's source, and others that only resemble it"
    example = "rows.jsonl rows-with-passages.jsonl --index support --distractors 3 --golden 0.8"
    sub = command(commands, "attach", attach, words, example)
    sub.add_argument("rows", type=Path, metavar="ROWS", help="JSON lines; `source` names the document with the answer")
    sub.add_argument("out", type=Path, metavar="OUT", help="JSONL file to write")
    sub.add_argument("--distractors", type=int, default=3, metavar="N", help="other passages a row (default: 3)")
    sub.add_argument("--golden", type=float, default=0.8, metavar="SHARE", help="rows that keep theirs (default: 0.8)")
    sub.add_argument("--seed", type=int, default=0, metavar="N", help="draws which (default: 0)")
    words = "measure retrieval on a data set in the BEIR layout"
    example = "--corpus corpus.jsonl --queries queries.jsonl --qrels qrels/test.tsv --mode hybrid --json"
    sub = command(commands, "evaluate", evaluate, words, example)
    sub.set_defaults(index=None)
    for name in ("corpus", "queries", "qrels"):
        sub.add_argument(f"--{name}", type=Path, required=True, metavar="FILE")
    _ranking(sub)


def _ranking(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--mode", choices=MODES, default="hybrid", help="how to rank (default: hybrid)")
    sub.add_argument(
        "--fusion", choices=KINDS, default="scores", help="what hybrid joins of meaning and words (default: scores)"
    )
    sub.add_argument(
        "--weight", type=float, default=WEIGHT, metavar="W", help=f"share of meaning in the scores (default: {WEIGHT})"
    )


def _refining(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--all", action="store_true", help="show passages that say the same each by itself, not as one")
    sub.add_argument("--diverse", action="store_true", help="prefer passages that say what the better ones do not")
    sub.add_argument(
        "--balance",
        type=float,
        default=BALANCE,
        metavar="B",
        help=f"with --diverse: share of likeness to the question, 0 to 1 (default: {BALANCE})",
    )
    sub.add_argument(
        "--rerank",
        default=os.environ.get("FOURFOLD_RERANKER"),
        metavar="MODEL",
        help="folder or Hub id of a cross-encoder that reads the best passages once more (default: "
        "FOURFOLD_RERANKER, else none)",
    )
    sub.add_argument(
        "--seconds",
        type=float,
        default=1.0,
        metavar="S",
        help="time for --rerank; what it cannot read in that time keeps its order (default: 1)",
    )


def search(options: argparse.Namespace) -> int:
    """Print the best passages for a question."""
    from .refining import Refining
    from .rerank import Reranker

    index = opened(options)
    where = filter_of(options, index)
    reranker = Reranker(options.rerank) if options.rerank else None
    how = Refining(not options.all, options.diverse, options.balance, reranker, options.seconds)
    found = index.find(options.question, options.k, options.mode, _fusion(options), how, where)
    lines = []
    for number, hit in enumerate(found.hits, 1):
        place = f"page {hit.page}" if hit.page else f"character {hit.start}"
        scores = {"score": hit.score, "cosine": hit.cosine, "bm25": hit.bm25, "rerank": hit.rerank}
        shown = ", ".join(f"{name} {score:.3f}" for name, score in scores.items() if score is not None)
        lines.append(f"[{number}] {hit.document}, {place}, {shown}")
        lines += [f"    says the same: {', '.join(hit.same)}"] if hit.same else []
        lines.append(f"    {' '.join(hit.text.split())}\n")
    if reranker:
        lines.append(f"{found.read} passages read by {reranker.name} in {1000 * found.rerank_seconds:.0f} ms")
    result = {"query": options.question, "mode": options.mode, "hits": [asdict(hit) for hit in found.hits]}
    times = {"seconds": found.seconds, "rerank_seconds": found.rerank_seconds, "reranked": found.read}
    show(options, {**result, **times}, lines or ["nothing was found"])
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
            index = opened(options, make=True)
        figures = figures_of(index, options.corpus, options.queries, options.qrels, options.mode, _fusion(options))
    show(options, figures, [f"{key:12} {value}" for key, value in figures.items()])
    return 0


def attach(options: argparse.Namespace) -> int:
    """Write training rows with passages."""
    from .attaching import Attaching
    from .attaching import attach as attached

    how = Attaching(options.distractors, options.golden, options.seed)
    report = attached(opened(options), options.rows, options.out, how)
    lines = [
        "{rows} rows with {passages} passages: {golden} keep that of their source, {left_out} go without it, "
        "{without_source} name no document of the index".format(**report)
    ]
    if report["outdated"]:
        lines.append(f"{report['outdated']} rows state a figure that their document does not: they go without it")
    lines += [f"not in the index: {source} ({rows} rows)" for source, rows in report["unknown_sources"].items()]
    show(options, report, [*lines, f"written to {options.out} in {report['seconds']:.1f} s"])
    return 0


def _fusion(options: argparse.Namespace) -> Fusion:
    return Fusion(options.fusion, options.weight)
