"""Pushing to a Hub that is played by this test: what arrives there, and each refusal in one sentence."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

from tests.tuning.assessed import QUESTION, assessment
from tests.tuning.test_adapters import CARDS, write
from tuning.adapters import CARD, CONFIG, Adapter, save_adapter
from tuning.assessment import ASSESSMENT
from tuning.errors import InputError
from tuning.heldout import TEST_ROWS
from tuning.hub import TRANSPORT, push


@pytest.fixture
def adapter(tmp_path: Path) -> Adapter:
    adapter = save_adapter(tmp_path / "adapters", "mine", write, CARDS | {"base": "/srv/models/tiny"})
    (adapter.path / TEST_ROWS).write_text(QUESTION)
    (adapter.path / ASSESSMENT).write_text(json.dumps(assessment(adapter)))
    (adapter.path / CONFIG).write_text(json.dumps({"base_model_name_or_path": "/srv/models/tiny"}))
    return adapter


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What was asked of the Hub, and the files that arrived; `public` is what it says of the repository."""
    seen = SimpleNamespace(made=[], files={}, public=False)

    def create(self: HfApi, repo: str, **options: Any) -> None:
        seen.made.append((repo, options))

    def upload(self: HfApi, repo_id: str, folder_path: Path, commit_message: str) -> SimpleNamespace:
        seen.files = {path.name: path.read_bytes() for path in Path(folder_path).iterdir()}
        return SimpleNamespace(repo_url=f"https://hub.example/{repo_id}")

    monkeypatch.setattr(HfApi, "create_repo", create)
    monkeypatch.setattr(HfApi, "upload_folder", upload)
    monkeypatch.setattr(HfApi, "repo_info", lambda self, repo: SimpleNamespace(private=not seen.public))
    return seen


def test_what_arrives_is_the_adapter_with_its_card_and_no_rows(adapter: Adapter, hub: SimpleNamespace) -> None:
    assert push(adapter, "me/mine", private=True) == "https://hub.example/me/mine"
    assert hub.made == [("me/mine", {"private": True, "exist_ok": True})]
    assert set(hub.files) == {"README.md", CARD, CONFIG, ASSESSMENT, "adapter_model.safetensors"}
    assert b"**Verdict: keep.**" in hub.files["README.md"]
    assert json.loads(hub.files[CONFIG])["base_model_name_or_path"] == "tiny"
    for content in hub.files.values():
        assert b"/srv" not in content
        assert QUESTION.encode() not in content


def test_what_was_to_be_private_is_not_put_into_a_public_repository(adapter: Adapter, hub: SimpleNamespace) -> None:
    hub.public = True
    with pytest.raises(InputError, match="me/mine exists and is public; choose another name"):
        push(adapter, "me/mine", private=True)
    assert hub.files == {}


@pytest.mark.parametrize(
    "name", ["mine", "", "a/b/c", "/mine", "me/", "../x", "me/mi ne", "https://hub.example/me/mine"]
)
def test_a_name_that_is_no_repository_is_refused_before_anything_else(
    adapter: Adapter, hub: SimpleNamespace, name: str
) -> None:
    with pytest.raises(InputError, match="is no repository; name it owner/name"):
        push(adapter, name)
    assert hub.made == []


def refused(status: int) -> HfHubHTTPError:
    response = SimpleNamespace(status_code=status, headers={}, request=None)
    return HfHubHTTPError(f"{status} for url\nand more", response=response)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (refused(401), "the Hub does not accept the token; log in with `hf auth login`, or set HF_TOKEN"),
        (refused(403), "the token may not write to me/mine"),
        (refused(404), "the Hub knows no owner 'me'"),
        (refused(500), r"the Hub refused me/mine \(500: 500 for url\); try again later"),
        (LocalTokenNotFoundError("no token"), "the Hub wants to know who pushes; log in with"),
        (OfflineModeIsEnabled("offline"), "HF_HUB_OFFLINE is set, so nothing can be pushed; unset it"),
        (
            ConnectionError("Name or service not known"),
            r"cannot be reached \(Name or service not known\); check the net",
        ),
        (TRANSPORT("All connection attempts failed"), r"cannot be reached \(All connection attempts failed\)"),
    ],
)
def test_each_refusal_is_one_sentence(
    adapter: Adapter, hub: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def refuse(self: HfApi, repo: str, **options: Any) -> None:
        raise error

    monkeypatch.setattr(HfApi, "create_repo", refuse)
    with pytest.raises(InputError, match=message) as raised:
        push(adapter, "me/mine")
    assert "\n" not in str(raised.value)


def test_offline_the_library_itself_refuses(adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_TOKEN", "none")
    with pytest.raises(InputError, match="HF_HUB_OFFLINE is set"):
        push(adapter, "me/mine")


class Refusing(BaseHTTPRequestHandler):
    """A Hub that answers everything in the same way."""

    status = 401

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(self.status)
        self.send_header("content-length", "2")
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_HEAD = answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a Hub on this machine, to which the library speaks as it does to the real one."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody_else")
    yield url
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "the Hub does not accept the token; log in with `hf auth login`"),
        (403, "the token may not write to me/mine; choose a repository of your own"),
        (404, "the Hub knows no owner 'me' to whom you may push"),
    ],
)
def test_what_a_real_answer_comes_to(
    adapter: Adapter, endpoint: str, monkeypatch: pytest.MonkeyPatch, status: int, message: str
) -> None:
    monkeypatch.setattr(Refusing, "status", status)
    with pytest.raises(InputError, match=message) as raised:
        push(adapter, "me/mine")
    assert "\n" not in str(raised.value)


def test_where_nobody_listens_it_cannot_be_reached(
    adapter: Adapter, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(InputError, match="the Hub cannot be reached"):
        push(adapter, "me/mine")
