"""Other sites, and names that were pointed at this machine, get nothing from the pages."""

import asyncio
from typing import Any

import pytest

from eval.guard import Guard


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
    asyncio.run(Guard(page, **options)(scope, receive, send))
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
