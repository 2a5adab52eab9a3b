"""`python -m tuning`: train an adapter, look at what there is, and talk to it, without a browser."""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from tuning.config import METHODS, PRECISIONS, PRESETS, TrainConfig
from tuning.errors import InputError

REPO = Path(__file__).resolve().parent.parent
SAMPLES = REPO / "data" / "samples" / "adapter"
EXAMPLES = """examples:
  python -m tuning train data/samples/rows.jsonl --name mine --preset quick
  python -m tuning list
  python -m tuning chat --adapter mine "Who are you?"
  python -m tuning export mine ./mine-merged --merge
"""


def home() -> Path:
    """Where everything that is written at run time lives."""
    return Path(os.environ.get("FOURFOLD_HOME") or REPO / "data" / "local").expanduser()


def folders() -> tuple[Path, Path]:
    """Where adapters are looked for: the user's own first, then those that came with the program."""
    return home() / "adapters", SAMPLES


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        return int(options.command(options) or 0)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m tuning", description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _train_options(_command(commands, "train", train, "rows of a file -> an adapter"))
    _command(commands, "list", show_list, "adapters and training runs")
    show = _command(commands, "show", show_adapter, "all that is known of an adapter")
    show.add_argument("name", metavar="NAME")
    stop = _command(commands, "stop", stop_run, "end a training run and save the best so far")
    stop.add_argument("job", metavar="JOB", help="id of the run, from `list`")
    export = _command(commands, "export", export_to, "copy an adapter out, for PEFT or merged into its base")
    export.add_argument("name", metavar="NAME")
    export.add_argument("folder", type=Path, metavar="DIR", help="new folder to write")
    export.add_argument("--merge", action="store_true", help="write a whole model with the adapter worked in")
    _base_option(export)
    delete = _command(commands, "delete", delete_one, "remove an adapter of yours")
    delete.add_argument("name", metavar="NAME")
    talk = _command(commands, "chat", chat, "one question, one answer")
    talk.add_argument("question", metavar="QUESTION")
    talk.add_argument("--adapter", metavar="NAME", help="answer with this adapter; default: the base model alone")
    talk.add_argument("--max-tokens", type=int, default=256, metavar="N", help="longest answer (default 256)")
    _base_option(talk)
    return top


def _command(commands: Any, name: str, function: Any, text: str) -> argparse.ArgumentParser:
    example = next((line for line in EXAMPLES.splitlines() if f"tuning {name}" in line), "")
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:],
        epilog=f"example:\n{example}" if example else f"example:\n  python -m tuning {name} ...",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    command.set_defaults(command=function)
    return command


def _base_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--base",
        metavar="MODEL",
        default=os.environ.get("FOURFOLD_BASE") or None,
        help="folder or Hub id of the base model (default: FOURFOLD_BASE, or SmolLM2-135M-Instruct)",
    )


def _train_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("rows", type=Path, metavar="ROWS", help="JSONL, JSON, CSV, TSV or Parquet file")
    command.add_argument("--name", required=True, metavar="NAME", help="what to call the adapter")
    command.add_argument(
        "--from", dest="start", metavar="ADAPTER", help="go on from this adapter (default: a fresh one)"
    )
    command.add_argument("--preset", choices=PRESETS, default="balanced", help="where the values below start from")
    choices = {"method": METHODS, "precision": PRECISIONS}
    for field in fields(TrainConfig):
        meaning = field.metadata["meaning"]
        flag = "--" + field.name.replace("_", "-")
        if isinstance(field.default, bool):
            command.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=meaning)
        elif field.name in choices:  # the config says what is wrong with another value, and why
            command.add_argument(flag, metavar="|".join(choices[field.name]), help=meaning)
        else:
            command.add_argument(flag, type=type(field.default), metavar="N", help=meaning.replace("%", "%%"))
    _base_option(command)


def train(options: argparse.Namespace) -> int:
    from tuning.adapters import find_adapter
    from tuning.jobs import create_job
    from tuning.process import PATIENT_THREADS

    os.environ.update(PATIENT_THREADS)  # torch reads it when it is loaded, which is below
    names = [field.name for field in fields(TrainConfig)]
    changes = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    config = TrainConfig.preset(options.preset, changes)
    start = find_adapter(options.start, *folders()) if options.start else None
    job = create_job(home(), options.rows, options.name, config, options.base, start)

    from tuning.worker import quiet, run

    quiet()
    end = run(job, _Meter())
    if end["event"] == "failed":
        raise InputError(end["reason"])
    result = {key: value for key, value in end.items() if key not in ("event", "reason")} | {"job": job.id}
    lines = [end["reason"]] if end.get("reason") else []
    if "adapter" in end:
        lines += [f"saved {end['adapter']} after {end['steps']} steps and {end['seconds']:.0f} s ({end['ended']})"]
        lines += ["loss of the answers: " + _losses(end)]
    _print(options, result, lines)
    return 0 if "adapter" in end else 130


def _losses(card: Mapping[str, Any]) -> str:
    if card["test_loss"] is None:
        return "not measured on held-out rows: too few of them"
    change = card["test_loss"] / card["base_test_loss"] - 1
    return f"{card['test_loss']:.3f} on held-out rows, base model {card['base_test_loss']:.3f} ({change:+.0%})"


class _Meter:
    """Progress on standard error: a line that is written over on a terminal, else a line now and then."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = 0.0

    def __call__(self, event: Mapping[str, Any]) -> None:
        kind = event["event"]
        if not self._terminal:
            return
        if kind == "note":
            print(f"\r\033[K{event['text']}", file=sys.stderr)
        elif kind == "rows":
            for what in ("dropped", "cut"):
                for finding in event[what]:
                    print(f"\r\033[K{what}: {finding['place']}: {finding['reason']}", file=sys.stderr)
        elif kind == "validation":
            print(f"\r\033[Kstep {event['step']}: validation loss {event['loss']:.3f}", file=sys.stderr)
        elif kind == "step" and time.monotonic() - self._last > 0.2:
            self._last = time.monotonic()
            line = f"step {event['step']}/{event['steps']}  loss {event['loss']:.3f}  "
            line += f"{event['answer_tokens_per_second']:.0f} answer tokens/s  {event['seconds_left']:.0f} s left"
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
        elif kind in ("done", "stopped", "failed"):
            print("\r\033[K", end="", file=sys.stderr)


def show_list(options: argparse.Namespace) -> None:
    from tuning.adapters import list_adapters
    from tuning.jobs import list_jobs

    adapters = list_adapters(*folders(), note=lambda text: print(text, file=sys.stderr))
    jobs = list_jobs(home())
    result = {
        "adapters": [{"name": a.name, "base": a.base, "digest": a.digest, "path": str(a.path)} for a in adapters],
        "jobs": [{"id": j.id, "name": j.name, "state": j.state, "reason": j.reason} for j in jobs],
    }
    lines = [f"{a.name:24} {a.weight_bytes / 1e6:5.1f} MB  {_losses(a.card)}" for a in adapters] or ["no adapters yet"]
    lines += [f"run {job.id}  {job.name}: {job.state}  {job.reason}".rstrip() for job in jobs]
    _print(options, result, lines)


def show_adapter(options: argparse.Namespace) -> None:
    from tuning.adapters import find_adapter

    adapter = find_adapter(options.name, *folders())
    lines = [f"{key}: {value}" for key, value in adapter.card.items() if key not in ("rows", "curves", "config")]
    lines += [f"{key}: {value}" for key, value in adapter.card["config"].items()]
    _print(options, dict(adapter.card), [*lines, f"path: {adapter.path}"])


def stop_run(options: argparse.Namespace) -> None:
    from tuning.jobs import find_job, stop_job

    job = stop_job(find_job(home(), options.job))
    _print(
        options, {"job": job.id, "state": job.state, "reason": job.reason}, [f"{job.state}: {job.reason}".strip(": ")]
    )


def export_to(options: argparse.Namespace) -> None:
    from tuning.adapters import export_adapter, find_adapter

    adapter = find_adapter(options.name, *folders())
    base = None
    if options.merge:
        base = _base(options.base or adapter.base)
    target = export_adapter(adapter, options.folder, base)
    _print(options, {"adapter": adapter.name, "folder": str(target), "merged": options.merge}, [f"wrote {target}"])


def delete_one(options: argparse.Namespace) -> None:
    from tuning.adapters import delete_adapter

    delete_adapter(options.name, home() / "adapters")
    _print(options, {"deleted": options.name}, [f"deleted {options.name}"])


def chat(options: argparse.Namespace) -> None:
    from tuning.adapters import find_adapter
    from tuning.engine import Engine
    from tuning.request import Request, Sampling
    from tuning.warmup import WarmUp

    adapter = find_adapter(options.adapter, *folders()) if options.adapter else None
    sampling = Sampling(max_tokens=options.max_tokens)
    engine = Engine(_base(options.base or (adapter.base if adapter else None)))
    if adapter:
        engine.attach(adapter.name, adapter.path)
    WarmUp(engine, home() / "compiled").run(compile_missing=False)  # one answer is not worth a minute of compiling
    message = {"role": "user", "content": options.question}
    *_, (answer,) = engine.stream([Request([message], options.adapter, sampling)])
    result = {"answer": answer.text, "tokens": answer.tokens, "finished": answer.finished, "adapter": options.adapter}
    _print(options, result, [answer.text])


def _base(name: str | None) -> Any:
    from tuning.base import load_base
    from tuning.worker import quiet

    quiet()
    return load_base(name, home(), lambda text: print(text, file=sys.stderr) if sys.stderr.isatty() else None)


def _print(options: argparse.Namespace, result: Mapping[str, Any], lines: list[str]) -> None:
    print(json.dumps(result) if options.json else "\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())
