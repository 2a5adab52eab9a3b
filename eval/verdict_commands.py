"""The command that tells the verdict and writes its report."""

import argparse
from pathlib import Path
from typing import Any

from eval.commands import command, home, read_votes, show
from eval.errors import InputError

TEXT = "fine-tune, retrieve, both or neither, from votes, a benchmark or both"


def add(commands: Any) -> None:
    """Add the command to those of `python -m eval`."""
    parser = command(commands, "verdict", verdict, TEXT, "--benchmark samples-samples --report verdict.html")
    parser.add_argument("--benchmark", metavar="NAME", help="of a finished benchmark, to weigh beside the votes")
    text = "how much worse than the best the recommended one may be (default 0.05: five points)"
    parser.add_argument("--margin", type=float, default=0.05, metavar="M", help=text)
    parser.add_argument("--metric", help="of the benchmark (default: f1, holds or rouge_l, whichever suits its rows)")
    text = "candidates from the cheapest on (default: base, examples, rag, tuned, combined)"
    parser.add_argument("--order", nargs="+", default=[], metavar="ID", help=text)
    parser.add_argument("--report", type=Path, metavar="OUT", help="write it all to a .md or .html file")


def verdict(options: argparse.Namespace) -> None:
    """Weigh the evidence and say what it supports."""
    from eval.advice import Question, advise
    from eval.benchmark import read_result
    from eval.verdict_report import as_html, as_markdown, costs, title
    from eval.workbench import SAMPLES

    writers = {".md": as_markdown, ".html": as_html}
    if options.report and options.report.suffix not in writers:
        raise InputError(f"{options.report} ends neither in .md nor in .html; give a report one of these endings.")
    result = read_result(home() / "benchmarks" / options.benchmark) if options.benchmark else None
    question = Question(options.margin, options.metric, tuple(options.order))
    advice = advise(read_votes(), result, (home() / "adapters", SAMPLES / "adapter"), question)
    if options.report:
        from eval.files import write_bytes

        write_bytes(options.report, writers[options.report.suffix](advice).encode("utf-8", "replace"))
    lines = [title(advice), advice.verdict.reason, *(f"- {line}" for line in costs(advice))]
    show(options, advice.to_json(), lines)
