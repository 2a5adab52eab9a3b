"""The commands over trained adapters: look at them, talk to them, take them elsewhere, remove them."""

import argparse
import sys
from pathlib import Path
from typing import Any

from tuning.commands import base_option, command, folders, home, loaded_base, losses, show


def add(commands: Any) -> None:
    """Add the commands to those of `python -m tuning`."""
    command(commands, "list", list_all, "adapters and training runs", "--json")
    look = command(commands, "show", show_adapter, "all that is known of an adapter", "samples")
    look.add_argument("name", metavar="NAME")
    export = command(
        commands, "export", export_to, "copy an adapter out, for PEFT or merged into its base", "mine ./mine --merge"
    )
    export.add_argument("name", metavar="NAME")
    export.add_argument("folder", type=Path, metavar="DIR", help="new folder to write")
    export.add_argument("--merge", action="store_true", help="write a whole model with the adapter worked in")
    base_option(export)
    delete = command(commands, "delete", delete_one, "remove an adapter of yours", "mine")
    delete.add_argument("name", metavar="NAME")
    talk = command(commands, "chat", chat, "one question, one answer", '--adapter mine "Who are you?"')
    talk.add_argument("question", metavar="QUESTION")
    talk.add_argument("--adapter", metavar="NAME", help="answer with this adapter; default: the base model alone")
    talk.add_argument("--max-tokens", type=int, default=256, metavar="N", help="longest answer (default 256)")
    base_option(talk)


def list_all(options: argparse.Namespace) -> None:
    from tuning.adapters import list_adapters
    from tuning.jobs import list_jobs

    adapters = list_adapters(*folders(), note=lambda text: print(text, file=sys.stderr))
    jobs = list_jobs(home())
    result = {
        "adapters": [{"name": a.name, "base": a.base, "digest": a.digest, "path": str(a.path)} for a in adapters],
        "jobs": [{"id": j.id, "name": j.name, "state": j.state, "reason": j.reason} for j in jobs],
    }
    lines = [f"{a.name:24} {a.weight_bytes / 1e6:5.1f} MB  {losses(a.card)}" for a in adapters] or ["no adapters yet"]
    lines += [f"run {job.id}  {job.name}: {job.state}  {job.reason}".rstrip() for job in jobs]
    show(options, result, lines)


def show_adapter(options: argparse.Namespace) -> None:
    from tuning.adapters import find_adapter

    adapter = find_adapter(options.name, *folders())
    lines = [f"{key}: {value}" for key, value in adapter.card.items() if key not in ("rows", "curves", "config")]
    lines += [f"{key}: {value}" for key, value in adapter.card["config"].items()]
    show(options, dict(adapter.card), [*lines, f"path: {adapter.path}"])


def export_to(options: argparse.Namespace) -> None:
    from tuning.adapters import export_adapter, find_adapter

    adapter = find_adapter(options.name, *folders())
    base = loaded_base(options.base or adapter.base) if options.merge else None
    target = export_adapter(adapter, options.folder, base)
    show(options, {"adapter": adapter.name, "folder": str(target), "merged": options.merge}, [f"wrote {target}"])


def delete_one(options: argparse.Namespace) -> None:
    from tuning.adapters import delete_adapter

    delete_adapter(options.name, home() / "adapters")
    show(options, {"deleted": options.name}, [f"deleted {options.name}"])


def chat(options: argparse.Namespace) -> None:
    from tuning.adapters import find_adapter
    from tuning.engine import Engine
    from tuning.request import Request, Sampling
    from tuning.warmup import WarmUp

    adapter = find_adapter(options.adapter, *folders()) if options.adapter else None
    sampling = Sampling(max_tokens=options.max_tokens)
    engine = Engine(loaded_base(options.base or (adapter.base if adapter else None)))
    if adapter:
        engine.attach(adapter.name, adapter.path)
    WarmUp(engine, home() / "compiled").run(compile_missing=False)  # one answer is not worth a minute of compiling
    message = {"role": "user", "content": options.question}
    *_, (answer,) = engine.stream([Request([message], options.adapter, sampling)])
    result = {"answer": answer.text, "tokens": answer.tokens, "finished": answer.finished, "adapter": options.adapter}
    show(options, result, [answer.text])
