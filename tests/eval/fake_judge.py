"""An OpenAI-compatible endpoint on this machine that judges as it is told to."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def prefers(*wanted: str) -> Callable[["Asked"], str]:
    """Judges by what is written: the earlier of `wanted` that an answer holds wins."""

    def judge(asked: "Asked") -> str:
        places = [next((n for n, words in enumerate(wanted) if words in text), len(wanted)) for text in asked.answers]
        better = "tie" if places[0] == places[1] else "1" if places[0] < places[1] else "2"
        return json.dumps({"better": better})

    return judge


@dataclass(frozen=True)
class Asked:
    """What one request asks."""

    question: str
    answers: tuple[str, str]
    documents: str
    messages: list[dict[str, str]]
    key: str


@dataclass
class FakeJudge:
    url: str = ""
    says: Callable[[Asked], str] = field(default_factory=prefers)
    """What it replies."""
    statuses: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Answers to the next requests, with headers, before it judges."""
    hold: threading.Event | None = None
    """Requests wait for it."""
    seen: list[Asked] = field(default_factory=list)


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients that give up waiting are what some tests are about."""


@contextmanager
def judging() -> Iterator[FakeJudge]:
    fake = FakeJudge()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if self.path != "/v1/chat/completions":
                self.answer(404, {}, {"error": "no such path"})
                return
            if fake.hold:
                fake.hold.wait(10)
            if fake.statuses:
                status, headers = fake.statuses.pop(0)
                self.answer(status, headers, {"error": "busy or worse"})
                return
            asked = _asked(body["messages"], self.headers.get("authorization", ""))
            fake.seen.append(asked)
            self.answer(200, {}, {"choices": [{"message": {"role": "assistant", "content": fake.says(asked)}}]})

        def answer(self, status: int, headers: dict[str, str], record: Any) -> None:
            content = json.dumps(record).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = Quiet(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    yield fake
    server.shutdown()
    server.server_close()


def _asked(messages: list[dict[str, str]], key: str) -> Asked:
    text = messages[1]["content"]
    question = re.search(r"<question>\n(.*?)\n</question>", text, re.DOTALL)
    documents = re.search(r"<documents>\n(.*?)\n</documents>", text, re.DOTALL)
    one, other = re.findall(r'<answer number="\d">\n(.*?)\n</answer>', text, re.DOTALL)
    assert question
    return Asked(question[1], (one, other), documents[1] if documents else "", messages, key)
