"""The commands over trained adapters: look at them, talk to them, take them elsewhere, rename and remove them."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuning.commands import base_option, command, home, loaded_base, losses, shelves, show
from tuning.errors import InputError

if TYPE_CHECKING:
    from tuning.adapters import Adapter
    from tuning.base import Base


def add(commands: Any) -> None:
    """Add the commands to those of `python -m tuning`."""
    command(commands, "list", list_all, "adapters and training runs", "--json")
    _named(command(commands, "show", show_adapter, "all that is known of an adapter", "samples"))
    _add_export(commands)
    push = command(commands, "push", push_to, "upload an adapter to the Hugging Face Hub", "mine me/mine --private")
    _named(push)
    push.add_argument("repo", metavar="OWNER/NAME", help="the Hub's repository, made if there is none")
    push.add_argument("--private", action="store_true", help="make it one that only you can see")
    push.add_argument("--merge", action="store_true", help="upload a whole model with the adapter worked in")
    base_option(push)
    rename = command(commands, "rename", rename_one, "give an adapter of yours another name", "mine better")
    _named(rename)
    rename.add_argument("new", metavar="NEW")
    _add_delete(commands)
    talk = command(commands, "chat", chat, "one question, one answer", '--adapter mine "Who are you?"')
    talk.add_argument("question", metavar="QUESTION")
    talk.add_argument("--adapter", metavar="NAME", help="answer with this adapter; default: the base model alone")
    talk.add_argument("--max-tokens", type=int, default=256, metavar="N", help="longest answer (default 256)")
    base_option(talk)


def _named(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the adapter, or of a model of its own")


def _add_export(commands: Any) -> None:
    from tuning.gguf import TYPES

    words = "copy an adapter out, for PEFT, merged into its base, or as GGUF"
    export = command(commands, "export", export_to, words, "mine ./mine --merge")
    _named(export)
    export.add_argument("folder", type=Path, metavar="DIR", help="new folder to write")
    export.add_argument("--merge", action="store_true", help="write a whole model with the adapter worked in")
    export.add_argument(
        "--gguf", nargs="?", const="q8_0", choices=TYPES, help="write one GGUF file by llama.cpp's converter (q8_0)"
    )
    base_option(export)


def _add_delete(commands: Any) -> None:
    delete = command(commands, "delete", delete_one, "remove an adapter of yours", "mine --yes")
    _named(delete)
    delete.add_argument("--yes", action="store_true", help="do not ask")
    delete.add_argument(
        "--even-with-votes", action="store_true", help="delete it although votes refer to it; the votes stay"
    )


def list_all(options: argparse.Namespace) -> None:
    from tuning.adapters import list_adapters
    from tuning.assessment import read_assessment
    from tuning.jobs import list_jobs, pump

    pump(home())
    adapters = list_adapters(*shelves(), note=lambda text: print(text, file=sys.stderr))
    found = {adapter.path: read_assessment(adapter) for adapter in adapters}
    verdicts = {path: one["verdict"]["verdict"] if one else "not measured" for path, one in found.items()}
    jobs = list_jobs(home())
    result = {
        "adapters": [
            {"name": a.name, "base": a.base, "digest": a.digest, "path": str(a.path), "model": a.is_model}
            | {"verdict": verdicts[a.path]}
            for a in adapters
        ],
        "jobs": [{"id": j.id, "name": j.name, "state": j.state, "reason": j.reason} for j in jobs],
    }
    lines = [f"{a.name:24} {a.weight_bytes / 1e6:5.1f} MB  {verdicts[a.path]}; {losses(a.card)}" for a in adapters] or [
        "no adapters yet"
    ]
    lines += [f"run {job.id}  {job.name}: {job.state}  {job.reason}".rstrip() for job in jobs]
    show(options, result, lines)


def found_adapter(name: str) -> "Adapter":
    """What was trained under that name. Raises InputError with the names there are."""
    from tuning.adapters import find_adapter

    return find_adapter(name, *shelves())


def base_of(adapter: "Adapter", named: str | None) -> "Base":
    """The base that the adapter was trained on, or the one that the user names for it."""
    return loaded_base(named or adapter.base)


def show_adapter(options: argparse.Namespace) -> None:
    from tuning.assessment import in_words, read_assessment

    adapter = found_adapter(options.name)
    lines = [f"{key}: {value}" for key, value in adapter.card.items() if key not in ("rows", "curves", "config")]
    lines += [f"{key}: {value}" for key, value in adapter.card["config"].items()]
    found = read_assessment(adapter)
    lines += [f"path: {adapter.path}", f"size: {adapter.weight_bytes / 1e6:.1f} MB"]
    lines += in_words(found) if found else [f"not measured yet: python -m tuning assess {adapter.name}"]
    show(options, {**adapter.card, "name": adapter.name, "assessment": found}, lines)


def export_to(options: argparse.Namespace) -> None:
    from tuning.exports import export_adapter
    from tuning.gguf import converter

    adapter = found_adapter(options.name)
    if options.gguf:
        converter()  # without one there is no need to load a model
    whole = (options.merge or options.gguf) and not adapter.is_model
    base = base_of(adapter, options.base) if whole else None
    target = export_adapter(adapter, options.folder, base, options.gguf)
    result = {"adapter": adapter.name, "folder": str(target), "merged": bool(whole or adapter.is_model)}
    show(options, result | {"gguf": options.gguf}, [f"wrote {target}"])


def push_to(options: argparse.Namespace) -> None:
    from tuning.hub import push

    adapter = found_adapter(options.name)
    base = base_of(adapter, options.base) if options.merge and not adapter.is_model else None
    url = push(adapter, options.repo, options.private, base)
    show(options, {"adapter": adapter.name, "url": url, "private": options.private}, [f"pushed to {url}"])


def rename_one(options: argparse.Namespace) -> None:
    from tuning.keeping import rename

    renamed = rename(found_adapter(options.name), options.new, home())
    show(options, {"renamed": options.name, "name": renamed.name}, [f"{options.name} is now {renamed.name}"])


def delete_one(options: argparse.Namespace) -> None:
    from tuning.keeping import delete

    adapter = found_adapter(options.name)
    if not options.yes:
        _ask(f"Delete {adapter.name} ({adapter.weight_bytes / 1e6:.1f} MB) for good? [y/N] ", adapter.name)
    votes = delete(adapter, home(), os.environ.get("FOURFOLD_DATABASE_URL"), options.even_with_votes)
    stay = f"; {votes} votes that refer to it stay" if votes else ""
    show(options, {"deleted": adapter.name, "votes": votes}, [f"deleted {adapter.name}{stay}"])


def _ask(question: str, name: str) -> None:
    """Raise InputError unless the user says yes."""
    if not sys.stdin.isatty():
        raise InputError(f"{name} was not deleted: nobody is here to be asked; say --yes")
    print(question, end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise InputError(f"{name} was not deleted; answer y to delete it")


def chat(options: argparse.Namespace) -> None:
    from tuning.engine import Engine
    from tuning.request import Request, Sampling
    from tuning.warmup import WarmUp

    adapter = found_adapter(options.adapter) if options.adapter else None
    sampling = Sampling(max_tokens=options.max_tokens)
    model = str(adapter.path) if adapter and adapter.is_model else None
    beside = adapter if adapter and not model else None
    engine = Engine(loaded_base(model or options.base or (beside.base if beside else None)))
    if beside:
        engine.attach(beside.name, beside.path)
    WarmUp(engine, home() / "compiled").run(compile_missing=False)  # one answer is not worth a minute of compiling
    message = {"role": "user", "content": options.question}
    *_, (answer,) = engine.stream([Request([message], beside.name if beside else None, sampling)])
    result = {"answer": answer.text, "tokens": answer.tokens, "finished": answer.finished, "adapter": options.adapter}
    show(options, result, [answer.text])
