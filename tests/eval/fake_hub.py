"""A Hub on this machine that speaks as much of its protocol as dataset files need, and fails as it is told to."""

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "c" * 40


@dataclass
class FakeHub:
    """What it holds and how it behaves."""

    url: str = ""
    private: bool | None = None
    """None: there is no repository yet."""
    files: dict[str, bytes] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    """Answers to the next commits, instead of taking them."""
    down: bool = False
    """Every connection is dropped."""
    token: str = "hf_ours"
    delay: float = 0.0
    lose_answers: int = 0
    """So many commits are taken without ever being answered."""
    requests: list[str] = field(default_factory=list)


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients that give up waiting are what some tests are about."""


@contextmanager
def running() -> Iterator[FakeHub]:
    hub = FakeHub()
    server = Quiet(("127.0.0.1", 0), _handler(hub))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield hub
    server.shutdown()
    server.server_close()


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            path = unquote(urlsplit(self.path).path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            hub.requests.append(f"{self.command} {path}")
            time.sleep(hub.delay)
            if hub.down:
                self.connection.close()
                self.close_connection = True
            elif self.headers.get("authorization") != f"Bearer {hub.token}":
                self.answer(401, {"error": "Invalid credentials"})
            elif path == "/api/repos/create":
                known = hub.private is not None
                hub.private = hub.private if known else json.loads(body).get("visibility", "private") == "private"
                self.answer(409 if known else 200, {"url": f"{hub.url}/datasets/me/votes", "name": "me/votes"})
            elif path == "/api/datasets/me/votes":
                self.answer(200, {"id": "me/votes", "private": hub.private, "sha": COMMIT, "siblings": []})
            elif path.startswith("/api/datasets/me/votes/preupload/"):
                modes = [
                    {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for file in json.loads(body)["files"]
                ]
                self.answer(200, {"files": modes})
            elif path.startswith("/api/datasets/me/votes/commit/"):
                self.commit(body)
            elif path.startswith("/api/datasets/me/votes/tree/"):
                listed = [
                    {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                    for name, content in hub.files.items()
                ]
                self.answer(200, listed)
            elif found := re.fullmatch("/datasets/me/votes/resolve/[^/]+/(.+)", path):
                self.send_file(hub.files[found[1]])
            else:
                self.answer(404, {"error": "not found"})

        do_GET = do_POST = do_HEAD = handle_any

        def commit(self, body: bytes) -> None:
            if hub.statuses:
                self.answer(
                    hub.statuses.pop(0), {"error": "A commit has happened since. Please refresh and try again."}
                )
                return
            for line in body.splitlines():
                item = json.loads(line)
                if item["key"] == "file":
                    hub.files[item["value"]["path"]] = base64.b64decode(item["value"]["content"])
            if hub.lose_answers:
                hub.lose_answers -= 1
                time.sleep(30)
            self.answer(200, {"commitUrl": f"{hub.url}/datasets/me/votes/commit/{COMMIT}", "commitOid": COMMIT})

        def send_file(self, content: bytes) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.send_header("etag", f'"{hashlib.sha1(content).hexdigest()}"')
            self.send_header("x-repo-commit", COMMIT)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def answer(self, status: int, record: object) -> None:
            content = json.dumps(record).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
