"""What stands before every page: which hosts and sites the app answers, and from where its pages may load."""

import os
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "::1")

POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",  # the page's own framework needs both
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",  # an image elsewhere could carry a document's text out in its address
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self' https://huggingface.co",
    )
)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Message, Receive, Send], Awaitable[None]]


class Guard:
    """ASGI middleware: pages load from here only, and no other site can post on a visitor's behalf.

    At home it answers to this machine's own names and those in `hosts` alone: the page of a site whose name is pointed
    at this machine while it is open (DNS rebinding) would otherwise pass for one of ours.
    """

    def __init__(self, app: Asgi, at_home: bool = False, hosts: Sequence[str] = ()) -> None:
        self.app = app
        self.names = {*LOOPBACK, *hosts} if at_home else None
        self.ours = {os.environ["SPACE_HOST"]} if "SPACE_HOST" in os.environ else set()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        origin = headers.get("origin")
        if self.names is not None and urlsplit(f"//{headers.get('host', '')}").hostname not in self.names:
            await _refuse(send, "This app answers as 127.0.0.1 and localhost only; name other hosts in FOURFOLD_HOSTS.")
            return
        if origin and urlsplit(origin).netloc not in {headers.get("host"), *self.ours}:
            await _refuse(send, "This app answers only its own pages.")
            return

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                policy = [
                    (b"content-security-policy", POLICY.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"referrer-policy", b"same-origin"),
                ]
                message["headers"] = [*message["headers"], *policy]
            await send(message)

        await self.app(scope, receive, send_with_policy)


async def _refuse(send: Send, why: str) -> None:
    """Answer 403 with a reason."""
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": why.encode()})
