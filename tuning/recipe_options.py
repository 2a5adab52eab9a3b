"""What commands are told about rows: which tables, how each is read, and how they are mixed."""

import argparse
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from tuning.errors import InputError
from tuning.hubrows import PREFIX, fetch
from tuning.pasted import write_pasted
from tuning.recipe import Recipe, Table
from tuning.templates import GALLERY, find_pattern

STDIN = "-"


def recipe_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `read_recipe` reads."""
    parser.add_argument(
        "rows",
        nargs="*",
        metavar="ROWS[=WEIGHT]",
        help="JSONL, JSON, CSV, TSV or Parquet file; hub:owner/name[/config][:split] for a data set of the Hub; - for "
        "standard input. Several are mixed: all rows of each, or, with weights, in these shares of the training",
    )
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="JSON file of tables, each with options of its own")
    parser.add_argument(
        "--columns",
        action="append",
        default=[],
        metavar="FIELD=COLUMN,...",
        help="which column holds a field, such as prompt=question,response=answer; an empty column leaves it out",
    )
    parser.add_argument("--template", default="", metavar="JINJA", help='prompt, such as "Summarise: {{ review }}"')
    parser.add_argument("--response", default="", metavar="JINJA", help='answer to it, such as "{{ summary }}"')
    parser.add_argument(
        "--gallery",
        choices=GALLERY,
        metavar="NAME",
        help="a pair of templates instead: "
        + "; ".join(f"{one.name} (columns {', '.join(one.columns)})" for one in GALLERY.values()),
    )
    parser.add_argument(
        "--replay",
        type=float,
        metavar="SHARE",
        help="share of general rows in the training, such as 0.1, against forgetting (default: none)",
    )


def read_recipe(options: argparse.Namespace, folder: Path) -> Recipe:
    """The recipe that the options say; what comes from the Hub or standard input is written to files in `folder`.

    Raises InputError where it cannot be had or does not fit together.
    """
    if options.recipe and (options.rows or options.columns or options.template or options.response or options.gallery):
        raise InputError("--recipe says what is read and how; write the tables and their options into that file")
    if options.recipe:
        recipe = _recipe_file(options.recipe)
        return recipe if options.replay is None else Recipe(recipe.tables, options.replay)
    if not options.rows:
        raise InputError("no rows are given; name a file, hub:owner/name or - for standard input")
    prompt, response = options.template, options.response
    if options.gallery:
        if prompt or response:
            raise InputError("--gallery brings both templates; leave out --template and --response, or --gallery")
        pattern = find_pattern(options.gallery)
        prompt, response = pattern.prompt, pattern.response
    columns = _columns(options.columns)
    tables = []
    for number, argument in enumerate(options.rows):
        source, weight = split_weight(argument)
        tables.append(Table(as_file(source, folder / str(number)), weight, columns, prompt, response))
    recipe = Recipe(tuple(tables), options.replay or 0.0)
    recipe.refuse_pipes()
    return recipe


def split_weight(argument: str) -> tuple[str, float | None]:
    """`rows.jsonl=2` -> the name and the weight; a file whose own name ends so is that file."""
    source, mark, weight = argument.rpartition("=")
    if not mark or Path(argument).exists():
        return argument, None
    try:
        return source, float(weight)
    except ValueError as error:
        raise InputError(f"{argument}: {weight!r} is no weight; write a number behind =, such as {source}=2") from error


def as_file(source: str, folder: Path) -> Path:
    """The file that `source` names; made in `folder` where it is not one yet."""
    if source == STDIN:
        folder.mkdir(parents=True, exist_ok=True)
        return write_pasted(sys.stdin.buffer.read().decode("utf-8", "surrogateescape"), folder)
    if source.startswith(PREFIX):
        folder.mkdir(parents=True, exist_ok=True)
        return fetch(source, folder)
    return Path(source)


def _columns(given: list[str]) -> Mapping[str, str]:
    columns: dict[str, str] = {}
    for text in given:
        for pair in re.split(r",(?=\s*\w+\s*=)", text):  # a column's own name may hold a comma
            field, mark, column = pair.partition("=")
            if not mark or not field.strip():
                raise InputError(f"--columns {pair}: no column; write FIELD=COLUMN, such as prompt=question")
            columns[field.strip()] = column.strip()
    return columns


def _recipe_file(path: Path) -> Recipe:
    example = '{"tables": [{"path": "rows.jsonl", "weight": 2}, {"path": "b.csv", "weight": 1}], "replay": 0.1}'
    try:
        return Recipe.from_json(json.loads(path.read_text(encoding="utf-8-sig")), path.parent)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; check the path and its permissions") from error
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"{error.msg}, line {error.lineno}" if isinstance(error, json.JSONDecodeError) else repr(error)
        raise InputError(f"{path.name}: no recipe ({what}); write {example}") from error
