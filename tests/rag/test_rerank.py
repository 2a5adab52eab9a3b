import time
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from rag.errors import InputError
from rag.refining import Refining
from rag.rerank import Reranker, ordered


class Longest:
    """Likes long passages, and takes its time over each pair."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.read = seconds, list[str]()

    def predict(self, inputs: list[tuple[str, str]]) -> np.ndarray:
        time.sleep(self.seconds * len(inputs))
        self.read += [passage for _, passage in inputs]
        return np.array([[len(passage)] for _, passage in inputs], np.float32)


@pytest.fixture
def tiny_reranker(tmp_path: Path) -> Path:
    """A cross-encoder of random weights: the real kind of model, a layer deep."""
    words = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "drill", "belt", "shop"])}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=32, **special).save_pretrained(tmp_path)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
        num_labels=1,
    )
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    return tmp_path


@given(st.lists(st.text("ab", max_size=9), max_size=20))
def test_with_time_all_are_in_the_order_of_the_scores(passages: list[str]) -> None:
    found = ordered(Longest(), "q", passages, 9)
    assert sorted(found.order) == list(range(len(passages)))
    assert [passages[place] for place in found.order] == sorted(passages, key=len, reverse=True)
    assert found.scores == [len(passages[place]) for place in found.order]


def test_what_is_not_read_in_time_keeps_its_order_below_what_was() -> None:
    """A reranker without a limit made the user wait for five seconds; half an answer from it is still an answer."""
    passages, slow = [str(10**n) for n in range(12)], Longest(0.02)
    start = time.monotonic()
    found = ordered(slow, "q", passages, 0.1)
    assert time.monotonic() - start < 1
    read = len(slow.read)
    assert read in (4, 8)
    assert slow.read == passages[:read], "from the best down"
    assert found.order == [*range(read - 1, -1, -1), *range(read, 12)]
    assert len(found.scores) == read


def test_a_real_cross_encoder_is_loaded_and_orders(tiny_reranker: Path) -> None:
    reranker = Reranker(str(tiny_reranker))
    found = reranker.order("drill", ["belt", "drill shop", "shop"])
    assert sorted(found.order) == [0, 1, 2]
    assert found.scores == sorted(found.scores, reverse=True)
    assert len(set(found.scores)) == 3


@pytest.mark.parametrize("name", ["no/such-reranker", "/no/such/folder", ""])
def test_an_unknown_reranker_names_the_remedies(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="was found; give the folder"):
        Reranker(name)


def test_settings_that_are_none() -> None:
    with pytest.raises(InputError, match="give a number from 0"):
        Refining(balance=2)
    with pytest.raises(InputError, match="more than 0"):
        Refining(seconds=0)
