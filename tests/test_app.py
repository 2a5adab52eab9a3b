"""Settings, the guard in front of every page, and what happens when the app cannot start."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

import app
from eval.errors import InputError


def test_settings_come_from_flags_then_environment(tmp_path: Path) -> None:
    settings = app.read_settings(["--port", "8000"], {"GRADIO_SERVER_PORT": "9000", "FOURFOLD_HOME": str(tmp_path)})
    assert (settings.port, settings.host, settings.home) == (8000, "127.0.0.1", tmp_path)
    assert settings.database == f"sqlite:///{tmp_path}/votes.sqlite"
    assert not settings.public
    assert app.read_settings([], {"GRADIO_SERVER_PORT": "9000"}).port == 9000


def test_on_a_space_visitors_cannot_change_what_is_shared() -> None:
    settings = app.read_settings([], {"SPACE_ID": "someone/fourfold"})
    assert settings.public
    assert settings.proxied
    assert settings.host == "0.0.0.0"


@pytest.mark.parametrize(
    ("arguments", "environment", "at_home"),
    [
        ([], {}, True),
        (["--host", "0.0.0.0"], {}, False),
        (["--host", "192.168.1.5"], {}, False),
        (["--public"], {}, False),
        (["--host", "127.0.0.1"], {"SPACE_ID": "someone/fourfold"}, False),
    ],
)
def test_folders_of_the_host_are_read_only_where_it_alone_reaches_the_app(
    arguments: list[str], environment: dict[str, str], at_home: bool
) -> None:
    assert app.read_settings(arguments, environment).at_home is at_home


def test_a_port_in_use_is_said_with_its_remedy(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert app.main(["--port", str(port)]) == 2
    assert capsys.readouterr().err == f"Port {port} is in use; choose another with --port or --host.\n"
    assert not home.exists(), "a start that failed left state behind"


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70000), ("no.such.host.invalid", 7860)])
def test_an_impossible_address_is_said(host: str, port: int) -> None:
    with pytest.raises(InputError, match="--port"):
        app.check_port(host, port)


def test_a_home_that_cannot_be_made_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert app.main(["--home", str(tmp_path / "file" / "home"), "--port", str(port)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert str(tmp_path / "file") in error


def test_the_browser_secret_survives_a_restart(tmp_path: Path) -> None:
    first = app.browser_secret(tmp_path / "home")
    assert len(first) == 64
    assert app.browser_secret(tmp_path / "home") == first
    assert (tmp_path / "home" / "browser-secret").stat().st_mode & 0o077 == 0


def respond(headers: dict[str, str], **options: Any) -> tuple[int, dict[str, str]]:
    """What the guard in front of a page that says 200 answers."""
    sent: list[Any] = []

    async def page(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    scope = {"type": "http", "headers": [(k.encode(), v.encode()) for k, v in headers.items()]}
    asyncio.run(app.Guard(page, **options)(scope, receive, send))
    return sent[0]["status"], {k.decode(): v.decode() for k, v in sent[0]["headers"]}


def test_other_sites_cannot_post_on_a_visitors_behalf(monkeypatch: pytest.MonkeyPatch) -> None:
    """On any host but localhost the framework reflects every origin with credentials; this guard does not."""
    assert respond({"host": "demo.example", "origin": "https://evil.example"})[0] == 403
    assert respond({"host": "demo.example", "origin": "null"})[0] == 403
    assert respond({"host": "demo.example", "origin": "https://demo.example"})[0] == 200
    assert respond({"host": "demo.example"})[0] == 200
    monkeypatch.setenv("SPACE_HOST", "someone-fourfold.hf.space")
    assert respond({"host": "10.0.0.1:7860", "origin": "https://someone-fourfold.hf.space"})[0] == 200


def test_at_home_a_name_that_was_pointed_at_this_machine_is_not_answered() -> None:
    """Its page has the same origin and host, so that comparing them tells nothing (DNS rebinding)."""
    rebound = {"host": "evil.example:7860", "origin": "http://evil.example:7860"}
    assert respond(rebound, at_home=True)[0] == 403
    assert respond({}, at_home=True)[0] == 403
    assert respond(rebound, at_home=True, hosts=("evil.example",))[0] == 200
    for host in ("127.0.0.1:7860", "localhost", "[::1]:7860", "LOCALHOST:80"):
        assert respond({"host": host, "origin": f"http://{host}"}, at_home=True)[0] == 200, host
    assert respond(rebound)[0] == 200


def test_pages_load_nothing_from_elsewhere() -> None:
    policy = respond({"host": "demo.example"})[1]["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "img-src 'self' data: blob:" in policy
    assert "form-action 'self'" in policy
    assert "http:" not in policy
