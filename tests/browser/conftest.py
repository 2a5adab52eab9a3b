"""The app as users start it, and a Chromium that can reach nothing but this machine."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect, sync_playwright

from tests.conftest import REPO

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), "")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
READY_SECONDS = 120
LEFT = ("BodyStreamBuffer was aborted", "AbortError: signal is aborted", "Connection errored out")
"""What Chromium and gradio say of a stream when its page is left, which closes it: no error of the app."""
LEAVING_SECONDS = 2.0


@dataclass
class RunningApp:
    home: Path
    url: str
    log: Path


@dataclass
class Visit:
    """A page, and what must stay empty while it is used."""

    page: Page
    said: list[tuple[float, str]] = field(default_factory=list)
    moved: list[float] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    @property
    def errors(self) -> list[str]:
        """What the page and its console called an error, but for a stream that broke as its page was left."""
        return [words for moment, words in self.said if not (_leaving(words) and self._moving(moment))]

    def _moving(self, moment: float) -> bool:
        return any(abs(moment - moved) < LEAVING_SECONDS for moved in self.moved)


def _leaving(words: str) -> bool:
    return any(left in words for left in LEFT)


@pytest.fixture(scope="module")
def app(real_base: Path, compiled_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """`python app.py` with the real model, on a free port."""
    if not CHROMIUM:
        pytest.skip("no Chromium on this machine: install Debian's package chromium")
    home = tmp_path_factory.mktemp("app-home")
    (home / "base").mkdir()
    (home / "base" / real_base.name).symlink_to(real_base)
    compiled_folder.mkdir(parents=True, exist_ok=True)
    (home / "compiled").symlink_to(compiled_folder)
    port, log = free_port(), home / "app.log"
    process = start_app(home, port)
    try:
        yield RunningApp(home, f"http://127.0.0.1:{port}/", log)
        assert "Traceback" not in log.read_text(), log.read_text()
    finally:
        process.terminate()
        process.wait(20)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def start_app(home: Path, port: int, *arguments: str) -> "subprocess.Popen[bytes]":
    """`python app.py` on that port, its pages up; what it prints is in `app.log`."""
    log = home / "app.log"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "FOURFOLD_HOME": str(home)}
    command = [sys.executable, "app.py", "--port", str(port), *arguments]
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=REPO, env=environment, stdout=out, stderr=out)
    try:
        wait_until_up(f"http://127.0.0.1:{port}/", process, log)
    except BaseException:
        process.kill()
        raise
    return process


def wait_until_up(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"the app did not come up: {log.read_text()}")


@pytest.fixture(scope="module")
def browser(app: RunningApp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    with chromium(tmp_path_factory.mktemp("profile")) as context:
        yield context


@contextmanager
def chromium(profile: Path) -> Iterator[BrowserContext]:
    """A browser that keeps its state in that folder."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=CHROMIUM,
            headless=True,
            args=FLAGS,
            viewport={"width": 1400, "height": 1000},
        )
        context.set_default_timeout(60_000)
        expect.set_options(timeout=30_000)
        yield context
        context.close()


@pytest.fixture
def visit(app: RunningApp, browser: BrowserContext) -> Iterator[Visit]:
    """A new page on the app; afterwards it must have seen no error and asked nobody else."""
    seen = Visit(browser.new_page())

    def request(request: Request) -> None:
        if request.is_navigation_request():
            seen.moved.append(time.monotonic())
        if not request.url.startswith((app.url, "data:", "blob:")):
            seen.outside.append(request.url)

    def failed(words: str) -> None:
        seen.said.append((time.monotonic(), words))

    seen.page.on("pageerror", lambda error: failed(str(error)))
    seen.page.on("console", lambda message: failed(message.text) if message.type == "error" else None)
    seen.page.on("request", request)
    seen.page.on("framenavigated", lambda _: seen.moved.append(time.monotonic()))
    yield seen
    seen.moved.append(time.monotonic())
    seen.page.close()
    assert seen.errors == []
    assert seen.outside == []
