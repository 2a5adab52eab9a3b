"""Votes pushed to a Hub that is played by this test."""

from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import LocalTokenNotFoundError

import tuning.errors
from eval.errors import InputError
from eval.export import FORMATS
from eval.hubexport import push
from tests.eval.making import make_vote

VOTES = [make_vote("c0"), make_vote("c1", choice="tie")]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    seen = SimpleNamespace(made=[], files={}, private=True)

    def create(self: HfApi, repo: str, **options: Any) -> None:
        seen.made.append((repo, options))

    def upload(self: HfApi, *, path_or_fileobj: bytes, path_in_repo: str, repo_id: str, **options: Any) -> None:
        assert options["repo_type"] == "dataset"
        seen.files[repo_id, path_in_repo] = path_or_fileobj

    monkeypatch.setattr(HfApi, "create_repo", create)
    monkeypatch.setattr(HfApi, "upload_file", upload)
    monkeypatch.setattr(HfApi, "repo_info", lambda self, repo, repo_type: SimpleNamespace(private=seen.private))
    return seen


def test_what_arrives_is_the_export_in_a_private_data_set(hub: SimpleNamespace) -> None:
    assert push(VOTES, "dpo", "me/votes").endswith("/datasets/me/votes")
    assert hub.made == [("me/votes", {"repo_type": "dataset", "private": True, "exist_ok": True})]
    assert hub.files == {("me/votes", "votes-dpo.jsonl"): FORMATS["dpo"](VOTES)}
    push(VOTES, "parquet", "me/votes", public=True)
    assert ("me/votes", "votes-parquet.parquet") in hub.files


def test_nothing_is_put_where_everybody_would_read_it(hub: SimpleNamespace) -> None:
    hub.private = False
    with pytest.raises(InputError, match="is public"):
        push(VOTES, "json", "me/votes")
    assert hub.files == {}


def test_refusals_are_a_sentence(hub: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="owner/name"):
        push(VOTES, "json", "votes")

    def refuse(self: HfApi, repo: str, **options: Any) -> None:
        raise LocalTokenNotFoundError("no token")

    monkeypatch.setattr(HfApi, "create_repo", refuse)
    with pytest.raises(tuning.errors.InputError, match="hf auth login"):
        push(VOTES, "json", "me/votes")
