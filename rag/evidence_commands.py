"""The commands about what an index can prove: check an answer's citations, measure that check, calibrate the floor."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .commands import command, opened, show
from .errors import InputError
from .shares import in_words


def add(commands: Any) -> None:
    """Add the commands to those of `python -m rag`."""
    words = "check each sentence of an answer against the passages for its question"
    example = '"How long is the warranty?" --answer "It lasts three years [1]." --index support'
    sub = command(commands, "cite", cite, words, example)
    sub.add_argument("question")
    sub.add_argument("--answer", required=True, metavar="TEXT", help="the answer; - reads it from standard input")
    sub.add_argument("-k", type=int, default=3, help="number of passages (default: 3)")
    sub.add_argument("--words-only", action="store_true", help="compare words alone, without the embedder's meaning")
    words = "measure the check of citations on claims with marked evidence sentences (SciFact's layout)"
    example = "--claims claims_dev.jsonl --corpus corpus.jsonl --train claims_train.jsonl --json"
    sub = command(commands, "evaluate-citations", evaluate_citations, words, example)
    for name in ("claims", "corpus"):
        sub.add_argument(f"--{name}", type=Path, required=True, metavar="FILE")
    sub.add_argument("--train", type=Path, metavar="FILE", help="choose thresholds on these claims, not the built-in")
    sub.add_argument("--words-only", action="store_true", help="compare words alone, without the embedder's meaning")
    words = "choose below which likeness the index says that it does not answer a question"
    example = "--index support --answerable asked.txt --foreign unrelated.txt"
    sub = command(commands, "calibrate", calibrate, words, example)
    sub.add_argument(
        "--answerable",
        type=Path,
        metavar="FILE",
        help="questions that the documents answer, one a line or JSON (default: made from the documents)",
    )
    sub.add_argument(
        "--foreign", type=Path, metavar="FILE", help="questions that they do not answer (default: a general list)"
    )
    sub.add_argument(
        "--refusals",
        type=float,
        default=0.02,
        metavar="SHARE",
        help="of the answerable questions that may be refused at most (default: 0.02)",
    )
    sub.add_argument("--show", action="store_true", help="print the floor that the index has")
    sub.add_argument("--off", action="store_true", help="drop the floor: the index answers everything again")


def cite(options: argparse.Namespace) -> int:
    """Print the sentences of an answer with what supports each."""
    from .citations import SUPPORTED, check, supported_of

    answer = sys.stdin.read() if options.answer == "-" else options.answer
    if not answer.strip():
        raise InputError("The answer is empty; give its text with --answer.")
    index = opened(options)
    hits = index.search(options.question, options.k)
    checked = check(answer, hits, None if options.words_only else index.embedder)
    supported, of = supported_of(checked)
    lines, rows = [], []
    for sentence in checked:
        row = asdict(sentence)
        if sentence.span is None:
            lines.append(f"{sentence.verdict:11}  {sentence.text}")
        else:
            hit, span = hits[sentence.span.passage - 1], sentence.span
            row["source"] = {"document": hit.document, "start": hit.start + span.start, "end": hit.start + span.end}
            found = "" if not sentence.attributed else " (found by the check, not marked by the answer)"
            lines.append(f"{SUPPORTED:11}  {sentence.text}")
            lines.append(f"    [{span.passage}] {hit.document}, character {hit.start + span.start}{found}:")
            lines.append(f"    {' '.join(hit.text[span.start : span.end].split())}")
        lines += [f"    [{mark}] does not support it" for mark in sentence.misplaced if sentence.span]
        lines += [f"    [{mark}] names no passage" for mark in sentence.strange]
        rows.append(row)
    lines.append(f"{supported} of {of} sentences supported")
    passages = [asdict(hit) for hit in hits]
    result = {"question": options.question, "supported": supported, "of": of, "sentences": rows, "passages": passages}
    show(options, result, lines)
    return 0


def evaluate_citations(options: argparse.Namespace) -> int:
    """Print how often the check is right."""
    from .citation_figures import choose, evaluate, read_claims
    from .citations import MEANING, WORDS

    claims = read_claims(options.claims, options.corpus)
    embedder = None
    if not options.words_only:
        from .embedder import Embedder

        embedder = Embedder(options.embedder)
    measure = WORDS if embedder is None else MEANING
    if options.train is not None:
        measure = choose(read_claims(options.train, options.corpus), embedder)
    figures = evaluate(claims, embedder, measure)
    identity = embedder.identity if embedder else None
    lines = [f"{key:30} {in_words(value) if isinstance(value, dict) else value}" for key, value in figures.items()]
    lines.append(f"{'measure':30} {measure}")
    show(options, {**figures, "measure": asdict(measure), "embedder": identity}, lines)
    return 0


def calibrate(options: argparse.Namespace) -> int:
    """Choose, show or drop the floor of an index."""
    from .calibration import GENERAL, made_questions, read_questions
    from .floor import Floor, floor_in_words, forget_floor, read_floor
    from .floor import calibrate as calibrated

    index = opened(options)
    if options.off:
        words = "dropped the floor" if forget_floor(index) else "there was no floor"
        show(options, {"floor": None}, [words])
        return 0
    floor: Floor | None
    if options.show:
        floor = read_floor(index)
    else:
        made = options.answerable is None
        answerable = made_questions(index) if made else read_questions(options.answerable)
        foreign = read_questions(options.foreign or GENERAL)
        floor = calibrated(index, answerable, foreign, made, options.refusals, _progress())
    show(options, {"floor": asdict(floor) if floor else None}, floor_in_words(floor, index.generation))
    return 0


def _progress() -> Callable[[int, int], None] | None:
    def tell(done: int, total: int) -> None:
        print(f"\r\x1b[K{done}/{total} questions", end="" if done < total else "\n", file=sys.stderr)

    return tell if sys.stderr.isatty() else None
