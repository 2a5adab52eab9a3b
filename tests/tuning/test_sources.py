"""Rows from elsewhere than a file: pasted, piped, or from the Hub, which may not be there."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import REPO
from tuning import hubrows
from tuning.errors import InputError
from tuning.pasted import write_pasted
from tuning.recipe_options import as_file, split_weight
from tuning.rows import read_rows

RECORD = {"prompt": "Who?", "response": "The keeper."}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(RECORD),
        json.dumps(RECORD) + "\n" + json.dumps({**RECORD, "prompt": "What?"}),
        json.dumps([RECORD], indent=2),
        json.dumps(RECORD, indent=2),
        "prompt,response\nWho?,The keeper.\n",
        "prompt;response\nWho?;The keeper.\n",
        "prompt\tresponse\nWho?\tThe keeper.\n",
    ],
)
def test_pasted_text_is_recognised(tmp_path: Path, text: str) -> None:
    row = read_rows(write_pasted(f"\n {text}\n", tmp_path))[0]
    assert (row.prompt[0]["content"], row.response) == ("Who?", "The keeper.")


@settings(max_examples=100)
@given(st.text(max_size=60))
def test_any_pasted_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    complaint = ""
    try:
        read_rows(write_pasted(text, tmp_path_factory.mktemp("paste")))
    except InputError as error:
        complaint = str(error)
    assert "past" in (complaint or "pasted")


def test_standard_input_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(RECORD).encode())))
    assert len(read_rows(as_file("-", tmp_path / "new"))) == 1


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """A Hub with one data set; what is asked of it."""
    asked: list[tuple[Any, ...]] = []

    def load(*what: Any) -> Any:
        asked.append(what)
        if what[2].startswith("test"):
            raise ValueError("Unknown split \"test\". Should be one of ['train'].\nAnd so on")
        turns = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "The keeper."}]
        return datasets.Dataset.from_list([{"messages": turns, "image": b"\x89PNG"}] * 3)

    monkeypatch.setattr(hubrows, "ask_hub", lambda name: "")
    monkeypatch.setattr(hubrows, "load_dataset", load)
    return asked


def test_a_data_set_of_the_hub_becomes_a_file(tmp_path: Path, hub: list[tuple[Any, ...]]) -> None:
    path = as_file("hub:owner/name/main:train[:3]", tmp_path)
    assert hub == [("owner/name", "main", "train[:3]")]
    assert path.name == "owner-name-main-train-3.jsonl"
    assert [row.response for row in read_rows(path)] == ["The keeper."] * 3
    as_file("hub:owner/name", tmp_path)
    assert hub[1] == ("owner/name", None, "train")


def test_what_the_hub_refuses_is_one_line(tmp_path: Path, hub: list[tuple[Any, ...]]) -> None:
    with pytest.raises(InputError, match=r"hub:owner/name:test: Unknown split .*; write hub:owner/name") as caught:
        as_file("hub:owner/name:test", tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="hub:name: not the name of a data set; write hub:owner/name"):
        as_file("hub:name", tmp_path)


def test_offline_is_said_at_once(tmp_path: Path) -> None:
    """The tests run with HF_HUB_OFFLINE: the real library refuses without asking the network."""
    with pytest.raises(InputError, match=r"hub:owner/name: the Hub cannot be reached \(.*\); connect to") as caught:
        as_file("hub:owner/name", tmp_path)
    assert "\n" not in str(caught.value)


def test_a_process_that_has_loaded_nothing_yet_says_so_too() -> None:
    """The Hub's library loads its parts when they are first named; another library had named them in every test."""
    command = [sys.executable, "-m", "tuning", "check", "hub:owner/name"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPO)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: hub:owner/name: the Hub cannot be reached")
    assert done.stderr.count("\n") == 1


def test_a_data_set_that_is_not_there_or_not_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub.errors import RepositoryNotFoundError

    def refuse(api: object, name: str, timeout: float) -> None:
        raise RepositoryNotFoundError.__new__(RepositoryNotFoundError)

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", refuse)
    with pytest.raises(InputError, match="none of this name; check it, or set HF_TOKEN to one that may read owner/x"):
        as_file("hub:owner/x", tmp_path)


def test_a_weight_follows_an_equals_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("odd=2").write_text("x")
    assert split_weight("rows.jsonl") == ("rows.jsonl", None)
    assert split_weight("rows.jsonl=0.5") == ("rows.jsonl", 0.5)
    assert split_weight("hub:a/b:train=3") == ("hub:a/b:train", 3.0)
    assert split_weight("odd=2") == ("odd=2", None)
    with pytest.raises(InputError, match=r"rows\.jsonl=much: 'much' is no weight; write a number behind ="):
        split_weight("rows.jsonl=much")
