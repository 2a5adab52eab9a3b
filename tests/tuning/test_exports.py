"""What is taken elsewhere: PEFT's files, a whole model, a GGUF file, with their card and without the user's rows."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.tuning.assessed import ANSWER, QUESTION, assessment
from tuning import lora
from tuning.adapters import CARD, WEIGHTS, Adapter, save_adapter
from tuning.assessment import ASSESSMENT
from tuning.base import Base
from tuning.config import TrainConfig
from tuning.errors import InputError
from tuning.exports import README, export_adapter
from tuning.gguf import VARIABLE, converter
from tuning.heldout import TEST_ROWS

CARDS = {"base": "tiny", "base_digest": "0" * 64}


def write(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}")
    save_file({"weight": torch.ones(4, 4)}, folder / WEIGHTS)


@pytest.fixture
def base(tiny_base_path: Path) -> Base:
    model = AutoModelForCausalLM.from_pretrained(tiny_base_path).eval()
    return Base("tiny", "a test", model, AutoTokenizer.from_pretrained(tiny_base_path), "0" * 64)


def tuned(base: Base) -> Any:
    model = lora.attach(base, TrainConfig(rank=2), "float32")
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(generator=torch.Generator().manual_seed(1)).mul_(0.1)
    return model.eval()


def test_merged_says_what_base_and_adapter_say_together(base: Base, tmp_path: Path) -> None:
    model = tuned(base)
    adapter = save_adapter(tmp_path, "one", lambda folder: lora.write(model, base.name, folder), CARDS)
    ids = torch.arange(3, 20).unsqueeze(0)
    before = base.model(input_ids=ids).logits
    merged = AutoModelForCausalLM.from_pretrained(export_adapter(adapter, tmp_path / "merged", base))
    torch.testing.assert_close(merged(input_ids=ids).logits, model(input_ids=ids).logits, rtol=1e-2, atol=1e-2)
    assert not torch.allclose(merged(input_ids=ids).logits, before, atol=0.1)
    assert torch.equal(base.model(input_ids=ids).logits, before)
    assert AutoTokenizer.from_pretrained(tmp_path / "merged").chat_template


def test_exported_loads_in_peft(base: Base, tmp_path: Path) -> None:
    model = tuned(base)
    adapter = save_adapter(tmp_path, "one", lambda folder: lora.write(model, base.name, folder), CARDS)
    folder = export_adapter(adapter, tmp_path / "out")
    assert (adapter.path / WEIGHTS).stat().st_mode == (adapter.path / CARD).stat().st_mode
    ids = torch.arange(3, 20).unsqueeze(0)
    loaded = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base.model.name_or_path), str(folder))
    torch.testing.assert_close(loaded(input_ids=ids).logits, model(input_ids=ids).logits, rtol=1e-2, atol=1e-2)
    assert json.loads((folder / CARD).read_text())["weights_sha256"] == adapter.digest
    with pytest.raises(InputError, match="exists; name a folder that does not"):
        export_adapter(adapter, tmp_path / "out")


def test_an_adapter_is_not_merged_into_another_base(base: Base, tmp_path: Path) -> None:
    adapter = save_adapter(tmp_path, "one", write, CARDS | {"base_digest": "1" * 64})
    with pytest.raises(InputError, match="one was trained on tiny, not on tiny; choose that with --base"):
        export_adapter(adapter, tmp_path / "merged", base)
    assert not (tmp_path / "merged").exists()


def measured(base: Base, folder: Path) -> Adapter:
    """An adapter with all that its folder can hold."""
    model = tuned(base)
    adapter = save_adapter(folder, "one", lambda target: lora.write(model, base.name, target), CARDS)
    (adapter.path / TEST_ROWS).write_text(json.dumps({"messages": [QUESTION, ANSWER]}))
    (adapter.path / ASSESSMENT).write_text(json.dumps(assessment(adapter)))
    return adapter


@pytest.mark.parametrize("merged", [False, True])
def test_an_export_has_its_card_and_none_of_the_rows(base: Base, tmp_path: Path, merged: bool) -> None:
    adapter = measured(base, tmp_path)
    (adapter.path / ".assessment.json.killed.tmp").write_text(QUESTION)
    folder = export_adapter(adapter, tmp_path / "out", base if merged else None)
    assert "**Verdict: keep.**" in (folder / README).read_text()
    assert not (folder / TEST_ROWS).exists()
    assert json.loads((folder / ASSESSMENT).read_text())["verdict"]["verdict"] == "keep"
    for path in folder.iterdir():
        assert QUESTION.encode() not in path.read_bytes(), path
        assert ANSWER.encode() not in path.read_bytes(), path


def test_a_model_of_its_own_is_exported_as_it_is(base: Base, tmp_path: Path) -> None:
    def whole(folder: Path) -> None:
        base.model.save_pretrained(folder)
        base.tokenizer.save_pretrained(folder)

    adapter = save_adapter(tmp_path, "whole", whole, CARDS | {"method": "full"})
    folder = export_adapter(adapter, tmp_path / "out")
    ids = torch.arange(3, 20).unsqueeze(0)
    assert torch.equal(AutoModelForCausalLM.from_pretrained(folder)(input_ids=ids).logits, base.model(ids).logits)
    assert "library_name: transformers" in (folder / README).read_text()


FAKE = """
import json, sys
from pathlib import Path
folder, _, out, _, kind = sys.argv[1:]
assert (Path(folder) / "model.safetensors").is_file() and (Path(folder) / "tokenizer.json").is_file()
config = json.loads((Path(folder) / "config.json").read_text())
Path(out).write_bytes(b"GGUF" + json.dumps(config).encode() + kind.encode())
"""


def fake_converter(folder: Path, text: str = FAKE) -> Path:
    path = folder / "convert_hf_to_gguf.py"
    path.write_text(text)
    return path


def test_gguf_is_written_by_the_installed_converter(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = measured(base, tmp_path / "adapters")
    monkeypatch.setenv(VARIABLE, str(fake_converter(tmp_path)))
    folder = export_adapter(adapter, tmp_path / "out", base, gguf="f16")
    assert sorted(path.name for path in folder.iterdir()) == [README, ASSESSMENT, CARD, "one-f16.gguf"]
    written = (folder / "one-f16.gguf").read_bytes()
    assert written.startswith(b"GGUF{")
    assert written.endswith(b"f16")
    assert "library_name: gguf" in (folder / README).read_text()
    assert [path.name for path in tmp_path.glob(".*")] == []


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("import sys; print('Model X is not supported', file=sys.stderr); sys.exit(3)", "Model X is not supported"),
        ("import sys; sys.exit(3)", "status 3 and said nothing"),
        ("pass", "wrote no GGUF file"),
        ("import sys; open(sys.argv[3], 'w').write('no')", "wrote no GGUF file"),
    ],
)
def test_a_converter_that_fails_is_told_in_one_sentence(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    adapter = measured(base, tmp_path / "adapters")
    monkeypatch.setenv(VARIABLE, str(fake_converter(tmp_path, script)))
    with pytest.raises(InputError, match=message) as raised:
        export_adapter(adapter, tmp_path / "out", base, gguf="q8_0")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="'q9' is no type that the converter writes"):
        export_adapter(adapter, tmp_path / "out", base, gguf="q9")


def test_the_converter_is_looked_for_where_it_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(InputError, match=f"no GGUF converter is installed; fetch llama.cpp and set {VARIABLE}"):
        converter()
    build = tmp_path / "llama.cpp" / "build" / "bin"
    build.mkdir(parents=True)
    script = fake_converter(tmp_path / "llama.cpp")
    program = build / "llama-cli"
    program.write_text("#!/bin/sh\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(build))
    assert converter()[-1] == str(script)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "llama.cpp"))
    assert converter()[-1] == str(script)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"names .*nowhere, where no convert_hf_to_gguf.py is"):
        converter()
