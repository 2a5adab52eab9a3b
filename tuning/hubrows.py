"""A data set of the Hugging Face Hub -> a file of its rows. `hub:owner/name`, `hub:owner/name/config:split`."""

import importlib
import json
import re
import threading
from pathlib import Path
from typing import Any

from tuning.errors import InputError

PREFIX = "hub:"
FORM = f"{PREFIX}owner/name, {PREFIX}owner/name:split or {PREFIX}owner/name/config:split"
PATIENCE = 10.0
"""Seconds that the Hub has to answer before it counts as unreachable."""

_NAME = re.compile(r"(?P<name>\w[\w.-]*/\w[\w.-]*)(/(?P<config>[\w.-]+))?(:(?P<split>[\w.+\[\]:%-]+))?")


def fetch(source: str, folder: Path) -> Path:
    """A new JSONL file in `folder` with the rows of a data set; of its split `train` where none is named.

    A split may be a part of one, such as `train[:1000]`. The token is read as by the Hub's own tools, from HF_TOKEN.
    Raises InputError in one sentence for a bad name, no network, or a data set or split that is not there.
    """
    found = _NAME.fullmatch(source.removeprefix(PREFIX))
    if not found:
        raise InputError(f"{source}: not the name of a data set; write {FORM}")
    name, config, split = found["name"], found["config"], found["split"] or "train"
    rows = _load(source, name, config, split)
    path = folder / (re.sub(r"[^\w.-]+", "-", "-".join(filter(None, (name, config, split)))).strip("-") + ".jsonl")
    with path.open("w", encoding="utf-8") as file:
        for batch in rows.with_format("arrow").iter(1000):
            for record in batch.to_pylist():
                file.write(json.dumps(record, default=_told) + "\n")
    return path


def load_dataset(name: str, config: str | None, split: str) -> Any:
    """The rows as the library `datasets` gives them."""
    datasets = importlib.import_module("datasets")
    datasets.disable_progress_bars()
    return datasets.load_dataset(name, config, split=split)


def ask_hub(name: str) -> str:
    """Why the Hub does not give a data set, empty if it does; within `PATIENCE` seconds."""
    hub, constants, errors = (
        importlib.import_module(f"huggingface_hub{part}") for part in ("", ".constants", ".errors")
    )
    if constants.HF_HUB_OFFLINE:  # then what the cache holds is asked for, without the network
        return ""
    answers: list[str] = []

    def ask() -> None:
        try:
            hub.HfApi().dataset_info(name, timeout=PATIENCE)
            answers.append("")
        except errors.RepositoryNotFoundError:  # of which one that needs a permission is a kind
            answers.append(f"the Hub shows none of this name; check it, or set HF_TOKEN to one that may read {name}")
        except Exception as error:  # the client's transport errors share no base class
            answers.append(_unreachable(error))

    # A daemon thread, because name resolution takes no timeout of ours and must not hold up the exit either.
    asking = threading.Thread(target=ask, name="hub", daemon=True)
    asking.start()
    asking.join(PATIENCE)
    return answers[0] if answers else _unreachable(f"no answer within {PATIENCE:.0f} s")


def _load(source: str, name: str, config: str | None, split: str) -> Any:
    if trouble := ask_hub(name):
        raise InputError(f"{source}: {trouble}")
    try:
        return load_dataset(name, config, split)
    except ConnectionError as error:
        raise InputError(f"{source}: {_unreachable(error)}") from error
    except Exception as error:  # whatever a data set on the Hub may bring about is the user's to know, not a crash
        raise InputError(f"{source}: {_first_line(error)}; write {FORM} as its page shows them") from error


def _unreachable(error: object) -> str:
    return (
        f"the Hub cannot be reached ({_first_line(error)}); connect to the network, or download the rows elsewhere "
        "and give their file"
    )


def _first_line(error: object) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _told(value: Any) -> str:
    """What JSON has no form for, such as a date or a picture."""
    return f"{len(value)} bytes" if isinstance(value, bytes) else str(value)
