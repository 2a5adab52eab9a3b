"""Settings, and what happens when the app cannot start."""

import socket
from pathlib import Path

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


def test_names_of_a_proxy_reach_the_guard(tmp_path: Path) -> None:
    environment = {"FOURFOLD_HOSTS": "desk.example, other.example", "FOURFOLD_HOME": str(tmp_path)}
    settings = app.read_settings([], environment)
    (guard,) = app.launch_options(settings)["app_kwargs"]["middleware"]
    assert guard.args == (True, ("desk.example", "other.example"))
    assert app.read_settings([], {"FOURFOLD_HOME": str(tmp_path)}).hosts == ()


def test_the_browser_secret_survives_a_restart(tmp_path: Path) -> None:
    first = app.browser_secret(tmp_path / "home")
    assert len(first) == 64
    assert app.browser_secret(tmp_path / "home") == first
    assert (tmp_path / "home" / "browser-secret").stat().st_mode & 0o077 == 0
