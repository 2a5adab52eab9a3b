"""`python -m eval form`: the rating form, shown, replaced, and its versions."""

import argparse
from pathlib import Path
from typing import Any

from eval.commands import command, home, show
from eval.errors import InputError

LARGEST = 1 << 20  # bytes that are read of a file before its size is judged


def add(commands: Any) -> None:
    form = command(commands, "form", run, "show the rating form, set another one, list its versions", "set form.yaml")
    form.add_argument("action", choices=("show", "set", "versions"), help="what to do")
    form.add_argument("file", nargs="?", type=Path, metavar="FILE", help="for set: the YAML file to take the form from")
    form.add_argument("--number", type=int, metavar="N", help="for show: this version and not the latest")


def run(options: argparse.Namespace) -> None:
    """Do what `action` says."""
    {"show": _show, "set": _set, "versions": _versions}[options.action](options)


def _show(options: argparse.Namespace) -> None:
    from eval.form import Forms

    forms = Forms(home())
    version = forms.current() if options.number is None else forms.version(options.number)
    result = {"version": version.number, "digest": version.digest, "text": version.text}
    show(options, result, [version.text.rstrip("\n")])


def _set(options: argparse.Namespace) -> None:
    from eval.form import Forms

    if options.file is None:
        raise InputError("form set needs a file; give the YAML file, as in: python -m eval form set form.yaml")
    try:
        with options.file.open("rb") as file:
            text = file.read(LARGEST).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"{options.file} cannot be read ({reason}); give a YAML file.") from error
    before = Forms(home()).current()
    version = Forms(home()).set(text, str(options.file))
    result = {"version": version.number, "digest": version.digest, "changed": version.number != before.number}
    words = "is now shown to raters" if result["changed"] else "says the same and stays"
    show(options, result, [f"Version {version.number} ({version.digest[:12]}) {words}."])


def _versions(options: argparse.Namespace) -> None:
    from eval.form import Forms

    found = Forms(home()).versions()
    rows = [{"version": one.number, "digest": one.digest} for one in found]
    lines = [
        f"{one.number:4}  {one.digest[:12]}  {len(one.form.dimensions)} dimensions, {len(one.form.tags)} tags"
        for one in found
    ]
    show(options, {"versions": rows}, lines)
