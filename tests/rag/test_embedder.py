import threading
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch

import rag.embedder as embedder_module
from rag.embedder import ALIKE, DEFAULT, Embedder, default_folder
from rag.errors import InputError

TEXTS = ["A dog runs in the park.", "A puppy is running outdoors.", "Interest rates rose again.", "x", "word " * 400]


def test_default_model_gives_unit_vectors_that_know_meaning(embedder: Embedder) -> None:
    vectors = embedder.encode(TEXTS, batch_size=2)
    assert vectors.dtype == np.float32
    assert vectors.shape == (5, embedder.dimension) == (5, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.4


def test_batches_do_not_change_a_vector(embedder: Embedder) -> None:
    alone = np.vstack([embedder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(embedder.encode(TEXTS, batch_size=3), alone, atol=1e-5)


def test_many_texts_are_as_alike_to_float32_as_promised(embedder: Embedder) -> None:
    """Batches of many may be computed in bfloat16; a question and few texts never are."""
    texts = [f"{text} {number}" for number in range(5) for text in TEXTS[:4]]
    many = embedder.encode(texts)
    exact = np.vstack([embedder.encode([text]) for text in texts])
    np.testing.assert_allclose(np.linalg.norm(many, axis=1), 1, atol=1e-5)
    assert (many * exact).sum(1).min() >= ALIKE


@pytest.mark.parametrize(("seconds", "noise", "fast"), [(0.1, 0, True), (9, 0, False), (0.1, 0.2, False)])
def test_bfloat16_is_chosen_only_where_it_is_faster_and_the_same(
    monkeypatch: pytest.MonkeyPatch, seconds: float, noise: float, fast: bool
) -> None:
    own = Embedder()

    def timed(model: torch.nn.Module, texts: list[str]) -> tuple[float, np.ndarray]:
        vectors = np.eye(len(texts), 384, dtype=np.float32)
        if next(model.parameters()).dtype == torch.float32:
            return 1.0, vectors
        other = vectors + noise * np.roll(vectors, 1, axis=1)
        return seconds, other / np.linalg.norm(other, axis=1, keepdims=True)

    monkeypatch.setattr(embedder_module, "_timed", timed)
    own.encode(["word"] * 16)
    chosen = own._fast
    assert chosen is not None
    assert (next(chosen.parameters()).dtype == torch.bfloat16) == fast
    assert next(own._model.parameters()).dtype == torch.float32


def test_no_texts_no_vectors(embedder: Embedder) -> None:
    assert embedder.encode([]).shape == (0, 384)


def test_limit_is_what_the_model_reads(embedder: Embedder) -> None:
    """Beyond the limit a text may change without changing its vector; at the limit it may not."""
    assert embedder.limit == 256
    body = embedder.limit - embedder.tokenizer.num_special_tokens_to_add(False)
    texts = ["word " * body + "cat", "word " * body + "dog", "word " * (body - 1) + "cat", "word " * (body - 1) + "dog"]
    cats, dogs, cat, dog = embedder.encode(texts)
    np.testing.assert_allclose(cats, dogs, atol=1e-6)
    assert np.abs(cat - dog).max() > 1e-4


def test_identity_follows_the_weights_not_the_place(embedder: Embedder, tmp_path: Path) -> None:
    copy = tmp_path / DEFAULT
    copy.symlink_to(default_folder())
    assert Embedder(str(copy)).identity == embedder.identity
    assert embedder.identity.startswith(f"{DEFAULT}@")


@pytest.mark.parametrize("name", ["no/such-model", "/no/such/folder", ""])
def test_unknown_model_names_the_remedies(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="was found; give the folder"):
        Embedder(name)


def test_a_folder_that_holds_no_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="was found; give the folder"):
        Embedder(str(tmp_path))


def test_threads_encode_and_count_at_once(embedder: Embedder) -> None:
    """The model's own tokenizer fails with "Already borrowed" when one thread sets truncation while another counts."""
    texts = TEXTS[:3]
    expected = embedder.encode(texts)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(4):
                np.testing.assert_allclose(embedder.encode(texts), expected, atol=1e-5)
                embedder.tokenizer.encode_batch_fast(texts)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
