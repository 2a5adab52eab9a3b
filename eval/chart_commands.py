"""`python -m eval charts`: the charts of the results page as pictures and tables."""

import argparse
from pathlib import Path
from typing import Any

from eval.commands import command, read_ballots, show
from eval.errors import InputError


def add(commands: Any) -> None:
    drawing = command(
        commands,
        "charts",
        charts,
        "the charts of the results page as PNG pictures, and their numbers as CSV",
        "charts/",
    )
    drawing.add_argument("out", type=Path, metavar="FOLDER", help="made where it does not exist")
    drawing.add_argument("--dark", action="store_true", help="on a dark ground")


def charts(options: argparse.Namespace) -> None:
    """A picture and a table of each chart that the votes have something for, and a page of all with texts for them."""
    from eval.figures import as_csv
    from eval.files import write_bytes
    from eval.findings import find
    from eval.plots import DARK, LIGHT, as_markdown, as_png

    figures = find(read_ballots()).figures
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{options.out} cannot be a folder ({error.strerror}); give another name.") from error
    written = []
    for figure in figures:
        write_bytes(options.out / f"{figure.id}.png", as_png(figure, DARK if options.dark else LIGHT))
        write_bytes(options.out / f"{figure.id}.csv", as_csv(figure).encode("utf-8"))
        written += [f"{figure.id}.png", f"{figure.id}.csv"]
    write_bytes(options.out / "charts.md", as_markdown(figures).encode("utf-8", "replace"))
    written.append("charts.md")
    show(options, {"folder": str(options.out), "files": written}, [f"{len(written)} files written to {options.out}"])
