"""All that is known of an adapter, as the README.md that travels with it: what from, how made, how measured.

Of the rows only their number and hash are told; the rows themselves never leave the machine.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tuning.adapters import HUB_ID, Adapter
from tuning.assessment import SETS, caveats, figures, measured_on
from tuning.curves import thin

FORMS = {"adapter": "peft", "model": "transformers", "gguf": "gguf"}
"""What is exported, and the library that reads it."""
POINTS = 12
"""Validation losses that are listed; of more, every so-manyth, and always the last."""

KINDS = {
    "lora": "a LoRA adapter",
    "rslora": "a rank-stabilised LoRA adapter",
    "dora": "a DoRA adapter",
    "qlora": "a LoRA adapter trained beside a base of 4 bits",
    "full": "a model all of whose weights were trained",
    "dpo": "a LoRA adapter trained on preferences (DPO)",
    "kto": "a LoRA adapter trained on good and bad answers (KTO)",
}


def card_text(adapter: Adapter, found: Mapping[str, Any] | None, form: str = "adapter") -> str:
    """The card as Markdown with the Hub's front matter. `found` is the assessment, `form` one of `FORMS`."""
    parts = [
        *_front_matter(adapter, form),
        f"# {adapter.name}",
        *_summary(adapter, found),
        *_usage(adapter, form),
        *_data(adapter.card),
        *_training(adapter.card),
        *_curves(adapter.card),
        *_results(adapter.card, found),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(adapter: Adapter, form: str) -> Iterator[str]:
    tags = ["fourfold", *dict.fromkeys([str(adapter.card.get("method", "lora")), form])]
    lines = ["---", f"library_name: {FORMS[form]}", "pipeline_tag: text-generation"]
    if HUB_ID.fullmatch(adapter.shown_base):
        relation = {"adapter": "adapter", "model": "finetune", "gguf": "finetune"}[form]
        lines += [f"base_model: {adapter.shown_base}", f"base_model_relation: {relation}"]
    yield "\n".join([*lines, "tags:", *(f"- {tag}" for tag in tags), "---"])


def _summary(adapter: Adapter, found: Mapping[str, Any] | None) -> Iterator[str]:
    kind = KINDS.get(str(adapter.card.get("method")), "an adapter")
    yield (
        f"This is {kind} of **{_plain(adapter.shown_base)}**, made on {str(adapter.card['created'])[:10]}. Its weights "
        f"take {adapter.weight_bytes / 1e6:.1f} MB; their SHA-256 begins with `{adapter.digest[:16]}`, the base's "
        f"digest with `{str(adapter.card['base_digest'])[:16]}`."
    )
    lineage = adapter.card.get("lineage") or ()
    if lineage:
        earlier = ", ".join(f"{_plain(one['name'])} (`{str(one['digest'])[:16]}`)" for one in lineage)
        yield f"Training went on from earlier adapters, the nearest first: {earlier}."
    else:
        yield "Training began with fresh weights beside the base's, not with an earlier adapter."
    if found is None:
        yield "**Verdict: not measured.** It was not compared with its base yet."
    else:
        yield f"**Verdict: {found['verdict']['verdict']}.** " + " ".join(map(_plain, found["verdict"]["reasons"]))


def _usage(adapter: Adapter, form: str) -> Iterator[str]:
    yield "## Use"
    if form == "gguf":
        yield "Any program that reads GGUF files, llama.cpp for one, runs the file beside this card."
        return
    lines = ["```python", "from transformers import AutoModelForCausalLM, AutoTokenizer"]
    if form == "adapter":
        lines += [
            "from peft import PeftModel",
            "",
            f'base = AutoModelForCausalLM.from_pretrained("{adapter.shown_base}")',
        ]
        lines += ['model = PeftModel.from_pretrained(base, ".")']
        lines += [f'tokenizer = AutoTokenizer.from_pretrained("{adapter.shown_base}")', "```"]
    else:
        lines += ["", 'model = AutoModelForCausalLM.from_pretrained(".")']
        lines += ['tokenizer = AutoTokenizer.from_pretrained(".")', "```"]
    yield "\n".join(lines)


def _data(card: Mapping[str, Any]) -> Iterator[str]:
    rows = card.get("rows") or {}
    counts = [f"{len(rows.get(part, ()))} {words}" for part, words in (
        ("train", "to train"), ("validation", "to validate"), ("test", "held out to test")
    )]  # fmt: skip
    yield "## Data"
    yield (
        f"Rows of {_plain(rows.get('file', 'a file'))} (SHA-256 `{rows.get('sha256', 'unknown')}`): "
        f"{', '.join(counts)}. The rows themselves are not part of this repository."
    )


def _training(card: Mapping[str, Any]) -> Iterator[str]:
    yield "## Training"
    facts = {
        "method": card.get("method"),
        "precision": card.get("precision"),
        "steps": card.get("steps"),
        "ended": card.get("ended"),
        "seconds": card.get("seconds"),
        "answer tokens a second": card.get("answer_tokens_per_second"),
    }
    config = {name: value for name, value in (card.get("config") or {}).items() if name not in facts}
    yield _table(("setting", "value"), [(name, str(value)) for name, value in (facts | config).items()])


def _curves(card: Mapping[str, Any]) -> Iterator[str]:
    curves = card.get("curves") or {}
    train, validation = curves.get("train") or (), curves.get("validation") or ()
    yield "## Curves"
    if train:
        (first, early), (last, late) = train[0], train[-1]
        yield f"Training loss of the answers: {early:.3f} at step {first}, {late:.3f} at step {last}."
    if validation:
        best_step, best = min(validation, key=lambda point: point[1])
        yield f"Validation loss: lowest at step {best_step}, {best:.3f}; the weights of that step were kept."
        yield _table(
            ("step", "validation loss"), [(str(step), f"{loss:.3f}") for step, loss in thin(validation, POINTS)]
        )
    else:
        yield "No rows were left to validate with."


def _results(card: Mapping[str, Any], found: Mapping[str, Any] | None) -> Iterator[str]:
    yield "## Measured"
    if found is None:
        loss, base = card.get("test_loss"), card.get("base_test_loss")
        if loss is not None and base is not None:
            yield f"Loss of the answers on the held-out rows: {loss:.3f}, the base model's {base:.3f}."
        yield "Nothing else was measured yet."
        return
    for kind, words in SETS.items():
        if kind in found:
            title = "Against the base, on rows that it never saw" if kind == "held_out" else f"Forgetting: {words}"
            yield f"### {title}"
            yield f"{measured_on(found[kind], words)}."
            yield _table(("figure", "base", "tuned", "change [95% interval]"), figures(found[kind]))
            if said := caveats(found[kind]):
                yield "\n".join(f"- {_plain(caveat)}." for caveat in said)
    floors = {SETS[kind]: floor for kind, floor in found["verdict"]["noise_floor"].items() if floor is not None}
    shown = ", ".join(f"{floor:.3f} on {kind}" for kind, floor in floors.items())
    yield (
        "Intervals are of the differences on the same rows, by a bootstrap that draws whole sources. "
        + (f"Noise floor of the figures that decided: {shown}. " if shown else "")
        + f"Measured on {str(found['created'])[:10]} in {found['base']['precision']}, likeliest token each time."
    )
    if found["notes"]:
        yield "\n".join(f"- {_plain(note)}" for note in found["notes"])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_plain(cell) for cell in line) + " |" for line in lines)


def _plain(text: Any) -> str:
    """Text that is no Markdown of its own and stays on its line."""
    return re.sub(r"([|`*_<>\[\]])", r"\\\1", " ".join(str(text).split()))
